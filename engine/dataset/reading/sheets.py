"""Rows out of an Excel or OpenDocument workbook: of its longest sheet, and of those like it."""

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from engine.dataset.reading.cells import column_names, numbers_rows, rows_of_cells
from engine.dataset.reading.found import Found
from engine.dataset.reading.plain_values import plain
from engine.dataset.reading.refusal import MAX_UNPACKED, refusal, unpacks_too_large
from engine.errors import Sentence, UserError

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_READER = Path(__file__).with_name("sheet_process.py")
_LONGEST_SECONDS = 300
_NAMED_SHEETS = 5


class _Sheet(NamedTuple):
    name: str
    lines: list[list[Any]]  # those that are not empty; the first names the columns

    def header(self) -> list[str]:
        return [str(cell) for cell in self.lines[0]]


def is_workbook(raw: bytes) -> bool:
    """xlsx and ods are zip archives, xls is an OLE container."""
    return raw.startswith((_ZIP, _OLE))


def sheet_rows(raw: bytes, name: str) -> Found:
    """Sheets of the same columns are read one after the other, as splits; others are named in a
    note. Raises UserError for what is no workbook."""
    _guard(raw, name)
    found, sheets = Found((), "excel"), _sheets(raw, name)
    if not sheets:
        return found
    longest = max(sheets, key=lambda sheet: len(sheet.lines))
    columns = set(column_names(longest.header()))
    read = [sheet for sheet in sheets if set(column_names(sheet.header())) == columns]
    others = [sheet for sheet in sheets if set(column_names(sheet.header())) != columns]
    if others:
        found.notes.append(_not_read(read, others))
    found.rows = _rows(read, found.splits) if len(read) > 1 else _rows_of_sheet(longest)
    return found


def _rows(sheets: list[_Sheet], splits: dict[str, tuple[int, int]]) -> Iterator[dict[str, Any]]:
    begin = 0
    for sheet in sheets:
        rows = list(_rows_of_sheet(sheet))
        splits[sheet.name] = (begin, begin + len(rows))
        begin += len(rows)
        yield from rows


def _rows_of_sheet(sheet: _Sheet) -> Iterator[dict[str, Any]]:
    header, lines = sheet.header(), sheet.lines[1:]
    return rows_of_cells(header, lines, skip_first=numbers_rows(header, lines))


def _not_read(read: list[_Sheet], others: list[_Sheet]) -> Sentence:
    used = _listed([repr(sheet.name) for sheet in read])
    left = _listed([f"{sheet.name!r} ({len(sheet.lines)})" for sheet in others])
    return Sentence(
        f"Sheets read from the workbook: {used}. Sheets not read (lines of each): {left}; their "
        "columns are others. Save such a sheet as a file of its own to use it.",
        f"读取的工作表：{used}。以下工作表的列不同，没有读取（括号中是行数）：{left}。"
        "要用其中的数据，请把该工作表另存为文件。",
    )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_NAMED_SHEETS]) + " ..." * (len(names) > _NAMED_SHEETS)


def _sheets(raw: bytes, name: str) -> list[_Sheet]:
    """Those that are not empty."""
    # -P: this folder holds an inspect.py, which would stand before Python's own.
    command = [sys.executable, "-P", str(_READER)]
    try:
        done = subprocess.run(command, input=raw, capture_output=True, timeout=_LONGEST_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise _no_workbook(name) from error
    if done.returncode:
        raise _no_workbook(name)
    sheets: list[_Sheet] = []
    for value in map(json.loads, done.stdout.splitlines()):
        if isinstance(value, str):
            sheets.append(_Sheet(value, []))
        else:
            sheets[-1].lines.append([_cell(cell) for cell in value])
    return sheets


def _guard(raw: bytes, name: str) -> None:
    if not raw.startswith(_ZIP):
        return
    try:
        entries = zipfile.ZipFile(io.BytesIO(raw)).infolist()
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError) as error:
        raise _no_workbook(name) from error
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED:
        raise unpacks_too_large(name)


def _no_workbook(name: str) -> UserError:
    return refusal(
        f"{name} is a zip archive or an Office file, but no Excel or OpenDocument table that "
        "can be read; unpack it, or save the table as .xlsx or CSV.",
        f"{name} 是压缩包或 Office 文件，但不是能读取的 Excel 或 OpenDocument 表格；"
        "请解压，或另存为 .xlsx 或 CSV。",
    )


def _cell(value: Any) -> Any:
    """Excel knows no whole numbers: 3 is 3.0 in the file."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return plain(value)
