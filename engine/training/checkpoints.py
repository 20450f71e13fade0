"""Checkpoints that are whole or do not count: sealed with a marker, rotated only after that.

`checkpoint-N/complete.json` is written last, when everything beside it has reached the disk, and is
taken away first. A folder without it is what a killed process left.
"""

import contextlib
import errno
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from safetensors import SafetensorError, safe_open

from engine.errors import Sentence
from engine.training.kinds import Kinds, is_count, is_number, kept
from engine.training.live_files import read_json

_NAME = re.compile(r"checkpoint-(\d+)")
_MARKER = "complete.json"
_FACTS: Kinds = {"tokens_seen": is_count, "seconds": is_number}
# EFBIG: a limit on the size of files, as `ulimit -f` sets it.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# safetensors and torch say it in words of their own, with no errno to read.
_NO_ROOM_WORDS = re.compile(
    r"os error (28|122|27)\b|No space left|PytorchStreamWriter failed writing|unexpected pos \d+"
)


def sealed(path: Path) -> list[Path]:
    """The whole checkpoints of the run in `path`, oldest first."""
    return sorted((one for one in _folders(path) if (one / _MARKER).is_file()), key=step_of)


def step_of(checkpoint: Path) -> int:
    return int(_NAME.fullmatch(checkpoint.name)[1])


def last_complete(path: Path) -> Path | None:
    """The newest sealed checkpoint of the run in `path` that can be read."""
    return next((one for one in reversed(sealed(path)) if not damaged_file(one)), None)


def damaged_file(checkpoint: Path) -> str:
    """The name of a file that is missing or was cut short, "" when there is none. Only the ends of
    large files are looked at."""
    for name in (_MARKER, "trainer_state.json"):
        if not read_json(checkpoint / name):
            return name
    files = sorted(one for one in checkpoint.rglob("*") if one.is_file())
    return next((one.name for one in files if _is_damaged(one)), "")


def _is_damaged(file: Path) -> bool:
    try:
        if file.name == "adapter_config.json":
            return not read_json(file)
        if file.suffix == ".safetensors":
            with safe_open(file, framework="numpy"):  # its header, against its size
                pass
        elif file.suffix in (".pt", ".pth", ".bin"):
            ZipFile(file).close()  # its directory, at its end
    except (OSError, BadZipFile, SafetensorError):
        return True
    return False


def facts_of(checkpoint: Path | None) -> dict[str, Any]:
    """What was sealed in with it: tokens_seen, seconds; {} without a checkpoint."""
    return kept(read_json(checkpoint / _MARKER), _FACTS) if checkpoint else {}


def seal(checkpoint: Path, facts: dict[str, Any]) -> None:
    """Puts the marker on, when all files are on the disk."""
    for file in sorted(checkpoint.rglob("*")):
        _to_disk(file)
    write_whole(checkpoint / _MARKER, json.dumps(facts))
    _to_disk(checkpoint)
    _to_disk(checkpoint.parent)


def rotate(path: Path, keep: int, best: str | None = None) -> None:
    """Removes all but the `keep` newest sealed ones and the `best`, and what was left unfinished
    before these."""
    kept = sealed(path)[-keep:]
    if not kept:
        return
    for one in _folders(path):
        is_best = best is not None and one.name == Path(best).name
        if one not in kept and not is_best and step_of(one) < step_of(kept[-1]):
            remove(one)


def remove_unfinished(path: Path) -> None:
    """Gives the room back that a checkpoint took which could not be finished."""
    whole = sealed(path)
    for one in _folders(path):
        if one not in whole:
            remove(one)


def unseal(checkpoint: Path) -> None:
    """From now on it counts as one that was never finished."""
    (checkpoint / _MARKER).unlink(missing_ok=True)


def remove(checkpoint: Path) -> None:
    """The marker first: what is left of a folder must not look whole."""
    unseal(checkpoint)
    shutil.rmtree(checkpoint)


def write_whole(file: Path, text: str) -> None:
    """The whole text is there, on the disk, or the file is as it was before."""
    fresh = file.with_name(file.name + ".new")
    with fresh.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    os.replace(fresh, file)


def put_in_place(fresh: Path, folder: Path) -> None:
    """`fresh`, a finished folder, takes the place of `folder`."""
    for file in sorted(fresh.rglob("*")):
        _to_disk(file)
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.is_dir():
        folder.rename(old)
    fresh.rename(folder)
    _to_disk(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def is_full_disk(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, says that a file could not grow."""
    while error:
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            return True
        if _NO_ROOM_WORDS.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def left_by_full_disk(path: Path) -> bool:
    """Whether a run whose process said nothing at its end found no room for it: the status that it
    began to write lies there, torn. What is free now says nothing about then."""
    unsaid = path / "status.json.new"
    return unsaid.exists() and not read_json(unsaid)


def full_disk(path: Path) -> Sentence:
    """Of a run that found no room."""
    last = last_complete(path)
    kept = f"{last.name} is whole" if last else "no checkpoint had been saved yet"
    kept_zh = f"{last.name} 完好" if last else "此前还没有保存过检查点"
    return Sentence(
        f"The disk with {path.parent} is full, so the run stopped; {kept}. Free some room, for "
        "instance by deleting old runs, then resume.",
        f"{path.parent} 所在的磁盘已满，训练停止；{kept_zh}。"
        "请腾出空间（例如删除旧的训练）再继续。",
    )


def _folders(path: Path) -> list[Path]:
    return [one for one in path.iterdir() if _NAME.fullmatch(one.name)]


def _to_disk(path: Path) -> None:
    """fsync of a file or of a folder's names; not every file system knows the latter."""
    handle = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError if path.is_dir() else ()):
            os.fsync(handle)
    finally:
        os.close(handle)
