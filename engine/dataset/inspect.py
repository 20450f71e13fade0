"""What a dataset is and what a model would learn from it: the figures and one row in full."""

import statistics
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.dataset.formats import TITLES, Conversations, to_conversations
from engine.dataset.prompt import with_system
from engine.dataset.read import Table, read_table
from engine.dataset.tokens import Encoded, encode, segments
from engine.errors import Sentence, UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_CELL_CHARACTERS = 300
_EXAMPLES = 3


@lru_cache(maxsize=4)
def opened(path: Path, changed_at: float) -> tuple[Table, Conversations]:
    """A file read and understood; `changed_at` (its mtime) makes a changed file a new one."""
    table = read_table(path)
    return table, to_conversations(table.rows, table.columns)


@lru_cache(maxsize=2)
def _encoded(
    path: Path, changed_at: float, tokenizer, max_length: int, loss_on: str, system_prompt: str
) -> list[Encoded]:
    """Kept, because a person looks at many rows of one file."""
    return [
        encode(
            tokenizer,
            conversation,
            max_length=max_length,
            loss_on=loss_on,
            system_prompt=system_prompt,
        )
        for conversation in opened(path, changed_at)[1].conversations
    ]


def inspect(
    path: Path,
    tokenizer: "PreTrainedTokenizerBase",
    *,
    max_length: int,
    loss_on: str,
    system_prompt: str,
    row: int | None = None,
) -> dict[str, Any]:
    """The report of the command line and the page; `row` (0-based) adds that row in full.

    Raises UserError (field "dataset") for a file that cannot be understood, (field "row") for a
    row that is not there.
    """
    changed_at = path.stat().st_mtime
    table, found = opened(path, changed_at)
    rows = _encoded(path, changed_at, tokenizer, max_length, loss_on, system_prompt)
    report = _understood(table, found) | _learned(rows)
    report["problems"] = _problems(found, rows, max_length)
    if row is not None:
        report |= _row(found, rows, row, tokenizer, system_prompt)
    return report


def table_page(path: Path, start: int, count: int) -> dict[str, Any]:
    """A page of the file as it is: columns, and cells as text cut to a readable length."""
    table, _ = opened(path, path.stat().st_mtime)
    page = table.rows[start : start + count]
    cells = [[_cell(row.get(column)) for column in table.columns] for row in page]
    return {"columns": table.columns, "rows": cells, "total": len(table.rows)}


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= _CELL_CHARACTERS else text[:_CELL_CHARACTERS] + " ..."


def _understood(table: Table, found: Conversations) -> dict[str, Any]:
    return {
        "format": found.format,
        "format_title": TITLES[found.format]._asdict(),
        "kind": table.kind,
        "encoding": table.encoding,
        "rows": len(table.rows),
        "columns": table.columns,
        "mapping": found.mapping,
        "dropped": [{"reason": r._asdict(), "count": n} for r, n in found.dropped.most_common()],
    }


def _learned(rows: list[Encoded]) -> dict[str, Any]:
    lengths = sorted(len(row.all_ids) for row in rows)
    return {
        "total_tokens": sum(len(row.input_ids) for row in rows),
        "trained_tokens": sum(row.learned for row in rows),
        "zero_label_rows": sum(not row.learned for row in rows),
        "end_token_trained": any(row.end_is_learned for row in rows),
        "lengths": {
            "mean": round(statistics.fmean(lengths), 1),
            "p50": lengths[len(lengths) // 2],
            "p95": lengths[int(len(lengths) * 0.95)],
            "max": lengths[-1],
            "truncated": sum(row.lost > 0 for row in rows),
            "lost_tokens": sum(row.lost for row in rows),
        },
    }


def _problems(found: Conversations, rows: list[Encoded], max_length: int) -> list[dict[str, Any]]:
    """Findings with their count, the first rows concerned (1-based) and what to do."""
    cut = [found.sources[i] + 1 for i, row in enumerate(rows) if row.lost]
    empty = [found.sources[i] + 1 for i, row in enumerate(rows) if not row.learned]
    seen: dict[str, int] = {}
    twice = []
    for i, row in enumerate(rows):
        if row.text in seen:
            twice.append(found.sources[i] + 1)
        seen[row.text] = i
    endless = [] if any(row.end_is_learned for row in rows) else [1]
    findings = [
        _finding("nothing_to_learn", empty, _NOTHING),
        _finding("end_not_learned", endless, _ENDLESS),
        _finding("truncated", cut, _cut_advice(max_length, max(len(r.all_ids) for r in rows))),
        _finding("duplicates", twice, _TWICE),
    ]
    return [finding for finding in findings if finding["rows"]]


_NOTHING = Sentence(
    "Left out of the training: no answer lies within the longest row. Choose a longer one.",
    "这些行不参与训练：最大长度内没有回答。请调大最长一条。",
)
_ENDLESS = Sentence(
    "No row teaches where an answer ends, so the model may not stop. Choose a longer longest row.",
    "没有一行教模型在哪里结束，回答可能停不下来。请调大最长一条。",
)
_TWICE = Sentence(
    "Exact copies of earlier rows: they are learned more often than the rest.",
    "与前面的行完全相同：会比其他行学得更多。",
)


def _cut_advice(max_length: int, longest: int) -> Sentence:
    return Sentence(
        f"Cut at {max_length} tokens; the longest has {longest}. Their ends are not learned.",
        f"在 {max_length} 个 token 处截断，最长的有 {longest} 个，末尾学不到。",
    )


def _finding(kind: str, rows: list[int], advice: Sentence) -> dict[str, Any]:
    return {
        "kind": kind,
        "rows": len(rows),
        "examples": rows[:_EXAMPLES],
        "advice": advice._asdict(),
    }


def _row(found, rows: list[Encoded], number: int, tokenizer, system_prompt) -> dict[str, Any]:
    if not 0 <= number < len(rows):
        raise UserError(
            f"There is no row {number}; the rows go from 0 to {len(rows) - 1}.",
            f"没有第 {number} 行；行号从 0 到 {len(rows) - 1}。",
            field="row",
        )
    row, conversation = rows[number], found.conversations[number]
    messages = conversation.get("messages")
    return {
        "row": number,
        "source_row": found.sources[number],
        "messages": messages and with_system(messages, system_prompt),
        "text": row.text,
        "segments": [list(piece) for piece in segments(row)],
        "tokens": tokenizer.convert_ids_to_tokens(row.input_ids),
        "input_ids": row.input_ids,
        "labels": row.labels,
    }
