"""Rows out of an Excel or OpenDocument workbook: of its first sheet that has some."""

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.dataset.reading.cells import numbers_rows, rows_of_cells
from engine.dataset.reading.plain_values import plain
from engine.dataset.reading.refusal import MAX_UNPACKED, refusal, unpacks_too_large
from engine.errors import UserError

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_READER = Path(__file__).with_name("sheet_process.py")
_LONGEST_SECONDS = 300


def is_workbook(raw: bytes) -> bool:
    """xlsx and ods are zip archives, xls is an OLE container."""
    return raw.startswith((_ZIP, _OLE))


def sheet_rows(raw: bytes, name: str) -> Iterator[dict[str, Any]]:
    """The first line with cells names the columns. Raises UserError for what is no workbook."""
    _guard(raw, name)
    header, *lines = _first_sheet(raw, name) or [[]]
    header = [str(cell) for cell in header]
    yield from rows_of_cells(header, lines, skip_first=numbers_rows(header, lines))


def _first_sheet(raw: bytes, name: str) -> list[list[Any]]:
    """The lines of the first sheet that has more than a header; [] when none has."""
    # -P: this folder holds an inspect.py, which would stand before Python's own.
    command = [sys.executable, "-P", str(_READER)]
    try:
        done = subprocess.run(command, input=raw, capture_output=True, timeout=_LONGEST_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise _no_workbook(name) from error
    if done.returncode:
        raise _no_workbook(name)
    return [[_cell(cell) for cell in json.loads(line)] for line in done.stdout.splitlines()]


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
