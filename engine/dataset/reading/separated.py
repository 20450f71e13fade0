"""Rows out of CSV and TSV: whatever stands between the cells, quoted or not, over many lines."""

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from engine.dataset.meaning.columns import readings
from engine.dataset.reading.cells import numbers_rows, rows_of_cells
from engine.dataset.reading.found import Found
from engine.dataset.reading.refusal import refusal
from engine.errors import Sentence

_DELIMITERS = ",\t;"
_NO_DELIMITER = "\x1f"
_SAYS_DELIMITER = re.compile(r'[\r\n ]*"?sep=([^\w"\r\n])"?[ \t]*\r?\n', re.IGNORECASE)
_LEADING_SPACE = re.compile(r"[\r\n ]*")
_QUOTED_BODY = re.compile(r'[^"\r\n]+(?:[\r\n]+"(?:[^"]|"")*+")+\s*')
_FEW_OF_ALL = 0.1  # of the rows may have other cells than the header has names
_NAMED = 5
_LONGEST_CELL = 2**31 - 1  # csv refuses cells above 128 kB unless told otherwise
_LONGEST_NAME = 40  # characters; a longer first line is a sentence
_CHECKED_LINES = 1000


class Style(NamedTuple):
    """`begin` is the character at which the header begins."""

    delimiter: str
    quoting: int
    begin: int

    @property
    def kind(self) -> str:
        return "tsv" if self.delimiter == "\t" else "csv"


def style_of(text: str) -> Style:
    """By the line that Excel writes before the header, or by the header: what splits it into the
    most cells. Where nothing does, the commas in the rows belong to their text."""
    if says := _SAYS_DELIMITER.match(text):
        return Style(says[1], csv.QUOTE_MINIMAL, says.end())
    begin = _LEADING_SPACE.match(text).end()
    styles = [Style(delimiter, csv.QUOTE_MINIMAL, begin) for delimiter in _DELIMITERS]
    style = max(styles, key=lambda style: len(_header(text, style)))
    if len(_header(text, style)) == 1:
        return style._replace(delimiter=_NO_DELIMITER)
    if style.delimiter == "\t" and '"' in text and _fault(text, style):
        return style._replace(quoting=csv.QUOTE_NONE)  # many TSV files know no quotes
    return style


def is_surely_a_table(text: str) -> bool:
    """Whether text that is not called CSV is one: short names, and as many cells in nearly every
    row, or a single column with a name that tells a row, all cells in quotes."""
    if _SAYS_DELIMITER.match(text):
        return True
    style = style_of(text)
    try:
        lines = [line for line in islice(_lines(text, style), _CHECKED_LINES) if line]
    except csv.Error:
        return False
    header, *others = lines or [[]]
    if not others or any(cell != cell.strip() or len(cell) > _LONGEST_NAME for cell in header):
        return False
    if len(header) == 1:
        return bool(readings(tuple(header)) and _QUOTED_BODY.fullmatch(text, style.begin))
    ragged = sum(len(line) != len(header) for line in others)
    return ragged <= (max(1, _FEW_OF_ALL * len(others)) if len(others) > 2 else 0)


def separated_rows(text: str, name: str) -> Found:
    """Raises UserError on the way for a quote that never closes."""
    style = style_of(text)
    found = Found((), style.kind)
    found.rows = _rows(text, style, name, found.notes)
    return found


def _rows(text: str, style: Style, name: str, notes: list[Sentence]) -> Iterator[dict[str, Any]]:
    if style.quoting != csv.QUOTE_NONE and '"' in text and (fault := _fault(text, style)):
        notes.append(_wrong_quote(*fault, name))
    header = next(_lines(text, style), [])
    wide: list[int] = []
    try:
        is_numbered = numbers_rows(header, _body(text, style))
        rows = rows_of_cells(header, _body(text, style), skip_first=is_numbered)
        for number, row in enumerate(rows, start=1):
            if len(row) > len(header):
                wide.append(number)
            yield row
    except csv.Error as error:
        raise refusal(
            f"{name} is no CSV that can be read ({error}); save it again as CSV in UTF-8.",
            f"{name} 不是能读取的 CSV（{error}）；请重新另存为 UTF-8 编码的 CSV。",
        ) from error
    if wide:
        notes.append(_too_wide(wide, len(header)))


def _lines(text: str, style: Style, strict: bool = False) -> "csv.Reader":
    csv.field_size_limit(_LONGEST_CELL)
    source = io.StringIO(text[style.begin :], newline="")
    return csv.reader(source, delimiter=style.delimiter, quoting=style.quoting, strict=strict)


def _body(text: str, style: Style) -> Iterator[list[str]]:
    return (line for line in islice(_lines(text, style), 1, None) if line)


def _header(text: str, style: Style) -> list[str]:
    try:
        return next(_lines(text, style, strict=True), [])
    except csv.Error:
        return []


def _fault(text: str, style: Style) -> tuple[str, int] | None:
    """The first thing that is not as CSV should be, and the line on which its row begins."""
    reader = _lines(text, style, strict=True)
    before = text.count("\n", 0, style.begin)
    begins_at = before + 1
    try:
        for _ in reader:
            begins_at = before + reader.line_num + 1
    except csv.Error as error:
        return str(error), begins_at
    return None


def _wrong_quote(fault: str, line: int, name: str) -> Sentence:
    """Raises UserError for a quote that never closes: it would make one cell of all that follows
    it, without a word."""
    if fault == "unexpected end of data":
        raise refusal(
            f'{name} has a quote (") that never closes, in the row that begins at line '
            f"{line}; close it, or write it twice where it belongs to the text.",
            f'{name} 从第 {line} 行开始的那一行里有一个双引号（"）没有配对；'
            "请补上，若属于文本则写成两个。",
        )
    return Sentence(
        f'A quote (") inside a cell in quotes is not written twice, first in the row that begins '
        f"at line {line}; such quotes are lost or end their cell too early.",
        f'双引号括起的单元格里有未写成两个的双引号（"），首先在从第 {line} 行开始的那一行；'
        "这样的引号会丢失，或使单元格提前结束。",
    )


def _too_wide(rows: list[int], columns: int) -> Sentence:
    named = ", ".join(map(str, rows[:_NAMED])) + " ..." * (len(rows) > _NAMED)
    word = "row" if len(rows) == 1 else "rows"
    return Sentence(
        f"Rows with more cells than there are columns: {len(rows)} ({word} {named}). What is too "
        f'much stands in "column {columns + 1}"; a cell that holds the separator needs quotes (").',
        f"单元格多于列数的行：{len(rows)} 行（第 {named} 行）。多出的内容放在"
        f"“column {columns + 1}”中；含有分隔符的单元格要用双引号括起来。",
    )
