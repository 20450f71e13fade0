"""Rows out of CSV and TSV: whatever stands between the cells, quoted or not, over many lines."""

import csv
import io
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from engine.dataset.reading.cells import numbers_rows, rows_of_cells
from engine.dataset.reading.found import Found
from engine.dataset.reading.refusal import refusal
from engine.errors import UserError

_DELIMITERS = ",\t;"
_LONGEST_CELL = 2**31 - 1  # csv refuses cells above 128 kB unless told otherwise
_LONGEST_NAME = 40  # characters; a longer first line is a sentence
_CHECKED_LINES = 1000


class Style(NamedTuple):
    delimiter: str
    quoting: int

    @property
    def kind(self) -> str:
        return "tsv" if self.delimiter == "\t" else "csv"


def style_of(text: str) -> Style:
    """By the first line: what splits it into the most cells. The comma when nothing does."""
    best = max(_DELIMITERS, key=lambda delimiter: len(_header(text, delimiter)))
    quoting = csv.QUOTE_MINIMAL
    if best == "\t" and '"' in text and _fault(text, best):
        quoting = csv.QUOTE_NONE  # many TSV files know no quotes: a " is a " there
    return Style(best, quoting)


def is_surely_a_table(text: str) -> bool:
    """Whether text that is not called CSV is one: short names, and as many cells in every row."""
    style = style_of(text)
    try:
        lines = [line for line in islice(_lines(text, style), _CHECKED_LINES) if line]
    except csv.Error:
        return False
    header, *others = lines or [[]]
    if len(header) < 2 or not others or any(len(line) != len(header) for line in others):
        return False
    return all(cell == cell.strip() and len(cell) <= _LONGEST_NAME for cell in header)


def separated_rows(text: str, name: str) -> Found:
    """Raises UserError on the way for a single column and for a quote that never closes."""
    style = style_of(text)
    return Found(_rows(text, style, name), style.kind)


def _rows(text: str, style: Style, name: str) -> Iterator[dict[str, Any]]:
    header = next(_lines(text, style), [])
    if len(header) < 2:
        raise _single_column(header, name)
    if style.quoting != csv.QUOTE_NONE and '"' in text:
        _refuse_open_quote(text, style.delimiter, name)
    try:
        is_numbered = numbers_rows(header, _body(text, style))
        yield from rows_of_cells(header, _body(text, style), skip_first=is_numbered)
    except csv.Error as error:
        raise refusal(
            f"{name} is no CSV that can be read ({error}); save it again as CSV in UTF-8.",
            f"{name} 不是能读取的 CSV（{error}）；请重新另存为 UTF-8 编码的 CSV。",
        ) from error


def _lines(text: str, style: Style, strict: bool = False) -> "csv.Reader":
    csv.field_size_limit(_LONGEST_CELL)
    source = io.StringIO(text.lstrip("\r\n "), newline="")
    return csv.reader(source, delimiter=style.delimiter, quoting=style.quoting, strict=strict)


def _body(text: str, style: Style) -> Iterator[list[str]]:
    return (line for line in islice(_lines(text, style), 1, None) if line)


def _header(text: str, delimiter: str) -> list[str]:
    style = Style(delimiter, csv.QUOTE_MINIMAL)
    try:
        return next(_lines(text, style, strict=True), [])
    except csv.Error:
        return []


def _fault(text: str, delimiter: str) -> tuple[str, int] | None:
    """The first thing that is not as CSV should be, and the line on which its row begins."""
    reader = _lines(text, Style(delimiter, csv.QUOTE_MINIMAL), strict=True)
    begins_at = 1
    try:
        for _ in reader:
            begins_at = reader.line_num + 1
    except csv.Error as error:
        return str(error), begins_at
    return None


def _refuse_open_quote(text: str, delimiter: str, name: str) -> None:
    """A quote that never closes would make one cell of all that follows it, without a word."""
    fault = _fault(text, delimiter)
    if fault and fault[0] == "unexpected end of data":
        raise refusal(
            f'{name} has a quote (") that never closes, in the row that begins at line '
            f"{fault[1]}; close it, or write it twice where it belongs to the text.",
            f'{name} 从第 {fault[1]} 行开始的那一行里有一个双引号（"）没有配对；'
            "请补上，若属于文本则写成两个。",
        )


def _single_column(header: list[str], name: str) -> UserError:
    column = (header[0] if header else "").strip()[:30]
    return refusal(
        f"{name} has a single column called {column!r}; a CSV needs a column for "
        "the question and one for the answer, with their names in its first line.",
        f"{name} 只有一列 {column!r}；CSV 需要问题和回答各一列，第一行写列名。",
    )
