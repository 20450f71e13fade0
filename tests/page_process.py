"""The page as a process of its own, and waiting for what it does."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest


class PageProcess:
    """`python app.py` as a person starts it, on a port and in folders of its own.

    `start` again after `kill` finds the same runs at the same address.
    """

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.runs = folder / "runs"
        self.temp = folder / "temp"
        self.log = folder / "page.log"
        self.process = None
        self._environment = {}

    def start(self, **environment):
        """Returns the seconds from the command to the first 200. Started again, it finds the same
        environment."""
        self._environment |= environment
        own = {
            "RUNS_DIR": str(self.runs),
            "GRADIO_TEMP_DIR": str(self.temp),
            "GRADIO_SERVER_PORT": str(self.port),
        }
        kept = {k: v for k, v in os.environ.items() if k not in ("GRADIO_SERVER_NAME", "DISPLAY")}
        begin = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "app.py"],
                cwd=Path(__file__).parent.parent,
                env=kept | own | self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(self._answers, 60, lambda: f"the page answers; its log:\n{self.log.read_text()}")
        return time.monotonic() - begin

    def _answers(self):
        assert self.process.poll() is None, self.log.read_text()
        try:
            with urllib.request.urlopen(self.url, timeout=10) as answer:
                return answer.status == 200
        except urllib.error.HTTPError:  # it wants a password: it is there
            return True
        except OSError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end_runs(self):
        """Runs outlive their page; nothing of a test may."""
        from engine.training.living import is_training
        from engine.training.runs import status_of

        for path in self.runs.glob("*-*-*"):
            pid = status_of(path).get("pid")
            if is_training(pid, path.name):
                os.kill(pid, signal.SIGKILL)
                until(lambda pid=pid, name=path.name: not is_training(pid, name), 20, "it ended")

    def close(self):
        self.kill()
        self.end_runs()


def until(condition, seconds, what):
    """Returns what `condition` returns as soon as it is true; fails with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s: {what() if callable(what) else what}")
        threading.Event().wait(0.2)
    return found
