"""A child process that answers questions: JSON lines in, JSON lines out.

The page holds no model; what needs one runs in a child (`python -m MODULE`) that calls `serve`.
A child that dies is started anew at the next question; its death is a sentence, never a dead page.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from engine.errors import UserError, is_out_of_memory
from engine.hardware import child_environment
from engine.imports import without_their_notes

_ROOT = Path(__file__).resolve().parent.parent


class Child:
    """The page's end. One question at a time; `stop` may be called from another thread."""

    def __init__(self, module: str):
        self._module = module
        self._process: subprocess.Popen | None = None
        self._busy = threading.Lock()
        self._writing = threading.Lock()

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ask(self, call: str, **arguments: Any) -> Iterator[Any]:
        """Yields what the call yields. Raises UserError as the child says it, or when it dies."""
        with self._busy:
            self._start()
            process = self._process  # close() from another thread may forget it meanwhile
            self._write({"call": call, "arguments": arguments})
            ended = False
            try:
                for line in process.stdout:
                    answer = json.loads(line)
                    if "value" not in answer:
                        ended = True
                        self._raise(answer.get("error"))
                        return
                    yield answer["value"]
                ended = True
                raise self._died(call)
            finally:
                if not ended:  # whoever listened has left: end the call, read it out
                    self.stop()
                    for line in process.stdout:
                        if "value" not in json.loads(line):
                            break

    def answer(self, call: str, **arguments: Any) -> Any:
        """The last value of a call."""
        value = None
        for one in self.ask(call, **arguments):
            value = one
        return value

    def stop(self) -> None:
        """Asks the running call to end soon; nothing happens when none runs."""
        if self.alive:
            with contextlib.suppress(OSError):
                self._write({"stop": True})

    def close(self) -> None:
        """Ends the process and gives its memory back."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _start(self) -> None:
        if self.alive:
            return
        self._process = subprocess.Popen(
            [sys.executable, "-m", self._module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            cwd=_ROOT,
            env=child_environment(),
        )

    def _write(self, message: dict[str, Any]) -> None:
        with self._writing:
            try:
                self._process.stdin.write(json.dumps(message) + "\n")
                self._process.stdin.flush()
            except (OSError, ValueError):  # it died: the reading end says so
                return

    def _raise(self, error: dict[str, str] | None) -> None:
        if error:
            raise UserError(**error)

    def _died(self, call: str) -> UserError:
        code = self._process.wait() if self._process else 0
        return UserError(
            f"The process that answers '{call}' ended unexpectedly (exit status {code}); most "
            "often memory ran out. Try again, with a smaller model or shorter texts.",
            f"负责“{call}”的进程意外结束（退出码 {code}），多半是内存不足。"
            "请换小一点的模型或短一点的文本再试。",
        )


def serve(calls: dict[str, Callable[..., Iterator[Any]]]) -> None:
    """The child's end: answers until stdin closes. Each call is a generator function; it may ask
    `stopping()` whether to end early."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    without_their_notes()
    os.dup2(2, 1)  # what libraries print must not mix with the answers
    questions = _questions()
    with contextlib.suppress(BrokenPipeError):  # nobody is there to answer any more
        while (question := questions()) is not None:
            for answer in answers(calls, question):
                print(json.dumps(answer), file=out, flush=True)


def answers(calls: dict[str, Callable[..., Iterator[Any]]], question: dict) -> Iterator[dict]:
    """Of a question {"call", "arguments"}: each {"value"} of the call, then {} or its {"error"},
    with which UserError can be made anew."""
    try:
        for value in calls[question["call"]](**question["arguments"]):
            yield {"value": value}
    except Exception as error:  # said at the other end; ours also in the log
        yield {"error": _sentence(error)}
    else:
        yield {}


_stopping = threading.Event()


def stopping() -> bool:
    return _stopping.is_set()


def _questions() -> Callable[[], dict[str, Any] | None]:
    """A thread reads stdin, so that a stop is seen while a call runs; None when stdin closes."""
    import queue

    waiting: queue.Queue = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            message = json.loads(line)
            if "stop" in message:
                _stopping.set()
            else:
                _stopping.clear()  # here: a stop right behind it must not be lost
                waiting.put(message)
        _stopping.set()
        waiting.put(None)

    threading.Thread(target=read, daemon=True).start()
    return waiting.get


def _sentence(error: Exception) -> dict[str, str]:
    if isinstance(error, UserError):
        return error.sentence._asdict() | {"field": error.field, "remedy": error.remedy}
    traceback.print_exception(error)
    if is_out_of_memory(error):
        return {
            "en": "Memory ran out. Choose a smaller or 4-bit model, or shorter answers.",
            "zh": "内存（显存）不足。请选择更小的或 4 比特的模型，或缩短回答。",
            "field": "",
        }
    return {
        "en": f"Something went wrong inside Greenroom: {type(error).__name__}: {error}",
        "zh": f"Greenroom 内部出错：{type(error).__name__}：{error}",
        "field": "",
    }
