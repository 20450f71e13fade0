"""A process of its own that reads a workbook: a broken one makes the reader ask for any memory.

Workbook on stdin; on stdout each sheet that is not empty: its name as a JSON text, then its lines,
one JSON list each. Exit status 1 for what cannot be read; the system ends it where the memory is
spent.
Started by its path, so that it imports nothing of the project.
"""

import contextlib
import io
import json
import sys
from typing import Any

_MOST_MEMORY = 4 * 1024**3


def main() -> int:
    from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum

    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
        for sheet in workbook.sheets_metadata:
            if sheet.typ != SheetTypeEnum.WorkSheet:  # a chart, or code
                continue
            cells = workbook.get_sheet_by_name(sheet.name).to_python(skip_empty_area=True)
            if lines := [line for line in cells if any(cell != "" for cell in line)]:
                _write(sheet.name, *lines)
    except (CalamineError, OSError, ValueError, MemoryError):
        return 1
    return 0


def _write(*values: Any) -> None:
    for value in values:
        sys.stdout.buffer.write(json.dumps(value, default=_text).encode() + b"\n")


def _text(value: Any) -> str:
    """Of dates, times and lengths of time."""
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


if __name__ == "__main__":
    with contextlib.suppress(ImportError):  # Windows has no such limits
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    sys.exit(main())
