"""JSON values out of a text, one after the other: strictly, or mending what can be mended surely.

A text is an array, whose elements are the values, or a sequence of values with or without space
between them. Both readers walk it alike; Strict stops at the first fault and is fast, Mending
names every fault (kinds: engine/dataset/reading/json_faults.py) and is slow.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from json import JSONDecodeError
from typing import Any, NamedTuple

from engine.dataset.reading.refusal import NotFlat

DEEPEST = 100  # brackets within brackets; what is deeper could not be read again from deep code
_SPACE = re.compile(r"[ \t\n\r]*")
_MARK = "\ufeff"  # left where files with a byte order mark were joined
_CONTROL = re.compile(r"[\x00-\x1f]")
# What nearly always stands between two elements, in one step.
_COMMA = re.compile(r'[ \t\n\r]*,[ \t\n\r]*(?=[{["\w-])')
_NEXT_KEY = re.compile(r'\s*\n\s*"(?:[^"\\\n]|\\.)*"\s*:')
_NEXT_OBJECT = re.compile(r"(?<=\})\s*\{")
_FIRST_KEY = re.compile(r'\{\s*"((?:[^"\\]|\\.)*)"\s*:')
_UNFINISHED = ("true", "false", "null", "NaN", "Infinity", "-Infinity")
CERTAIN = {"trailing comma", "loose comma", "missing comma", "control", "mark", "no end", "cut"}


class Fault(NamedTuple):
    """What is wrong at which character (0-based)."""

    kind: str
    at: int


class Broken(Exception):
    """The text cannot be read on from here."""


class _Cut(Exception):
    """The text ends inside a value."""


def _float(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _decoder(**options: Any) -> json.JSONDecoder:
    """NaN, Infinity and what is as large become null: neither JSON nor Arrow has them."""
    return json.JSONDecoder(parse_constant=lambda _: None, parse_float=_float, **options)


_LENIENT = _decoder(strict=False)


class Strict:
    """Raises Broken at the first fault, NotFlat for what is nested too deep.

    `repeated` counts the names that stood twice in one object, of which the last value is read.
    """

    def __init__(self, text: str):
        self.text = text
        self.repeated: Counter[str] = Counter()
        self._decoder = _decoder(object_pairs_hook=self._object_of)
        self._halves = [mark for mark in ("\\ud", "\\uD") if mark in text]

    def fault(self, kind: str, at: int) -> None:
        raise Broken

    def unfinished(self, at: int, after_a_row: bool) -> None:
        raise Broken

    def value(self, at: int) -> tuple[Any, int]:
        """The value that begins at `at`, and where it ends."""
        try:
            value, end = self._decoder.raw_decode(self.text, at)
        except JSONDecodeError as error:
            raise Broken from error
        except (RecursionError, ValueError) as error:  # ValueError: more than 4300 digits
            raise NotFlat from error
        brackets = self.text.count("[", at, end) + self.text.count("{", at, end)
        if brackets > DEEPEST and _deeper(value, DEEPEST):
            raise NotFlat
        if self._halves and any(self.text.find(mark, at, end) >= 0 for mark in self._halves):
            value = without_halves(value)
        return value, end

    def _object_of(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = Counter(name for name, _ in pairs)
            self.repeated.update(name for name, times in names.items() if times > 1)
        return found

    def skip(self, at: int) -> int:
        """Where the space that begins at `at` ends."""
        at = _SPACE.match(self.text, at).end()
        while self.text.startswith(_MARK, at):
            self.fault("mark", at)
            at = _SPACE.match(self.text, at + 1).end()
        return at

    def inside(self, at: int, closer: str) -> tuple[int, bool]:
        """Behind the bracket at `at`: where the first element begins, or the bracket has closed."""
        at = self.skip(at + 1)
        closed = self.text.startswith(closer, at)
        return at + closed, closed

    def after(self, end: int, closer: str, joined: re.Pattern) -> tuple[int, bool]:
        """Behind an element that ends at `end`: where the next begins, or the bracket has closed.

        `joined` is what tells, in the place of a comma, that the next element has begun.
        """
        if comma := _COMMA.match(self.text, end):
            return comma.end(), False
        at = self.skip(end)
        sign = self.text[at : at + 1]
        if sign == closer:
            return at + 1, True
        if not sign:
            raise _Cut
        if sign != ",":
            certain = joined.match(self.text, end)
            self.fault(*("missing comma", end) if certain else ("separator", at))
            return at, False
        following = self.skip(at + 1)
        if self.text.startswith(closer, following):
            self.fault("trailing comma", at)
            return following + 1, True
        return following, False


class Mending(Strict):
    """Collects every fault; raises Broken behind one whose mend is not certain."""

    def __init__(self, text: str):
        super().__init__(text)
        self.faults: list[Fault] = []

    def fault(self, kind: str, at: int) -> None:
        self.faults.append(Fault(kind, at))
        if kind not in CERTAIN:
            raise Broken

    def unfinished(self, at: int, after_a_row: bool) -> None:
        """A row that the end of the text cuts off; it is certain when it can be no more than one.

        A bracket forgotten long before the end makes all the rows behind it part of one.
        """
        first = _FIRST_KEY.match(self.text, at)
        alike = re.compile(r'\{\s*"' + re.escape(first[1]) + r'"\s*:') if first else None
        single = alike is None or len(alike.findall(self.text, at)) == 1
        self.fault("cut" if after_a_row and single else "unclosed", at)

    def value(self, at: int, depth: int = 0) -> tuple[Any, int]:
        if depth > DEEPEST:
            raise NotFlat
        sign = self.text[at : at + 1]
        if sign == "{":
            return self._object(at, depth)
        if sign == "[":
            return self._array(at, depth)
        return self._scalar(at)

    def _scalar(self, at: int) -> tuple[Any, int]:
        try:
            value, end = _LENIENT.raw_decode(self.text, at)
        except JSONDecodeError as error:
            kind = _kind(error)
            rest = self.text[at : at + 10]
            if kind == "unclosed text" or any(word.startswith(rest) for word in _UNFINISHED):
                raise _Cut from error
            if kind == "escape" and len(self.text) - error.pos < len("uXXXX"):
                raise _Cut from error
            self.fault(kind, error.pos)
        except ValueError as error:
            raise NotFlat from error
        if raw := _CONTROL.search(self.text, at, end):
            self.fault("control", raw.start())
        return value, end

    def _array(self, at: int, depth: int) -> tuple[list[Any], int]:
        found: list[Any] = []
        at, closed = self.inside(at, "]")
        while not closed:
            value, end = self.value(at, depth + 1)
            found.append(value)
            at, closed = self.after(end, "]", _NEXT_OBJECT)
        return found, at

    def _object(self, at: int, depth: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        at, closed = self.inside(at, "}")
        while not closed:
            name, at = self._name(at)
            found[name], end = self.value(self.skip(at), depth + 1)
            at, closed = self.after(end, "}", _NEXT_KEY)
        return found, at

    def _name(self, at: int) -> tuple[str, int]:
        """A key, and where the colon behind it ends."""
        if self.text[at : at + 1] not in ('"', ""):
            self.fault("name", at)
        name, end = self._scalar(at)
        at = self.skip(end)
        if at == len(self.text):
            raise _Cut
        if self.text[at] != ":":
            self.fault("colon", at)
        return name, at + 1


def walk(reader: Strict) -> Iterator[Any]:
    """The elements of an array, or the values that follow each other."""
    at = reader.skip(0)
    is_array = reader.text.startswith("[", at)
    yield from _elements(reader, at) if is_array else sequence(reader, at)


def sequence(reader: Strict, at: int = 0) -> Iterator[Any]:
    """Values behind each other, as JSON Lines has them: one a line, several, or one over many."""
    text, begun = reader.text, False
    at = reader.skip(at)
    while at < len(text):
        if begun and text[at] == ",":
            reader.fault("loose comma", at)
            at = reader.skip(at + 1)
            continue
        try:
            value, end = reader.value(at)
        except _Cut:
            return reader.unfinished(at, begun)
        yield value
        begun = True
        at = reader.skip(end)


def _elements(reader: Strict, at: int) -> Iterator[Any]:
    text, begun = reader.text, False
    end = at
    at, closed = reader.inside(at, "]")
    while not closed:
        if at == len(text):
            return reader.fault("no end" if begun else "unclosed", end)
        try:
            value, end = reader.value(at)
        except _Cut:
            return reader.unfinished(at, begun)
        yield value
        begun = True
        try:
            at, closed = reader.after(end, "]", _NEXT_OBJECT)
        except _Cut:
            at = len(text)
    rest = reader.skip(at)
    if rest < len(text):
        reader.fault("extra", rest)


def _deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, list | dict):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_deeper(one, levels - 1) for one in inner)


def _kind(error: JSONDecodeError) -> str:
    if error.msg.startswith("Unterminated"):
        return "unclosed text"
    return "escape" if error.msg.startswith("Invalid \\") else "value"


def without_halves(value: Any) -> Any:
    """Half of an emoji, cut by a careless tool, becomes "?": no tokenizer takes it."""
    line = json.dumps(value, ensure_ascii=False)
    try:
        line.encode()
    except UnicodeEncodeError:
        return json.loads(line.encode("utf-8", "replace"))
    return value
