"""The process of a run: whether it lives, and which one this is."""

import os
import time
from typing import Any

import psutil

_SECONDS_TO_BEGIN = 10


def is_training(pid: int | None, run_id: str) -> bool:
    """Whether this process lives and works on this run: ids of processes are used again."""
    if not pid:
        return False
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        command = process.cmdline()
        # Who starts a process goes on before the kernel has written down its command.
        begins = not command and time.time() - process.create_time() < _SECONDS_TO_BEGIN
        return begins or any(run_id in part for part in command)
    except psutil.Error:
        return False


def this_process() -> list[float]:
    """For status.json's `page`: the id of this process, and since when it lives."""
    return [os.getpid(), psutil.Process().create_time()]


def is_alive(status: dict[str, Any], run_id: str) -> bool:
    """Whether a run has its process: one of its own, or the page that trains it slot by slot."""
    if not status.get("page"):
        return is_training(status.get("pid"), run_id)
    pid, since = status["page"]
    try:
        return psutil.Process(int(pid)).create_time() == since
    except psutil.Error:
        return False
