"""Files that another process may be writing just now: JSON, JSON Lines, the end of a log."""

import json
from pathlib import Path
from typing import Any


def read_json(path: Path) -> dict[str, Any]:
    """{} where nothing can be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not written yet, or by somebody else: nothing is known
        return {}


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """An unfinished last line is skipped: its writer may be writing or have been killed."""
    if not path.is_file():
        return []
    *lines, _ = path.read_bytes().split(b"\n")  # it may end within a character
    return [json.loads(line) for line in lines if line.strip()]


def tail(path: Path, lines: int) -> str:
    """The last lines of a log; "" where there is none."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 65536))
        text = file.read().decode("utf-8", errors="replace")
    return "\n".join(text.rstrip().split("\n")[-lines:])
