"""Paragraphs of a text file that are one conversation between marks, put together again."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from engine.dataset.meaning.marked_text import MarkSet, marks_before, turns_in

_HEAD = 200
_ASKING = ("system", "user")


class Paragraphs:
    """The rows of a text file; `joined` counts those that go on with the row before them."""

    def __init__(self, rows: Iterable[dict[str, Any]], marks: MarkSet, between: str):
        self._rows, self._marks, self._between = rows, marks, between
        self.joined = 0

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Each conversation with the number of its first row. A question behind an answer begins
        another one, for nothing tells whether it knows of the answer."""
        parts: list[str] = []
        number, is_answered = 0, False
        for at, row in enumerate(self._rows):
            sides = self._marks.sides(row["text"])
            if parts and is_answered and self._marks.first_side(row["text"]) in _ASKING:
                yield number, {"text": self._between.join(parts)}
                parts, is_answered = [], False
            number = number if parts else at
            self.joined += bool(parts)
            parts.append(row["text"])
            is_answered = is_answered or "assistant" in sides
        if parts:
            yield number, {"text": self._between.join(parts)}


def find_paragraphs(rows: Iterable[dict[str, Any]]) -> Paragraphs | None:
    """None when the first of them does not begin with a mark of the asking side, or the first ones
    hold no conversation."""
    texts = [row["text"] for row in islice(rows, _HEAD)]
    marks = marks_before(texts[0])
    between = "\n\n" if any("\n" in text for text in texts) else "\n"
    if not marks or marks.first_side(texts[0]) not in _ASKING:
        return None
    return Paragraphs(rows, marks, between) if turns_in(between.join(texts)) else None
