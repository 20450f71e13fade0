"""The line of runs on disk: ids in the order in which they came, changed under a lock.

`RUNS_DIR/line.json` names the runs that wait for a device and those that train; which of the two a
run does, and whether its process lives, its own folder says. The lock is the kernel's: it is free
again when its process ends, however it ends.
"""

import json
import os
from pathlib import Path

from filelock import FileLock

_PATIENCE_SECONDS = 60  # the lock is held for milliseconds; a disk that hangs must be an error


def lock(home: Path) -> FileLock:
    """For `with`; not twice in one thread. `home` is the folder of runs."""
    home.mkdir(parents=True, exist_ok=True)
    return FileLock(home / "line.lock", timeout=_PATIENCE_SECONDS)


def read(home: Path) -> list[str]:
    """Ids, first come first; [] when nobody has ever waited, or when the file is not ours any more:
    those who wait then join again."""
    try:
        found = json.loads((home / "line.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return []
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def write(home: Path, ids: list[str]) -> None:
    """Only with the lock held. Replaced atomically."""
    fresh = home / "line.json.new"
    fresh.write_text(json.dumps(ids), encoding="utf-8")
    os.replace(fresh, home / "line.json")


def join(home: Path, run_id: str) -> None:
    """To the end of the line, or where it stands already. Only with the lock held."""
    ids = read(home)
    if run_id not in ids:
        write(home, [*ids, run_id])


def leave(home: Path, run_id: str) -> None:
    """Only with the lock held."""
    ids = read(home)
    if run_id in ids:
        write(home, [one for one in ids if one != run_id])
