"""Rows that were dropped: what they suffer from, and those that can be mended and read again."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.dataset.reading.store import Stored
from engine.errors import Sentence, UserError

if TYPE_CHECKING:
    from engine.dataset.meaning.formats import Conversations
    from engine.dataset.reading.read import Table

# How the reason of a dropped row begins -> the doctor's name for it.
_KINDS = {
    "it has no answer": "empty_answers",
    "its answer is a list": "list_answers",
    "two turns of one side follow each other": "role_order",
    "it does not begin with a question": "role_order",
}
_ANSWERS = ("output response completion answer reply target 回答 答案 答复 输出").split()
_ANSWERING = {"chosen", "rejected", "completion", "response", "output"}  # beside a list of turns
_SIDES = {
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "gpt", "bot", "model"), "assistant"),
}
_ROLE_KEYS, _CONTENT_KEYS = ("role", "from"), ("content", "value")


def kind_of_drop(reason: Sentence) -> str:
    """The kind of finding, "" for reasons that the doctor has no name for."""
    return next((kind for start, kind in _KINDS.items() if reason.en.startswith(start)), "")


def answer_columns(columns: list[str]) -> list[str]:
    """The columns that hold answers by their name."""
    return [column for column in columns if column.strip().lower() in _ANSWERS]


def recovered(
    found: "Conversations", table: "Table", kinds: list[str], mapping: str = ""
) -> Iterator[tuple[int, str, dict[str, Any], dict[str, Any]]]:
    """(row of the table, kind, row as it was, conversation) of each dropped row that can be read
    once it is mended. `mapping` is what the table was read with."""
    from engine.dataset.meaning.formats import to_conversations

    drops = [(row, kind_of_drop(reason)) for row, reason in found.dropped]
    drops = [(row, kind) for row, kind in drops if kind in kinds and kind in _MENDS]
    if not drops:
        return
    mended = Stored(_MENDS[kind](table.rows[row]) for row, kind in drops)
    try:
        again = to_conversations(replace(table, rows=mended, splits={}), mapping)
    except UserError:  # not one of them can be read
        return
    for source, conversation in zip(again.sources, again.conversations, strict=True):
        row, kind = drops[source]
        yield row, kind, table.rows[row], conversation


def ends_with_user(row: dict[str, Any]) -> bool:
    """Whether turns of the row end with one of the user, and no other column answers it."""
    if not _ANSWERING.isdisjoint(row):
        return False
    return any(turns and _side(turns[-1]) == "user" for turns in map(_turns, row.values()))


def join_list_answers(row: dict[str, Any]) -> dict[str, Any]:
    """The row with each list in an answer column as one text, a line for each."""
    return row | {
        column: "\n".join(str(one) for one in row[column])
        for column in answer_columns(list(row))
        if isinstance(row[column], list) and all(isinstance(x, str | int) for x in row[column])
    }


def order_turns(row: dict[str, Any]) -> dict[str, Any]:
    """The row with turns of one side joined, in every column that is a list of turns, and without
    what the assistant says before the user does."""
    return {column: _ordered(_turns(value)) or value for column, value in row.items()}


def _turns(value: Any) -> list[dict[str, Any]]:
    """The turns in a cell, also when they are JSON text; [] when there are none."""
    if isinstance(value, str) and value.lstrip().startswith("[{"):
        try:
            value = json.loads(value)
        except ValueError:
            return []
    if isinstance(value, list) and all(isinstance(x, dict) and _side(x) for x in value):
        return value
    return []


def _ordered(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ordered: list[dict[str, Any]] = []
    for turn in turns:
        before = ordered[-1] if ordered else {}
        if _side(turn) == "assistant" and _side(before) in ("", "system"):
            continue
        key = _key(turn, _CONTENT_KEYS)
        texts = [before.get(key), turn.get(key)]
        spoken = all(isinstance(text, str) for text in texts) and "tool_calls" not in turn | before
        if _side(turn) == _side(before) and _side(turn) in _SIDES.values() and spoken:
            ordered[-1] = before | {key: "\n\n".join(texts)}
        else:
            ordered.append(turn)
    return ordered


def _side(turn: dict[str, Any]) -> str:
    role = str(turn.get(_key(turn, _ROLE_KEYS), "")).lower()
    return _SIDES.get(role, role)


def _key(turn: dict[str, Any], keys: tuple[str, ...]) -> str:
    return next((key for key in keys if key in turn), "")


_MENDS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "list_answers": join_list_answers,
    "role_order": order_turns,
}
