"""The card belongs to training: the chat process ends itself when a run begins on its GPU.

It sees so in the files of the runs, so it needs no page: whoever started the run, and whenever its
turn comes, the memory is given back. The chat loads again when it is asked.
"""

import os
import threading
import time

from engine import devices
from engine.places import runs_dir
from engine.training import turns

_LOOK_SECONDS = 1.0


def watch() -> None:
    """From now on, on a thread: ends this process when a run begins that does not train yet."""
    threading.Thread(target=_wait_for_a_run, args=(_training(),), daemon=True).start()


def _wait_for_a_run(before: set[str]) -> None:
    while not (now := _training()) - before:
        before = now
        time.sleep(_LOOK_SECONDS)
    os._exit(0)  # at once: an answer that goes on would hold the memory


def _training() -> set[str]:
    """Ids of the runs on this process's GPU, the first it may use."""
    mine = devices.usable()[0]
    going = turns.going(runs_dir())
    return {run.id for run in going if mine in (run.gpu_ids or [mine])}
