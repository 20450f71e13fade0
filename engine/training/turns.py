"""Whose turn it is: each run's own process waits in line until its devices are free.

A device is taken while the process of a run that has had its turn lives; so whatever dies, however
it dies, the next one goes on. Looking and taking happen under the line's lock: no two at once.
"""

import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import psutil

from engine import devices, visitors
from engine.config import TrainConfig
from engine.errors import UserError
from engine.hardware import memory_now
from engine.training import line, living, runs
from engine.training.runs import Run

_LOOK_SECONDS = 0.5


def wait(path: Path) -> list[int] | None:
    """Stands in line until the run in `path` may train. Returns the numbers of its devices (see
    engine.devices), or None when it was asked to stop meanwhile: it is stopped then.

    Raises UserError when another process works on this run, or when a GPU it asks for is not here.
    """
    _stop_by_signal(path)
    with line.lock(path.parent):
        _enter(path)
    told = 0
    while True:
        with line.lock(path.parent):
            if (path / "stop").exists():
                return _leave(path)
            taken = _take(path)
        if taken:
            return taken
        place = runs.view(path).place
        if place != told:
            print(f"Waiting in line for a device: place {place}", flush=True)
        told = place
        time.sleep(_LOOK_SECONDS)


def _leave(path: Path) -> None:
    line.leave(path.parent, path.name)
    runs.write_status(
        path,
        state="stopped",
        message="It was taken out of the line; resume puts it at its end.",
        message_zh="已退出排队；点「继续训练」会重新排到队尾。",
    )


def begin_at_once(path: Path) -> None:
    """For the first of several processes that Accelerate's launcher has started: whoever started
    the launcher has waited, or did not want to. Raises UserError when another process works on
    this run."""
    ours = {process.pid for process in psutil.Process().parents()}
    with line.lock(path.parent):
        _refuse_a_second(path, ours)
        if runs.status_of(path).get("pid") not in ours:  # no process of this run has waited for it
            _forget_wishes(path)
        runs.write_status(path, state="running", turn_at=time.time(), message="", message_zh="")
        line.join(path.parent, path.name)


def move(run_id: str, by: int) -> None:
    """Moves a waiting run by that many places: -1 is one forward. Raises UserError otherwise."""
    if by < 0:
        visitors.keep_order()
    run = runs.get(run_id)
    home = run.path.parent
    with line.lock(home):
        waiting = runs.waiting(home)
        if run_id not in waiting:
            raise _not_waiting(runs.get(run_id))
        at = waiting.index(run_id)
        to = min(max(0, at + by), len(waiting) - 1)
        order = [one for one in waiting if one != run_id]
        order.insert(to, run_id)
        # Those that train stand before all that wait; who is gone falls out.
        on = [one for one in line.read(home) if one not in waiting and _occupies(home / one)]
        line.write(home, on + order)


def beside(run_id: str) -> None:
    """Lets a waiting run begin now, beside those that train. Raises UserError when its predicted
    peak does not fit into the memory that is free."""
    visitors.keep_order()
    run = runs.get(run_id)
    if run.state != "queued":
        raise _not_waiting(run)
    others = going(run.path.parent)
    if run.predicted_gib is None:
        raise UserError(
            f"How much memory {run.name} needs is not known; it keeps its place in line.",
            f"不知道 {run.name} 需要多少内存（显存）；它会继续排队。",
        )
    if not _room_beside(run, others):
        need, free = run.predicted_gib, _free_beside(others)
        least = max(0.0, min(free[one] for one in _asked(run, free)))
        raise UserError(
            f"{run.name} needs about {need:.1f} GiB and {least:.1f} GiB are free beside what "
            "trains now and may still grow; it keeps its place in line.",
            f"{run.name} 大约需要 {need:.1f} GiB，除去正在训练的及其可能增长的部分，"
            f"只剩 {least:.1f} GiB；它会继续排队。",
        )
    (run.path / "beside").touch()


def going(home: Path) -> list[Run]:
    """The runs that have had their turn and whose process lives."""
    return [one for one in _standing(home) if one.state != "queued"]


