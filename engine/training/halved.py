"""Micro-steps halved for a whole run: where processes share a model, one whose memory ran out
cannot reach the others, who wait within a layer, so that all begin anew behind a checkpoint."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from engine.training import runs

_FILE = "micro_tokens"


class Halved(Exception):
    """Memory ran out; `tokens` a micro-step may fit."""

    def __init__(self, tokens: int):
        super().__init__(
            f"Memory ran out: from its last checkpoint on the run takes {tokens} tokens a "
            "micro-step, the step and its batch stay as they are. Begun by a launcher in a shell, "
            "it has to be resumed for that."
        )
        self.tokens = tokens


def keep(path: Path, smaller: Halved) -> None:
    """Says it too. Several processes may at once."""
    print(smaller, flush=True)
    (path / _FILE).write_text(str(smaller.tokens))


def kept(path: Path) -> int | None:
    """Tokens of a micro-step, where it had to be halved."""
    with contextlib.suppress(OSError, ValueError):
        return int((path / _FILE).read_text())
    return None


def launched(path: Path, launch: Callable[[], int]) -> int:
    """The exit status of `launch`, which trains the run in several processes and is called again
    as often as they end for smaller micro-steps."""
    while True:
        before = kept(path)
        status = launch()
        if kept(path) == before:
            return status
        # To end the other processes, launchers send them the signal that asks a run to stop.
        (path / "stop").unlink(missing_ok=True)
        runs.write_status(path, state="running", pid=os.getpid(), message="", message_zh="")
