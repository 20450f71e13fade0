"""Fetching a model: what is missing of it, with how far it is, stopped at once, gone on with later.

How far it is is read from the disk, so that whoever waits for another's download sees it too.
"""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from engine.errors import Sentence
from engine.hardware import GIB
from engine.models.sources import hub, modelscope
from engine.models.sources.facts import Facts, bytes_here, check_room, facts, local_folder
from engine.models.sources.files import cache_folder, storage, weights, weights_in
from engine.models.sources.names import Source, is_elsewhere, source_of, wrong

_LOOK_SECONDS = 0.5
_SPEED_LOOKS = 20  # the speed is that of the last ten seconds
_AT_ONCE = 4  # files


def fetch(name: str, stopping: Callable[[], bool] = lambda: False) -> Iterator[dict[str, Any]]:
    """Yields how far it is about twice a second, and ends when all is here or `stopping()`:
    {"model", "done_gib", "total_gib", "gib_per_second", "seconds_left"}, the last two None until
    they are known. Nothing is yielded for what is here. Raises UserError.

    Two processes that want the same model fetch it once.
    """
    if not is_elsewhere(name):
        return
    source = source_of(name)
    if _is_whole(source):
        return
    known = facts(source)
    check_room(source, known)
    meter = _Meter(source, known)
    lock = FileLock(_lock_file(source), thread_local=False)
    while not _taken(lock):
        if stopping():
            return
        yield meter.look()
        time.sleep(_LOOK_SECONDS)
    try:
        if _is_whole(source):  # by whom we waited for
            return
        work = _Work(source, known)
        try:
            while work.going():
                if stopping():
                    return
                yield meter.look()
        finally:
            work.stop()
    finally:
        lock.release()
    if not _is_whole(source):
        raise wrong(
            f"{name} was fetched, but its weights are not whole: its index names files that it "
            "does not hold. Choose another model.",
            f"{name} 已下载，但权重不完整：索引里列出的文件并不存在。请换一个模型。",
        )


def folder_here(name: str, whole: bool) -> Path:
    """The folder of a model with config and tokenizer, or `whole`; fetched where it is not here.
    Raises UserError."""
    source = source_of(name)
    if whole:
        for _ in fetch(name):
            pass
    fetch_small = hub.fetch_small if source.host == "hub" else modelscope.fetch_small
    return local_folder(source) or fetch_small(source.id)


def said(progress: dict[str, Any]) -> Sentence:
    """How far it is, in words."""
    name, done, total = progress["model"], progress["done_gib"], progress["total_gib"]
    en, zh = (
        f"Downloading {name}: {done:.2f} of {total:.2f} GiB",
        f"正在下载 {name}：{done:.2f} / {total:.2f} GiB",
    )
    if progress["seconds_left"] is not None:
        speed, left = progress["gib_per_second"], _clock(progress["seconds_left"])
        en += f", {speed:.3f} GiB/s, {left} left"
        zh += f"，每秒 {speed:.3f} GiB，还剩 {left}"
    return Sentence(en, zh)


class _Work:
    """What is to be fetched, several files at once, on threads of their own."""

    def __init__(self, source: Source, known: Facts):
        self._error: Exception | None = None
        self._stop = threading.Event()
        self._left = deque(self._tasks(source, known))
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(_AT_ONCE)]
        for one in self._threads:
            one.start()

    def _tasks(self, source: Source, known: Facts) -> list[Callable[[], Any]]:
        if source.host == "modelscope":
            return [partial(modelscope.fetch_all, source.id, known.files)]
        return [partial(hub.fetch_small, source.id)] + [
            partial(hub.fetch_file, source.id, known.revision, one, self._stop.wait)
            for one in weights(known.files)
        ]

    def going(self) -> bool:
        """Waits a little for the end. Raises what went wrong."""
        deadline = time.monotonic() + _LOOK_SECONDS
        for one in self._threads:
            one.join(max(0.0, deadline - time.monotonic()))
        if self._error:
            raise self._error
        return any(one.is_alive() for one in self._threads)

    def stop(self) -> None:
        self._stop.set()
        for one in self._threads:
            one.join(1)  # a thread that hangs in the network ends with the process

    def _run(self) -> None:
        try:
            while not self._stop.is_set() and (task := self._next()):
                task()
        except Exception as error:  # for `going` to raise
            self._error = error
            self._stop.set()

    def _next(self) -> Callable[[], Any] | None:
        with contextlib.suppress(IndexError):  # nothing is left
            return self._left.popleft()
        return None


class _Meter:
    def __init__(self, source: Source, known: Facts):
        self._source, self._known = source, known
        self._looks: deque[tuple[float, int]] = deque(maxlen=_SPEED_LOOKS)

    def look(self) -> dict[str, Any]:
        now, done = time.monotonic(), bytes_here(self._source, self._known)
        self._looks.append((now, done))
        begin, before = self._looks[0]
        speed = (done - before) / (now - begin) if now > begin else 0.0
        total = self._known.total
        return {
            "model": self._source.name,
            "done_gib": done / GIB,
            "total_gib": total / GIB,
            "gib_per_second": speed / GIB if speed > 0 else None,
            "seconds_left": (total - done) / speed if speed > 0 else None,
        }


def _is_whole(source: Source) -> bool:
    folder = local_folder(source)
    return bool(folder and weights_in(folder))


def _lock_file(source: Source) -> Path:
    folder = cache_folder() / ".locks" / storage(source.id).name
    if source.host == "modelscope":
        folder = modelscope.folder_of(source.id)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / ".greenroom.lock"


def _taken(lock: FileLock) -> bool:
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    return True


def _clock(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    minutes = f"{rest // 60:02}" if hours else f"{rest // 60}"
    return f"{hours}:{minutes}:{rest % 60:02}" if hours else f"{minutes}:{rest % 60:02}"
