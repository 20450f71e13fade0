"""Columns that say of each answer whether it is good or bad, as unpaired preference data does."""

from collections.abc import Iterable
from typing import Any

from engine.dataset.meaning.columns import label_columns, readings
from engine.dataset.meaning.dialogue import content_key
from engine.dataset.meaning.tools import from_json

_VERDICTS = {True: True, "true": True, "1": True, False: False, "false": False, "0": False}
_FEWEST_FOR_CLASSES = 4  # in fewer rows two verdicts on two answers are no pattern


def verdict(value: Any) -> bool | None:
    """What a cell says: true or 1 is good, false or 0 bad, written as text too; else None."""
    if isinstance(value, str):
        value = value.strip().lower()
    return _VERDICTS.get(value) if isinstance(value, str | int | float) else None


def judging_columns(rows: Iterable[dict[str, Any]], columns: list[str]) -> frozenset[str]:
    """The columns of labels that hold verdicts and nothing else.

    Numbers may be classes as well: a column beside which every answer to a label is the same one
    (1 with "positive", 0 with "negative") does not judge.
    """
    named = label_columns(columns)
    seen = {column: _Seen() for column in named}
    for row in rows if named else ():
        for column in named:
            seen[column].look(row, column)
    return frozenset(column for column, one in seen.items() if one.judges)


class _Seen:
    """What one column says, and up to two answers beside each verdict."""

    def __init__(self) -> None:
        self._rows = 0
        self._others = False
        self._answers: dict[bool, set[str]] = {}

    def look(self, row: dict[str, Any], column: str) -> None:
        value = row.get(column)
        if value is None or value == "":
            return
        said = verdict(value)
        if said is None:
            self._others = True
            return
        self._rows += 1
        answers = self._answers.setdefault(said, set())
        if len(answers) < 2:
            answers.add(_answer(row))

    @property
    def judges(self) -> bool:
        classes = len(self._answers) == 2 and all(len(one) == 1 for one in self._answers.values())
        if classes and self._rows >= _FEWEST_FOR_CLASSES:
            return False
        return bool(self._rows) and not self._others


def _answer(row: dict[str, Any]) -> str:
    """The answer as far as it can be told before the row is read."""
    for _, roles in readings(tuple(row))[:1]:
        for column in (*roles.assistant, *roles.messages)[:1]:
            value = from_json(row[column])
            if isinstance(value, list) and value and isinstance(value[-1], dict):
                value = value[-1].get(content_key(value[-1]))
            return str(value).strip()
    return ""
