"""Rows that were dropped: what they suffer from, and those that can be mended and read again."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.dataset.meaning.columns import answer_columns
from engine.dataset.meaning.dialogue import content_key, side_of
from engine.dataset.meaning.reasons import (
    EMPTY_ANSWER,
    LIST_ANSWER,
    NO_ANSWER,
    NO_QUESTION,
    ROLE_ORDER,
)
from engine.dataset.reading.store import Stored
from engine.dataset.reasoning import NAMES
from engine.errors import Sentence, UserError

if TYPE_CHECKING:
    from engine.dataset.meaning.formats import Conversations
    from engine.dataset.reading.read import Table

_KINDS = {
    NO_ANSWER: "empty_answers",
    EMPTY_ANSWER: "empty_answers",
    LIST_ANSWER: "list_answers",
    ROLE_ORDER: "role_order",
    NO_QUESTION: "role_order",
}
_ANSWERING = {"chosen", "rejected", "completion", "response", "output"}  # beside a list of turns


def kind_of_drop(reason: Sentence) -> str:
    """The kind of finding, "" for reasons that the doctor has no name for."""
    return _KINDS.get(reason, "")


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
    return any(turns and side_of(turns[-1]) == "user" for turns in map(_turns, row.values()))


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
    if isinstance(value, list) and all(isinstance(x, dict) and side_of(x) for x in value):
        return value
    return []


def _ordered(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ordered: list[dict[str, Any]] = []
    for turn in turns:
        before = ordered[-1] if ordered else {}
        if side_of(turn) == "assistant" and side_of(before) in ("", "system"):
            continue
        key = content_key(turn)
        texts = [before.get(key), turn.get(key)]
        more = {"tool_calls", *NAMES} & (turn | before).keys()
        spoken = not more and all(isinstance(text, str) for text in texts)
        if side_of(turn) == side_of(before) and side_of(turn) in ("user", "assistant") and spoken:
            ordered[-1] = before | {key: "\n\n".join(texts)}
        else:
            ordered.append(turn)
    return ordered


_MENDS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "list_answers": join_list_answers,
    "role_order": order_turns,
}
