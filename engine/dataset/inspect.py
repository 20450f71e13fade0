"""What a dataset is and what a model would learn from it: the figures and one row in full."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.dataset import opened
from engine.dataset.doctor.examine import Finding, examine
from engine.dataset.doctor.placeholders import names_to_fill
from engine.dataset.lengths import pictures, totals
from engine.dataset.meaning.formats import TITLES, Conversations, learnable
from engine.dataset.prompt import with_system
from engine.dataset.tokens import encode, segments
from engine.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_CELL_CHARACTERS = 300
_MEASURING = 0.6  # of the time of a whole report; the rest is the doctor's
Progress = Callable[..., None]


def understood(path: Path, mapping: str = "", speaker: str = "") -> dict[str, Any]:
    """How a file was read: needs no model. Raises UserError (field "dataset" or "mapping").

    `usable` may be 0; `nothing` then says so.
    """
    table, found = opened.table(path), opened.understood(path, mapping, speaker)
    reasons = Counter(reason for _, reason in found.dropped)
    return {
        "format": found.format,
        "format_title": TITLES[found.format]._asdict(),
        "kind": table.kind,
        "encoding": table.encoding,
        "rows": len(table.rows),
        "usable": len(found.conversations),
        "nothing": _nothing(found),
        "columns": table.columns,
        "mapping": found.mapping,
        "shapes": [
            {"format": name, "title": TITLES[name]._asdict(), "rows": rows}
            for name, rows in found.shapes.most_common()
        ],
        "speaker": found.speaker,
        "lines": dict(found.lines),
        "speakers": [{"name": name, "lines": n} for name, n in found.speakers.most_common(50)],
        "splits": {name: last - first for name, (first, last) in table.splits.items()},
        "notes": [note._asdict() for note in (*table.notes, *found.notes)],
        "dropped": [{"reason": r._asdict(), "count": n} for r, n in reasons.most_common()],
    }


def _nothing(found: Conversations) -> dict[str, str] | None:
    """Why no row is left to learn from; None when one is."""
    try:
        learnable(found)
    except UserError as error:
        return error.sentence._asdict()
    return None


def inspect(
    path: Path,
    tokenizer: "PreTrainedTokenizerBase",
    *,
    mapping: str = "",
    speaker: str = "",
    held_out: Path | None = None,
    progress: Progress = lambda share, so_far=None: None,
    **options: Any,
) -> dict[str, Any]:
    """The report of the command line and the page; `options` are those of `encode_all`.

    `held_out` is a validation file, looked through for rows that stand in both and read as the
    first. `progress` hears
    shares of one, and the figures before the doctor has looked. Raises UserError for a file that
    cannot be understood.
    """
    report = understood(path, mapping, speaker)

    def measuring(share: float) -> None:
        progress(share * _MEASURING)

    def examining(share: float) -> None:
        progress(_MEASURING + share * (1 - _MEASURING))

    found, second = opened.understood(path, mapping, speaker), None
    if held_out:
        second = opened.second(held_out, mapping, speaker)
    lengths = opened.lengths(path, mapping, speaker, tokenizer, measuring, **options)
    report |= totals(lengths) | {"pictures": pictures(lengths)}
    progress(_MEASURING, report)
    findings = examine(found, lengths, second, examining, opened.table(path))
    unfilled = any(one.repair == "placeholders" for one in findings)
    return report | {
        "problems": [_finding(one) for one in findings],
        "placeholders": names_to_fill(found.conversations) if unfilled else [],
    }


def one_row(
    path: Path,
    tokenizer: "PreTrainedTokenizerBase",
    number: int,
    *,
    mapping: str = "",
    speaker: str = "",
    system_prompt: str = "",
    **options: Any,
) -> dict[str, Any]:
    """One conversation (0-based) in full, as the trainer gets it. Raises UserError: field "row"."""
    found = opened.conversations(path, mapping, speaker)
    count = len(found.conversations)
    if not 0 <= number < count:
        raise UserError(
            f"There is no row {number}; the rows go from 0 to {count - 1}.",
            f"没有第 {number} 行；行号从 0 到 {count - 1}。",
            field="row",
        )
    conversation = found.conversations[number]
    row = encode(tokenizer, conversation, system_prompt=system_prompt, **options)
    messages = conversation.get("messages")
    return {
        "row": number,
        "source_row": found.sources[number],
        "messages": messages and with_system(messages, system_prompt),
        "tools": conversation.get("tools", []),
        "text": row.text,
        "segments": [list(piece) for piece in segments(row)],
        "tokens": tokenizer.convert_ids_to_tokens(row.input_ids),
        "input_ids": row.input_ids,
        "labels": row.labels,
    }


def table_page(path: Path, start: int, count: int, search: str = "") -> dict[str, Any]:
    """A page of the file as it is: numbers of the rows (0-based), and cells as text cut to a
    readable length. With `search` only rows that hold these words count."""
    table = opened.table(path)
    numbers = table.rows.find(search) if search else range(len(table.rows))
    shown = list(numbers[start : start + count])
    cells = [[_cell(table.rows[n].get(column)) for column in table.columns] for n in shown]
    return {"columns": table.columns, "numbers": shown, "rows": cells, "total": len(numbers)}


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= _CELL_CHARACTERS else text[:_CELL_CHARACTERS] + " ..."


def _finding(one: Finding) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "rows": one.rows,
        "examples": one.examples,
        "advice": one.advice._asdict(),
        "severity": one.severity,
        "repair": one.repair,
        "repair_title": one.repair_title and one.repair_title._asdict(),
    }
