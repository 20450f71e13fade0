"""Long work on a thread of its own: who asks how far it is gets an answer at once."""

import threading
import time
from collections.abc import Callable
from typing import Any

_PATIENCE_SECONDS = 5


class _Abandoned(Exception):
    """Nobody has asked for a while: whoever wanted it has left."""


class Job:
    """`work` is called with a function that takes its progress: a share of one, and what is known
    so far where that is worth showing."""

    def __init__(self, work: Callable[[Callable[..., None]], Any]):
        self._work = work
        self._so_far: dict[str, Any] = {"share": 0.0}
        self._asked = time.monotonic()
        self._report: Any = None
        self._error: Exception | None = None
        self._news = threading.Event()  # what is worth showing, or the end
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def look(self, patience: float = 0.2) -> dict[str, Any]:
        """{"share"} and perhaps {"so_far"} or, when it is done, {"share": 1, "report"}; waits a
        little for either of them. Raises what the work raised.
        """
        self._asked = time.monotonic()
        if not self._ended:
            self._news.wait(patience)
            self._news.clear()
        if not self._ended or isinstance(self._error, _Abandoned):  # that begins anew
            return self._so_far
        if self._error:
            raise self._error
        return {"share": 1.0, "report": self._report}

    @property
    def ended(self) -> bool:
        return self._ended

    @property
    def failed(self) -> bool:
        """Also when it was given up: it begins anew when somebody asks again."""
        return self._error is not None

    def _run(self) -> None:
        try:
            self._report = self._work(self._told)
        except Exception as error:  # for `look` to raise
            self._error = error
        finally:
            self._ended = True
            self._news.set()

    def _told(self, share: float, so_far: Any = None) -> None:
        known = self._so_far.get("so_far") if so_far is None else so_far
        self._so_far = {"share": share} | ({} if known is None else {"so_far": known})
        if so_far is not None:
            self._news.set()
        if time.monotonic() - self._asked > _PATIENCE_SECONDS:
            raise _Abandoned
