"""The chat on ZeroGPU: in place of the chat process, each answer with a GPU lent for it.

A worker that is asked again still holds its base; another one loads it. So every question says what
has to be loaded.
"""

import math
import threading
from collections.abc import Iterator
from multiprocessing.sharedctypes import RawValue
from typing import Any

from engine.chat import process
from engine.child import answers
from engine.errors import UserError
from engine.hardware import not_lent, with_a_lent_gpu

# Seconds, as of slots of training; the longest one is for many questions at once.
_LOADING = 20
_LONGEST, _LONGEST_FOR_MANY = 60, 120
_TOKENS_PER_SECOND = 15  # of each voice; a small base is faster
_TOGETHER = 8  # questions that are answered in the time of one

# Seen in the forked worker as well; without a lock, which a worker that is killed could keep.
_stopped = RawValue("b", 0)


def stopping() -> bool:
    return bool(_stopped.value)


class Lent:
    """As engine.child.Child with engine.chat.process behind it."""

    def __init__(self):
        self._loaded: dict[str, Any] | None = None  # the arguments of `load`
        self._busy = threading.Lock()

    @property
    def alive(self) -> bool:
        """Whether there is something to ask."""
        return self._loaded is not None

    def ask(self, call: str, **arguments: Any) -> Iterator[Any]:
        """Yields what the call yields. Raises UserError, also when no GPU is lent."""
        with self._busy:
            _stopped.value = 0
            if call == "load":
                import engine.chat.voices  # noqa: F401  a worker has what its page has imported

                yield from process.fetched(arguments["model_name_or_path"], stopping)
                self._loaded = arguments
            try:
                yield from _values(_asked(self._loaded, call, arguments))
            except BaseException:
                if call == "load":
                    self._loaded = None
                raise
            finally:
                _stopped.value = 1  # whoever listened may have left

    def stop(self) -> None:
        """Asks the running call to end soon."""
        _stopped.value = 1

    def close(self) -> None:
        """Forgets what is loaded; the worker's memory is ZeroGPU's to take back."""
        self.stop()
        self._loaded = None


def seconds(load: dict[str, Any], call: str, arguments: dict[str, Any]) -> int:
    """For which a GPU is asked: to load, and to answer at the length that is allowed."""
    if call == "load":
        return _LOADING
    own = [one.get("max_new_tokens", 0) for one in arguments.get("own", {}).values()]
    longest_answer = max(arguments["settings"]["max_new_tokens"], *own, 0)
    tokens = longest_answer * math.ceil(arguments.get("count", 1) / _TOGETHER)
    longest = _LONGEST if call == "chat" else _LONGEST_FOR_MANY
    return min(longest, math.ceil(_LOADING + tokens / _TOKENS_PER_SECOND))


@with_a_lent_gpu(seconds)
def _asked(load: dict[str, Any], call: str, arguments: dict[str, Any]) -> Iterator[dict]:
    """In the worker."""

    def loaded_and_asked() -> Iterator[Any]:
        *_, status = process.load(**load, stopping=stopping)
        if call == "load":
            yield status
        else:
            yield from process.CALLS[call](**arguments, stopping=stopping)

    yield from answers({call: loaded_and_asked}, {"call": call, "arguments": {}})


def _values(found: Iterator[dict]) -> Iterator[Any]:
    """Raises UserError for an error among the answers, and for what ZeroGPU itself raises."""
    while True:
        try:
            answer = next(found)
        except Exception as error:
            raise not_lent(error) from error
        if "value" not in answer:
            if error := answer.get("error"):
                raise UserError(**error)
            return
        yield answer["value"]
