"""Starting and stopping runs: each is a detached process that outlives the page, or on ZeroGPU a
thread of the page that trains in slots."""

import subprocess
import sys
import time
from pathlib import Path

from engine import devices, measure
from engine.config import TrainConfig
from engine.desk import client as desk
from engine.errors import UserError
from engine.hardware import child_environment, where
from engine.places import runs_dir
from engine.training import line, run_changes, runs, slots

_ROOT = Path(__file__).resolve().parent.parent
_STOP_PATIENCE_SECONDS = 120


def start(config: TrainConfig) -> str:
    """Checks everything, makes the run folder, puts it into the line and starts its process, which
    trains as soon as its device is free; returns the run's id.

    Raises UserError, with the field, for what surely cannot work.
    """
    foretold = desk.estimate(config.to_dict())
    if reasons := foretold["reasons"]:
        raise UserError(reasons[0]["en"], reasons[0]["zh"], reasons[0]["field"])
    if where() == "zerogpu":
        slots.check(foretold)
    try:
        with line.lock(runs_dir()):
            path = runs.create(config, foretold.get("peak_gib"))
            line.join(path.parent, path.name)
            _launch(path, foretold.get("seconds"))
    except OSError as error:
        raise cannot_write(error) from error
    return path.name


def cannot_write(error: OSError) -> UserError:
    return UserError(
        f"The run cannot be written into {runs_dir()} ({error.strerror}); free some room or "
        "choose another folder with RUNS_DIR.",
        f"无法把这次训练写入 {runs_dir()}（{error.strerror}）；"
        "请腾出空间，或用 RUNS_DIR 换一个文件夹。",
    )


def resume(run_id: str) -> None:
    """Goes on from the last complete checkpoint, or from the beginning when there is none; at the
    end of the line. Raises UserError."""
    try:
        run_changes.ended(run_id)  # not while others wait for the line
        _resume(run_id)
    except OSError as error:
        raise cannot_write(error) from error


def _resume(run_id: str) -> None:
    with line.lock(runs_dir()):
        run = runs.get(run_id)
        if not run.can_resume:
            if not run.has_options:
                raise UserError(*run.message)
            raise UserError(
                f"{run.name} is {run.state}; only a stopped or failed run can be resumed.",
                f"{run.name} 的状态是 {run.state}；只有停止或失败的训练可以继续。",
            )
        devices.wanted(run.config.gpu_ids)
        for name in ("stop", "beside"):
            (run.path / name).unlink(missing_ok=True)
        line.leave(run.path.parent, run_id)
        line.join(run.path.parent, run_id)
        fresh = {"message": "", "message_zh": "", "seconds_left": None}
        runs.write_status(run.path, state="queued", pid=None, **fresh)
        _launch(run.path)


def stop(run_id: str) -> None:
    """Asks a run to stop after its step; it saves a checkpoint and its adapter. One that waits in
    line leaves it."""
    run = runs.get(run_id)
    if run.alive:
        (run.path / "stop").touch()


def stop_and_delete(run_id: str) -> None:
    """Ends the run without keeping anything."""
    stop(run_id)
    run = runs.get(run_id)
    deadline = time.monotonic() + _STOP_PATIENCE_SECONDS
    while run.alive and time.monotonic() < deadline:
        time.sleep(0.1)
        run = runs.get(run_id)
    run_changes.delete(run_id)


def _launch(path: Path, seconds: float | None = None) -> None:
    """With the line's lock held: the process cannot write its status before this has. `seconds` of
    training as foretold."""
    measure.give_way()
    if where() == "zerogpu":
        slots.begin(path, seconds)
        return
    with (path / "train.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "engine", "train", str(path)],
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=child_environment(),
        )
    runs.write_status(path, pid=process.pid)
