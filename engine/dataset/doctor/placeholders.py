"""Placeholders that nobody filled: {{name}}, {name}, ${name}, <NAME>, [NAME], [Your Name]."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from engine.dataset.doctor.faults import without_code
from engine.dataset.doctor.turns import texts_of

# Names of what templates leave open; other words in capitals are signs ([INST], <BOS>, [MASK]).
_OPEN = (
    "NAME USER USERNAME PERSON AUTHOR CHARACTER COMPANY ORGANIZATION ORGANISATION PRODUCT BRAND "
    "DATE TIME YEAR ADDRESS CITY COUNTRY LOCATION PLACE EMAIL PHONE NUMBER URL LINK TITLE RELIGION "
    "AGE JOB POSITION RECIPIENT SENDER"
)
_OPEN_WORD = rf"(?:[A-Z]+[ _]){{0,3}}(?:{'|'.join(_OPEN.split())})(?:[ _][A-Z0-9]+)?"
_SURE = re.compile(
    r"\{\{ *(?P<double>[^\W\d][\w-]*(?: [\w-]+){0,3}) *\}\}"
    rf"|<(?P<angle>{_OPEN_WORD})>"
    rf"|\[(?P<square>{_OPEN_WORD}"
    r"|(?:Your|Insert|Recipient|Sender|Company)[ _][A-Z][A-Za-z _]{2,30}"
    r"|(?:你的|您的)?(?:名字|姓名|公司名?称?|日期|地址|电话|邮箱|职位))\]"
)
# One brace alone is also LaTeX, JSON, a set or a format string; see `Placeholders`.
_SINGLE = re.compile(r"(?:\$|(?<![A-Za-z0-9_\\{}^$]))\{(?P<single>[a-z][a-z_]{1,30})\}(?!\})")
_PROGRAM = re.compile(r"""\b[fF]["']|\.format\(|=>|\\[a-zA-Z]+\{|[;=]\s*$|\$\(""")
_ROWS_TO_RECUR = 3
_OPENING = re.compile(r"[\[{<][\w{ ]")


class Placeholders:
    """Rows with placeholders: the sure ones at once, single braces once their word recurs."""

    def __init__(self):
        self._sure: set[int] = set()
        self._singles: dict[str, set[int]] = {}
        self._names: set[str] = set()

    def see(self, at: int, texts: list[str]) -> None:
        for text in texts:
            if not _OPENING.search(text):
                continue
            for _, _, name in find_placeholders(text, frozenset()):
                self._sure.add(at)
                self._names.add(name_of(name))
            for found in _single(text):
                self._singles.setdefault(found["single"], set()).add(at)

    def recurring(self) -> frozenset[str]:
        """The words in single braces that are placeholders: one alone may be code, the same in
        three rows was a template."""
        many = (word for word, rows in self._singles.items() if len(rows) >= _ROWS_TO_RECUR)
        return frozenset(many)

    def names(self) -> list[str]:
        """What `fill` of a repair names, in alphabetical order."""
        return sorted(self._names | {name_of(word) for word in self.recurring()})

    def rows(self, conversations: Sequence[dict[str, Any]]) -> Iterator[tuple[int, str, int]]:
        """(row, text, start) of the first placeholder of each row that has one."""
        words = self.recurring()
        for at in sorted(self._sure.union(*(self._singles[word] for word in words))):
            for text in texts_of(conversations[at]):
                if found := find_placeholders(text, words):
                    yield at, text, found[0][0]
                    break


def names_to_fill(conversations: Iterable[dict[str, Any]]) -> list[str]:
    """The names that a person is asked values for."""
    placeholders = Placeholders()
    for at, conversation in enumerate(conversations):
        placeholders.see(at, texts_of(conversation))
    return placeholders.names()


def find_placeholders(text: str, recurring: frozenset[str]) -> list[tuple[int, int, str]]:
    """(start, end, name) of each in order of place; single braces only of the recurring words."""
    plain = without_code(text)
    found = [(*one.span(), one[one.lastgroup]) for one in _SURE.finditer(plain)]
    if recurring:
        singles = (one for one in _single(text) if one["single"] in recurring)
        found += [(*one.span(), one["single"]) for one in singles]
    return sorted(found)


def _single(text: str) -> Iterator[re.Match]:
    """Words in single braces, outside code and where no program or formula is written."""
    if "{" not in text:
        return
    for found in _SINGLE.finditer(without_code(text)):
        if not _in_program(text, found.start()):
            yield found


def _in_program(text: str, at: int) -> bool:
    start, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
    return _PROGRAM.search(text[start : end if end >= 0 else len(text)]) is not None


def name_of(placeholder: str) -> str:
    """How a person names it when they fill it: `Your Name`, `YOUR_NAME` -> `your_name`."""
    return placeholder.strip().lower().replace(" ", "_")


def filler(fill: dict[str, str], recurring: frozenset[str]) -> Callable[[str], str]:
    """A function that puts the values in; a name without a value stays as it is."""
    values = {name_of(name): value for name, value in fill.items()}

    def filled(text: str) -> str:
        parts, at = [], 0
        for start, end, name in find_placeholders(text, recurring):
            if start >= at and name_of(name) in values:
                parts += [text[at:start], values[name_of(name)]]
                at = end
        return "".join(parts) + text[at:]

    return filled
