"""Whether a table is a script, and who says what in it, line by line."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, NamedTuple

from engine.dataset.meaning.columns import readings
from engine.dataset.meaning.dialogue import is_known, role_of
from engine.dataset.meaning.marked_text import turns_in
from engine.dataset.meaning.names import columns_named
from engine.dataset.meaning.rows import is_filled, turns_of

_SURE_SPEAKERS = "speaker character 角色 说话人 人物".split()
_SPEAKERS = [*_SURE_SPEAKERS, *"role name actor 姓名 人名".split()]
_LINES = "line dialogue dialog utterance text content value 台词 对白 文本 内容".split()
_HEAD = 200
_MOSTLY = 0.6
# A name is short, has no stops in it and is no clock time, no https:// and no heading (###).
_MARKS = r":：。，！？；、,!?;\"“”{}\[\]<>|="
_NAMED_LINE = re.compile(
    rf"\s*(?!\d+\s*[:：])(?P<name>[^\s.#{_MARKS}][^{_MARKS}]{{0,23}}?)\s*(?:(?<!\d)[:：]|[:：](?!\d))(?!//)"
    r"\s*(?P<text>\S.*?)\s*"
)

Said = tuple[str, str]  # name and text; a text alone names nobody, two empty ones say nothing


class Line(NamedTuple):
    """What somebody says in a row of the file; without a name it ends the scene. `more` lines of
    the file that name nobody go on with it."""

    row: int
    name: str
    text: str
    more: int = 0


@dataclass(frozen=True, slots=True)
class Script:
    """How the lines of one row are read, from which columns, whether each row is a scene of its
    own, and whether a text without a name goes on with the line before it: never, in its row, or
    from row to row, where rows are lines of a file without paragraphs."""

    lines_in: Callable[[dict[str, Any]], list[Said]]
    columns: tuple[str, ...]
    rows_are_scenes: bool
    goes_on: Literal["", "row", "file"]

    def lines(self, rows: Iterable[dict[str, Any]]) -> Iterator[Line | None]:
        """Every line; None behind the last of a row that is a scene."""
        spoken: list[Line] = []  # a line, and what goes on with it
        for number, row in enumerate(rows):
            for at, said in enumerate(self.lines_in(row) or [("", "")]):
                line = Line(number, *said)
                if spoken and not line.name and self._goes_on(line.text, at):
                    spoken.append(line)
                    continue
                if spoken:
                    yield _joined(spoken)
                spoken = [line] if line.name else []
                if not line.name:
                    yield line
            if self.rows_are_scenes:
                if spoken:
                    yield _joined(spoken)
                spoken = []
                yield None
        if spoken:
            yield _joined(spoken)

    def _goes_on(self, text: str, at: int) -> bool:
        """A text without a name that stands `at` this place in its row; a rule (---) does not."""
        may = self.goes_on == "file" or (self.goes_on == "row" and at > 0)
        return may and any(map(str.isalnum, text))


def _joined(spoken: list[Line]) -> Line:
    text = "\n".join(line.text for line in spoken)
    return spoken[0]._replace(text=text, more=len(spoken) - 1)


def find_script(rows: Iterable[dict[str, Any]]) -> Script | None:
    """The script that these rows are, judged by the first of them; None for anything else."""
    head = [row for row in islice(rows, _HEAD) if any(map(is_filled, row.values()))]
    columns = tuple(dict.fromkeys(column for row in head for column in row))
    makers = (_of_columns, _of_lists, _of_texts)
    return next((script for make in makers if (script := make(head, columns))), None)


def _of_columns(head: list[dict[str, Any]], columns: tuple[str, ...]) -> Script | None:
    """One line a row, with a column for the name."""
    names = columns_named(_SPEAKERS, columns)
    spoken = [column for column in columns_named(_LINES, columns) if column not in names]
    shapes = {shape for shape, _ in readings(columns)}
    if not (names and spoken) or shapes - {"text", "messages"}:
        return None
    name, line = names[0], spoken[0]

    def lines_in(row: dict[str, Any]) -> list[Said]:
        return [_said(row.get(name), row.get(line))]

    speakers = Counter(lines_in(row)[0][0] for row in head)
    spoken_rows = len(head) - speakers.pop("", 0)
    recur = len(speakers) > 1 and spoken_rows >= 2 * len(speakers)
    if spoken_rows < _MOSTLY * len(head) or not (recur or columns_named(_SURE_SPEAKERS, [name])):
        return None
    return Script(lines_in, (name, line), False, goes_on="") if speakers else None


def _of_lists(head: list[dict[str, Any]], columns: tuple[str, ...]) -> Script | None:
    """A list of lines a row; each row is a scene."""
    for shape, roles in readings(columns):
        if shape != "messages":
            continue
        column = roles.messages[0]

        def lines_in(row: dict[str, Any], column: str = column) -> list[Said]:
            return [_line_of(turn) for turn in turns_of(row.get(column)) or []]

        scenes = [said for row in head if (said := lines_in(row))]
        lines = sum(map(len, scenes))
        names = [name for said in scenes for name, _ in said if name and not is_known(name)]
        if len(set(names)) > 1 and len(names) >= _MOSTLY * lines and len(scenes) * 2 > len(head):
            return Script(lines_in, (column,), True, goes_on="row")
    return None


def _of_texts(head: list[dict[str, Any]], columns: tuple[str, ...]) -> Script | None:
    """Text whose lines mostly begin with one of a few names; a row is a scene when it usually
    holds more than one line."""
    found = readings(columns)
    shapes = {shape for shape, _ in found}
    if "text" not in shapes or shapes & {"preference", "alpaca", "pairs"}:
        return None
    column = next(roles.text[0] for shape, roles in found if shape == "text")

    def lines_in(row: dict[str, Any]) -> list[Said]:
        lines = _cell(row.get(column)).split("\n")
        return [_named(line) for line in lines if line.strip()]

    texts = [text for row in head if (text := _cell(row.get(column)))]
    if sum(bool(turns_in(text)) for text in texts) * 2 > len(texts):
        return None
    lines = [_named(line) for text in texts for line in text.split("\n") if line.strip()]
    if not _names_recur(Counter(name for name, _ in lines if name), len(lines)):
        return None
    named = [sum(bool(name) for name, _ in lines_in(row)) for row in head]
    scenes = sum(n > 1 for n in named) * 2 >= sum(n > 0 for n in named)
    return Script(
        lines_in, (column,), scenes, "row" if any("\n" in one for one in texts) else "file"
    )


def _names_recur(names: Counter, lines: int) -> bool:
    named = sum(names.values())
    recurring = sum(count for count in names.values() if count > 1)
    return len(names) > 1 and recurring >= _MOSTLY * named and named >= _MOSTLY * lines


def _line_of(turn: Any) -> Said:
    if isinstance(turn, str):
        return _named(turn)
    spoken = columns_named(_LINES, turn) if isinstance(turn, dict) else []
    return _said(role_of(turn), turn[spoken[0]]) if spoken else ("", "")


def _said(who: Any, text: Any) -> Said:
    said = _cell(who), _cell(text)
    return said if all(said) else ("", "")


def _named(line: str) -> Said:
    found = _NAMED_LINE.fullmatch(line)
    return (found["name"], found["text"]) if found else ("", line.strip())


def _cell(value: Any) -> str:
    return str(value).strip() if isinstance(value, str | int | float) else ""
