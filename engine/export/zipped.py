"""Zips made on demand, in the temporary folder or where they are wanted."""

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.export.parcel import pack
from engine.export.source import Source, of_run
from engine.hardware import GIB
from engine.places import temporary_file
from engine.training import checkpoints, runs

_WEIGHTS = (".safetensors", ".gguf")  # they hardly get smaller
_REPORT = ("report*.md", "curves*.svg", "learned.json", "config.yaml")
_PIECE = 1 << 24


def adapter(run_id: str) -> Path:
    """A run's adapter as a zip in the temporary folder. Raises UserError without one."""
    return adapter_of(of_run(run_id), temporary_file(f"{run_id}.zip"))


def adapter_of(source: Source, target: Path) -> Path:
    """The adapter with its card as `target`; no state of training and no path of this machine."""
    with tempfile.TemporaryDirectory(prefix="greenroom-") as folder:
        pack(source, Path(folder))
        _all_of(folder_as(Path(folder), target))
    return target


def report(run_id: str) -> Path:
    """The report in both languages with its pictures, and the card and options behind it."""
    run = runs.get(run_id)
    if not runs.report(run_id):
        raise UserError(
            f"{run.name} has no report yet; it is written when the run ends.",
            f"{run.name} 还没有报告；训练结束时才会生成。",
        )
    target = temporary_file(f"{run.id}-report.zip")
    with tempfile.TemporaryDirectory(prefix="greenroom-") as folder:
        copies = [
            Path(shutil.copy(file, folder))
            for name in _REPORT
            for file in sorted(run.path.glob(name))
        ]
        for one in copies:
            if one.name in ("report.md", "report.zh.md"):  # under the run's present name
                language = "zh" if ".zh" in one.suffixes else "en"
                one.write_text(runs.report(run_id, language), encoding="utf-8")
        _all_of(_written(copies, Path(folder), target))
    return target


def folder_as(folder: Path, target: Path) -> Iterator[dict[str, Any]]:
    """All files of a folder as the zip `target`. Yields {"doing": "packing", "gib", "of_gib"}.
    Raises UserError for a full disk, and then leaves nothing."""
    yield from _written(sorted(one for one in folder.rglob("*") if one.is_file()), folder, target)


def exported(folder: Path) -> Iterator[dict[str, Any]]:
    """A merged model or a GGUF as a zip in the temporary folder; yields as `folder_as`, and at last
    {"file": its path}."""
    target = temporary_file(f"{folder.parent.parent.name}-{folder.name}.zip")  # run, way
    yield from folder_as(folder, target)
    yield {"file": target}


def _written(files: list[Path], root: Path, target: Path) -> Iterator[dict[str, Any]]:
    total, done = sum(one.stat().st_size for one in files), 0
    try:
        _check_room(total, target.parent)
        with zipfile.ZipFile(target, "w") as archive:
            for file in files:
                info = zipfile.ZipInfo.from_file(file, file.relative_to(root))
                stored = file.suffix in _WEIGHTS
                info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
                with file.open("rb") as read, archive.open(info, "w") as out:
                    while piece := read.read(_PIECE):
                        out.write(piece)
                        done += len(piece)
                        yield {"doing": "packing", "gib": done / GIB, "of_gib": total / GIB}
    except BaseException as error:
        target.unlink(missing_ok=True)
        if checkpoints.is_full_disk(error):
            raise _no_room(total, target.parent) from error
        raise


def _check_room(size: int, folder: Path) -> None:
    if size > shutil.disk_usage(folder).free:
        raise _no_room(size, folder)


def _no_room(size: int, folder: Path) -> UserError:
    return UserError(
        f"The zip needs {size / GIB:.1f} GiB on the disk of {folder}, which has not as much; free "
        "some room, or take the files from their folder.",
        f"压缩包需要在 {folder} 所在的磁盘上占用 {size / GIB:.1f} GiB，空间不够；"
        "请腾出空间，或直接到文件夹里取文件。",
        field="out",
    )


def _all_of(steps: Iterator[Any]) -> None:
    for _ in steps:
        pass
