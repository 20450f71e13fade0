"""A broken JSON file written anew, where what was meant is certain. The original is not touched."""

import json
from pathlib import Path

from engine.dataset.reading.decode import decoded
from engine.dataset.reading.json_faults import broken, changes, diagnose, mended_rows
from engine.dataset.reading.json_rows import looks_like_json
from engine.dataset.reading.json_values import without_halves
from engine.dataset.reading.read import read_bytes
from engine.dataset.reading.refusal import NotFlat, not_flat, refusal
from engine.errors import Sentence


def mend(path: Path, out: Path) -> list[Sentence]:
    """Writes the rows as JSON Lines to `out` and returns what was changed, a sentence a kind.

    Raises UserError (field "dataset") for what cannot be read, is no JSON, or is broken where no
    mend is certain; `out` is not written then.
    """
    text = decoded(read_bytes(path), path.name).text
    if not looks_like_json(text, path.name):
        raise refusal(
            f"{path.name} is no JSON file; only JSON and JSON Lines can be mended here.",
            f"{path.name} 不是 JSON 文件；这里只能修复 JSON 和 JSON Lines。",
        )
    try:
        found = diagnose(text)
    except NotFlat as error:
        raise not_flat(path.name) from error
    if not found.certain:
        raise broken(text, path.name, found)
    with out.open("w", encoding="utf-8", newline="\n") as file:
        for row in mended_rows(text, found):
            file.write(json.dumps(without_halves(row), ensure_ascii=False) + "\n")
    return changes(text, found)
