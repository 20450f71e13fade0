"""A process of its own that reads a workbook: a broken one makes the reader ask for any memory.

Workbook on stdin; on stdout the lines of its first sheet that has more than a header, one JSON
list each. Exit status 1 for what cannot be read; the system ends it where the memory is spent.
Started by its path, so that it imports nothing of the project.
"""

import contextlib
import io
import json
import sys
from typing import Any

_MOST_MEMORY = 4 * 1024**3


def main() -> int:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
        lines = next(filter(_has_rows, map(_lines(workbook), workbook.sheet_names)), [])
    except (CalamineError, OSError, ValueError, MemoryError):
        return 1
    for line in lines:
        sys.stdout.buffer.write(json.dumps(line, default=_text).encode() + b"\n")
    return 0


def _lines(workbook):
    """A function from a sheet's name to its lines that are not empty."""

    def lines(name: str) -> list[list[Any]]:
        cells = workbook.get_sheet_by_name(name).to_python(skip_empty_area=True)
        return [line for line in cells if any(cell != "" for cell in line)]

    return lines


def _has_rows(lines: list[list[Any]]) -> bool:
    return len(lines) > 1


def _text(value: Any) -> str:
    """Of dates, times and lengths of time."""
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


if __name__ == "__main__":
    with contextlib.suppress(ImportError):  # Windows has no such limits
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    sys.exit(main())
