"""Files that another process may be writing just now, or that a broken disk or a hand has damaged:
JSON, JSON Lines, the end of a log."""

import json
from pathlib import Path
from typing import Any


def read_json(path: Path) -> dict[str, Any]:
    """{} where no object can be read: not written yet, or by somebody else."""
    try:
        return _object(path.read_bytes()) or {}
    except OSError:
        return {}


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """The lines that can be read, as `read_lines`."""
    return [row for row in read_lines(path) if row is not None]


def read_lines(path: Path) -> list[dict[str, Any] | None]:
    """A JSON object a line; None for a line that is none. Lines without a sign are left out, and so
    is an unfinished last one: its writer may be writing or have been killed."""
    try:
        *lines, _ = path.read_bytes().split(b"\n")  # it may end within a character
    except OSError:
        return []
    return [_object(line) for line in lines if line.strip()]


def _object(text: bytes) -> dict[str, Any] | None:
    """A JSON object that can be written as text again; None for anything else."""
    try:
        found = json.loads(text.decode())
        if b"\\u" in text:  # half a character can be spelled, and never be shown or sent
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def tail(path: Path, lines: int) -> str:
    """The last lines of a log; "" where there is none."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 65536))
        text = file.read().decode("utf-8", errors="replace")
    return "\n".join(text.rstrip().split("\n")[-lines:])
