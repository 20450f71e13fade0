"""The page's end of measuring: a run's memory tried out in a process that ends with its answer."""

import threading
from collections.abc import Iterator
from typing import Any

from engine import library
from engine.chat import client as chat
from engine.child import Child
from engine.config import TrainConfig
from engine.errors import UserError
from engine.hardware import memory_now, where
from engine.training import runs

_child = Child("engine.training.probe")
_one_at_a_time = threading.Lock()
_given_way = threading.Event()


def measuring(config: TrainConfig) -> Iterator[dict[str, Any]]:
    """Yields what engine.training.probe.probe yields; who stops listening ends it.

    Raises UserError, also while a run trains, and when it gave way to one.
    """
    if not _one_at_a_time.acquire(blocking=False):
        raise UserError(
            "Another measurement is going on; try again when it has ended.",
            "另一次测量正在进行；请等它结束再试。",
        )
    try:
        _given_way.clear()
        _refuse()
        library.require(config.dataset)
        if config.eval_dataset:
            library.require(config.eval_dataset)
        if memory_now()[0].is_gpu:
            chat.unload()  # as before a run; the chat loads again when asked
        yield from _asked(config)
    finally:
        _child.close()
        _one_at_a_time.release()


def _asked(config: TrainConfig) -> Iterator[dict[str, Any]]:
    try:
        yield from _child.ask("measure", values=config.to_dict())
    except UserError:
        if not _given_way.is_set():
            raise
    if _given_way.is_set():  # it died of that, or ended early
        raise UserError(
            "The measurement gave way to the run that was started.",
            "测量已中止，让位给刚开始的训练。",
        )


def give_way() -> None:
    """Ends a measurement, if one is going on: a run wants the device."""
    _given_way.set()
    _child.close()


def _refuse() -> None:
    for run in runs.all_runs():
        if run.alive:
            raise UserError(
                f"{run.name} is training on this device; measure when it has ended.",
                f"{run.name} 正在这台设备上训练；请等它结束再测量。",
            )
    if where() == "zerogpu":
        raise UserError(
            "On a ZeroGPU Space there is no card to measure on; duplicate this Space onto a GPU of "
            "its own, or run Greenroom on your machine.",
            "ZeroGPU Space 没有可供测量的显卡；请把 Space 复制到自己的 GPU 上，或在本机运行。",
        )