def _refuse_a_second(path: Path, ours: set[int]) -> None:
    pid = runs.status_of(path).get("pid")
    if pid not in ours and living.is_training(pid, path.name):
        raise UserError(
            f"{path.name} has a process already (id {pid}); stop it before you start another.",
            f"{path.name} 已有进程在运行（进程号 {pid}）；请先停止它。",
        )


def _enter(path: Path) -> None:
    _refuse_a_second(path, {os.getpid()})
    try:
        devices.wanted(TrainConfig.from_yaml(path / "config.yaml").gpu_ids)
    except UserError as error:
        en, zh = error.sentence
        runs.write_status(path, state="failed", pid=None, message=en, message_zh=zh)
        raise
    if runs.status_of(path).get("state") != "queued":  # begun by hand
        _forget_wishes(path)
    fresh = {"message": "", "message_zh": "", "seconds_left": None}
    runs.write_status(path, state="queued", pid=os.getpid(), **fresh)
    line.join(path.parent, path.name)


def _forget_wishes(path: Path) -> None:
    """What an earlier session was asked to do is over."""
    for name in ("stop", "beside"):
        (path / name).unlink(missing_ok=True)


def _take(path: Path) -> list[int] | None:
    """The devices of this run when it is its turn, which it has from then on; else None."""
    line.join(path.parent, path.name)  # somebody may have removed the file
    standing = _standing(path.parent)
    me = next(one for one in standing if one.id == path.name)
    mine = None
    if (path / "beside").exists():
        mine = _room_beside(me, [one for one in standing if one.state != "queued"])
    mine = mine or _share(me, standing)
    if mine:
        (path / "beside").unlink(missing_ok=True)
        runs.write_status(path, state="running", gpu_ids=mine, turn_at=time.time())
        line.write(path.parent, [one.id for one in standing])  # who is gone falls out
    return mine


def _standing(home: Path) -> list[Run]:
    """Those in line whose process lives, or is about to; first come first."""
    found = []
    for run_id in line.read(home):
        with contextlib.suppress(OSError, UserError):  # deleted meanwhile
            found.append(runs.view(home / run_id))
    return [one for one in found if one.alive]


def _occupies(path: Path) -> bool:
    return living.is_alive(runs.status_of(path), path.name)


def _share(me: Run, standing: list[Run]) -> list[int] | None:
    """What is left for `me` when all before it have had theirs: nobody is overtaken on a device."""
    free = set(devices.usable())
    for one in standing:
        if one.state != "queued":
            free -= set(one.gpu_ids or devices.usable())
    for one in standing:
        if one.state != "queued":
            continue
        asked = devices.wanted(one.config.gpu_ids)
        if asked is None:
            given = [devices.emptiest(sorted(free))] if free else None
        else:
            given = asked if set(asked) <= free else None
        if one.id == me.id:
            return given
        free -= set(given or asked or [])  # kept for it, even where it must wait for another
    return None


def _room_beside(me: Run, others: list[Run]) -> list[int] | None:
    """Devices with room for the predicted peak of `me` beside what trains there."""
    if me.predicted_gib is None:
        return None
    free = _free_beside(others)
    asked = _asked(me, free)
    return asked if all(free[one] >= me.predicted_gib for one in asked) else None


def _free_beside(others: list[Run]) -> dict[int, float]:
    """GiB by device. A run that has not logged a step in this session may still grow to its own
    peak: that much counts as gone."""
    memory = memory_now()
    free = {number: memory[number].free_gib for number in devices.usable()}
    for one in others:
        if not one.settled:
            for number in one.gpu_ids or free:
                free[number] -= one.predicted_gib or memory[number].total_gib
    return free


def _asked(me: Run, free: dict[int, float]) -> list[int]:
    """The devices that `me` names, or else the one with the most room."""
    return devices.wanted(me.config.gpu_ids) or [max(free, key=free.get)]


def _not_waiting(run: Run) -> UserError:
    return UserError(
        f"{run.name} is {run.state}; only a run that waits in line can be moved.",
        f"{run.name} 的状态是 {run.state}；只有排队中的训练可以调整。",
    )


def _stop_by_signal(path: Path) -> None:
    """The first SIGTERM or Ctrl+C asks the run to stop as the page does; the second ends it. In a
    thread of the page signals are the page's."""
    if threading.current_thread() is not threading.main_thread():
        return

    def ask(number: int, _frame: object) -> None:
        (path / "stop").touch()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
