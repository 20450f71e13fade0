"""docs/formats.md out of the very rows and files that the tests read.

`python -m tests.dataset.formats_table` writes it.
"""

import json
from pathlib import Path

from engine.dataset.meaning.formats import TITLES
from tests.dataset.made_files import (
    every_kind,
    every_kind_of_several_parts,
    every_kind_of_text,
)
from tests.dataset.made_rows import SHAPES

PAGE = Path(__file__).parent.parent.parent / "docs" / "formats.md"
HEAD = """# What Greenroom reads

Every row of both tables is read by the tests (`tests/dataset/made_files.py`, `made_rows.py`), from
which this page is written. Files are told apart by their content; their names say nothing. What of
a file is not read (other sheets, null rows, values beside the rows, columns that no format takes),
and an encoding that is not certain, the page says. Rows of several shapes may stand in one file:
each goes its own way, and the page counts them. Columns that are not known are chosen by hand under
"Which column is what" (`--mapping question=user, answer=assistant`). Scripts (columns of speaker
and line, or text of "name: line") have a picker for the speaker whose lines are learned
(`--speaker`); a line that names nobody goes on with the one before it. So does, in a text file that
begins with a mark such as `### Human:`, a paragraph without one.

Reasoning in a turn of the assistant (`reasoning_content`, `reasoning` or `thinking`) is learned
with its answer: as the base model's chat template writes it, or, where the template knows none of
these names, between `<think>` and `</think>` before the answer. What a template leaves out, often
the reasoning of earlier turns, the dataset doctor counts. `<think>` within an answer stays as it
is. A turn of the assistant with `weight` 0 is read, not learned. Labels (`label`, `kto_tag`) are
true and false or 1 and 0; a column that holds anything else, or beside which each number always has
the same answer, is no label.
"""


def markdown():
    return "\n".join([HEAD, "## Files", "", *_files(), "", "## Rows", "", *_rows(), ""])


def _files():
    yield "| file | read as | encoding |"
    yield "|---|---|---|"
    kinds = every_kind() | every_kind_of_several_parts() | every_kind_of_text()
    for name, (kind, encoding, *_) in kinds.items():
        yield f"| {name} | `{kind}` | {encoding} |"


def _rows():
    yield "| row | format | columns |"
    yield "|---|---|---|"
    for row, shape, mapping, _ in SHAPES:
        written = json.dumps(row, ensure_ascii=False).replace("|", "\\|").replace("`", "'")
        parts = ", ".join(f"{column.strip()} = {role}" for column, role in mapping.items())
        yield f"| `{written}` | {TITLES[shape].en} (`{shape}`) | {parts} |"


if __name__ == "__main__":
    PAGE.write_text(markdown(), encoding="utf-8")
