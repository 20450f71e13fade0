"""Downloads that the page has begun: each in a process of its own, seen from every open page."""

import threading
from typing import Any

from engine.child import Child
from engine.errors import UserError

_going: dict[str, "_Download"] = {}
_lock = threading.Lock()


class _Download:
    def __init__(self, name: str):
        self.progress: dict[str, Any] | None = None
        self.error: UserError | None = None
        self.ended = False
        self._child = Child("engine.models.sources.process")
        threading.Thread(target=self._follow, args=(name,), daemon=True).start()

    def stop(self) -> None:
        self.ended = True
        self._child.close()

    def _follow(self, name: str) -> None:
        try:
            for progress in self._child.ask("fetch", name=name):
                self.progress = progress
        except UserError as error:
            if not self.ended:  # else it died of being stopped
                self.error = error
        finally:
            self._child.close()
            self.ended = True


def start(name: str) -> None:
    """Begins, or goes on; nothing happens while it is on."""
    with _lock:
        if name not in _going or _going[name].ended:
            _going[name] = _Download(name)


def stop(name: str) -> None:
    """Ends the transfer; what has arrived is kept."""
    with _lock:
        if download := _going.pop(name, None):
            download.stop()


def look(name: str) -> dict[str, Any] | None:
    """How far the download of a model is as `engine.models.sources.fetch` says it, {} before that
    is known; None when none is on. Raises UserError, once, for one that failed."""
    with _lock:
        download = _going.get(name)
        if download is None:
            return None
        if not download.ended:
            return download.progress or {}
        del _going[name]
    if download.error:
        raise download.error
    return None
