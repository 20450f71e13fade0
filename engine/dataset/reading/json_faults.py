"""What is wrong with a JSON text: every fault, in words, and whether all can be mended surely."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from engine.dataset.reading.json_values import CERTAIN, Broken, Fault, Mending, sequence, walk
from engine.dataset.reading.refusal import NotFlat, refusal
from engine.errors import Sentence, UserError

_NAMED_LINES = 10
_FEW_LINES = 3
_FEW_OF_ALL = 0.01
_AROUND = 30  # characters shown on each side of a fault
_OPEN_LINE = re.compile(r".*[\[{]\s*|[\[\]{}\s,]+")  # a line of an object that goes over several

WRONG = {
    "trailing comma": Sentence(
        "a comma too many before the closing bracket", "右括号前多了一个逗号"
    ),
    "loose comma": Sentence(
        "a comma between objects without a list", "对象之间多了逗号，却没有列表"
    ),
    "missing comma": Sentence("a comma is missing", "缺少逗号"),
    "control": Sentence(
        "a raw line break, tab or control character inside a text",
        "文本里有未转义的换行、制表符或控制字符",
    ),
    "mark": Sentence(
        "a byte order mark in the middle, as joined files have it",
        "中间有字节顺序标记，多半是拼接文件留下的",
    ),
    "no end": Sentence("the closing ] is missing", "缺少结尾的 ]"),
    "cut": Sentence(
        "the file ends inside the row that begins here", "文件在从这里开始的一行中断了"
    ),
    "unclosed": Sentence(
        "a bracket or text that begins here is never closed", "从这里开始的括号或文本没有结束"
    ),
    "separator": Sentence("a comma or a closing bracket is missing", "缺少逗号或右括号"),
    "extra": Sentence("something follows the end of the list", "列表结束后还有内容"),
    "name": Sentence("a name in double quotes is missing", "缺少双引号括起的名称"),
    "colon": Sentence("a colon is missing behind the name", "名称后缺少冒号"),
    "value": Sentence("a value is missing, or is no JSON", "缺少值，或这个值不是 JSON"),
    "escape": Sentence("a backslash that stands for nothing", "无效的反斜杠转义"),
    "no row": Sentence("this line is no object", "这一行不是对象"),
}
_MENDED = {
    "trailing comma": Sentence("commas before a closing bracket taken out", "去掉右括号前的逗号"),
    "loose comma": Sentence("commas between objects taken out", "去掉对象之间的逗号"),
    "missing comma": Sentence("missing commas put in", "补上缺少的逗号"),
    "control": Sentence("line breaks and tabs inside a text escaped", "转义文本里的换行和制表符"),
    "mark": Sentence("byte order marks taken out", "去掉字节顺序标记"),
    "no end": Sentence("closing ] put in at the end", "在结尾补上 ]"),
    "cut": Sentence("rows cut off at the end left out", "去掉结尾不完整的行"),
    "line": Sentence("broken lines left out", "去掉损坏的行"),
}


@dataclass(slots=True)
class Diagnosis:
    """All faults in order of place; `whole` counts the rows that can be kept.

    `left_out` are the line numbers (1-based) of JSON Lines that no mend is certain for; where
    there are some, `by_line` says that the others stand for themselves.
    """

    faults: list[Fault]
    certain: bool
    whole: int
    by_line: bool = False
    left_out: list[int] = field(default_factory=list)


class Line(NamedTuple):
    number: int
    rows: list[Any] | None  # None: no mend is certain
    faults: list[Fault]


def diagnose(text: str) -> Diagnosis:
    """Raises NotFlat for what is nested too deep to be looked at."""
    reader, whole, certain = Mending(text), 0, True
    try:
        for _ in walk(reader):
            whole += 1
    except Broken:
        certain = False
    if not certain and not text.lstrip().startswith("["):
        return _line_by_line(text) or Diagnosis(reader.faults, certain, whole)
    return Diagnosis(reader.faults, certain, whole)


def _line_by_line(text: str) -> Diagnosis | None:
    """None when it is no JSON Lines: its objects go over several lines, or most are broken."""
    faults, left_out, whole = [], [], 0
    for line in lines(text):
        faults += line.faults
        if line.rows is None:
            left_out.append(line.number)
        else:
            whole += len(line.rows)
    if whole < len(left_out) or _go_over_lines(text, left_out):
        return None
    few = max(_FEW_LINES, _FEW_OF_ALL * (whole + len(left_out)))
    return Diagnosis(faults, len(left_out) <= few, whole, by_line=True, left_out=left_out)


def _go_over_lines(text: str, numbers: list[int]) -> bool:
    all_lines = text.split("\n")
    return any(_OPEN_LINE.fullmatch(all_lines[number - 1]) for number in numbers)


def lines(text: str) -> Iterator[Line]:
    """Each line that is not empty, read for itself; faults are placed in the whole text."""
    begin = 0
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            rows, faults = _rows_of_line(line)
            yield Line(number, rows, [Fault(kind, at + begin) for kind, at in faults])
        begin += len(line) + 1


def _rows_of_line(line: str) -> tuple[list[Any] | None, list[Fault]]:
    reader = Mending(line)
    try:
        rows = list(sequence(reader))
    except (Broken, NotFlat):
        return None, reader.faults[-1:] or [Fault("value", 0)]
    if not all(isinstance(row, dict) for row in rows):
        return None, [Fault("no row", 0)]
    if reader.faults and reader.faults[-1].kind == "cut":
        return None, [Fault("unclosed", reader.faults[-1].at)]
    return rows, reader.faults


def mended_rows(text: str, found: Diagnosis) -> Iterator[Any]:
    if not found.by_line:
        return walk(Mending(text))
    return (row for line in lines(text) for row in line.rows or [])


def changes(text: str, found: Diagnosis) -> list[Sentence]:
    """What mending does, a sentence for each kind of fault."""
    places: dict[str, list[int]] = {}
    left_out = set(found.left_out)
    for kind, number in _numbered(text, found.faults):
        if number not in left_out:
            places.setdefault(kind, []).append(number)
    if found.left_out:
        places["line"] = found.left_out
    told = [_counted(_MENDED[kind], numbers) for kind, numbers in places.items()]
    if "cut" in places or "line" in places:
        told.append(Sentence(f"whole rows kept: {found.whole}", f"保留完整的行：{found.whole}"))
    return told


def _numbered(text: str, faults: list[Fault]) -> Iterator[tuple[str, int]]:
    """Each kind with its line number (1-based), counted in one pass: there can be thousands."""
    number, counted_to = 1, 0
    for kind, at in sorted(faults, key=lambda fault: fault.at):
        number += text.count("\n", counted_to, at)
        counted_to = at
        yield kind, number


def _counted(what: Sentence, numbers: list[int]) -> Sentence:
    some = list(dict.fromkeys(numbers))
    named = ", ".join(map(str, some[:_NAMED_LINES]))
    more = len(some) > _NAMED_LINES
    word = "line" if len(some) == 1 else "lines"
    return Sentence(
        f"{what.en}: {len(numbers)} ({word} {named}{' ...' if more else ''})",
        f"{what.zh}：{len(numbers)} 处（第 {named.replace(', ', '、')}{' ……' if more else ''} 行）",
    )


def broken(text: str, name: str, found: Diagnosis) -> UserError:
    """The first fault by line and column with the text around it, and what can be done."""
    kind, at = next(
        (fault for fault in found.faults if not found.certain and fault.kind not in CERTAIN),
        found.faults[0],
    )
    line_begin = text.rfind("\n", 0, at) + 1
    line_end = text.find("\n", at)
    line_end = len(text) if line_end < 0 else line_end
    around = text[max(line_begin, at - _AROUND) : min(line_end, at + _AROUND)].strip()
    line, column = text.count("\n", 0, at) + 1, at - line_begin + 1
    how_many = _share(found)
    advice = _advice(text, found)
    return refusal(
        f"{name} is broken at line {line}, column {column} ({WRONG[kind].en}), "
        f"near {around!r}{how_many.en}. {advice.en}",
        f"{name} 在第 {line} 行第 {column} 列有错（{WRONG[kind].zh}），"
        f"附近是 {around!r}{how_many.zh}。{advice.zh}",
        remedy="mend" if found.certain else "",
    )


def _share(found: Diagnosis) -> Sentence:
    if not found.left_out:
        return Sentence("", "")
    bad, all_rows = len(found.left_out), len(found.left_out) + found.whole
    return Sentence(
        f"; {bad} of its {all_rows} rows cannot be read",
        f"；共 {all_rows} 行，其中 {bad} 行读不了",
    )


def _advice(text: str, found: Diagnosis) -> Sentence:
    if not found.certain:
        return Sentence(
            "Mend that place and choose the file again.", "请改好这一处，然后重新选择文件。"
        )
    told = changes(text, found)
    return Sentence(
        f"It can be mended: {'; '.join(one.en for one in told)}.",
        f"可以自动修复：{'；'.join(one.zh for one in told)}。",
    )
