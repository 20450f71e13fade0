"""Starting and stopping runs: each is a detached process that outlives the page."""

import subprocess
import sys
import threading
import time
from pathlib import Path

from engine import measure
from engine.chat import client
from engine.config import TrainConfig
from engine.desk import client as desk
from engine.errors import UserError
from engine.hardware import child_environment, memory_now, where
from engine.training import runs

_ROOT = Path(__file__).resolve().parent.parent
_starting = threading.Lock()
_STOP_PATIENCE_SECONDS = 120


def start(config: TrainConfig) -> str:
    """Checks everything, makes the run folder and starts its process; returns the run's id.

    Raises UserError, with the field, for what surely cannot work.
    """
    reasons = desk.estimate(config.to_dict())["reasons"]
    if reasons:
        raise UserError(reasons[0]["en"], reasons[0]["zh"], reasons[0]["field"])
    with _starting:
        _refuse_when_busy()
        path = runs.create(config)
        _launch(path)
    return path.name


def resume(run_id: str) -> None:
    """Goes on from the last complete checkpoint, or from the beginning when there is none."""
    run = runs.get(run_id)
    if not run.can_resume:
        raise UserError(
            f"{run.name} is {run.state}; only a stopped or failed run can be resumed.",
            f"{run.name} 的状态是 {run.state}；只有停止或失败的训练可以继续。",
        )
    with _starting:
        _refuse_when_busy()
        (run.path / "stop").unlink(missing_ok=True)
        runs.write_status(run.path, state="queued", message="", message_zh="")
        _launch(run.path)


def stop(run_id: str) -> None:
    """Asks a run to stop after its step; it saves a checkpoint and its adapter."""
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
    runs.delete(run_id)


def _refuse_when_busy() -> None:
    for run in runs.list_runs():
        if run.alive:
            raise UserError(
                f"{run.name} is training on this device; wait for its end or stop it first.",
                f"{run.name} 正在这台设备上训练；请等它结束，或先停止它。",
            )
    if where() == "zerogpu":
        raise UserError(
            "Training on a ZeroGPU Space is not built yet; duplicate this Space onto a CPU or GPU "
            "of its own, or run Greenroom on your machine.",
            "暂不支持在 ZeroGPU Space 上训练；"
            "请把 Space 复制到自己的 CPU 或 GPU 上，或在本机运行。",
        )


def _launch(path: Path) -> None:
    measure.give_way()
    if memory_now()[0].is_gpu:
        client.unload()  # the card belongs to the training now; the chat loads again when asked
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
