"""A stand-in for the module `spaces`, which only Spaces have: what GPU() decorates runs as there:
in a worker forked for the call, whose values come back pickled, and which is ended behind its next
value when nobody listens any more.
"""

import inspect
import multiprocessing
import threading
import types
from queue import Queue

FORK = multiprocessing.get_context("fork")


def stand_in(in_thread: bool) -> types.ModuleType:
    """`asked`: the durations in seconds. `refusal`: raised instead of lending, once it is set.
    `in_thread`: for a process that has computed with torch, which cannot be forked any more."""
    spaces = types.ModuleType("spaces")
    spaces.asked, spaces.refusal = [], None

    def GPU(duration):
        return lambda function: _decorated(function, duration, spaces, in_thread)

    spaces.GPU = GPU
    return spaces


def _decorated(function, duration, spaces, in_thread):
    def lend(arguments, named):
        spaces.asked.append(duration(*arguments, **named))
        if spaces.refusal:
            raise spaces.refusal

    def stream(*arguments, **named):
        lend(arguments, named)
        yield from _worked(function(*arguments, **named), in_thread)

    def once(arguments, named):
        yield function(*arguments, **named)

    def call(*arguments, **named):
        lend(arguments, named)
        (result,) = _worked(once(arguments, named), in_thread)
        return result

    return stream if inspect.isgeneratorfunction(function) else call


def _worked(values, in_thread):
    answers = Queue() if in_thread else FORK.SimpleQueue()
    left = threading.Event() if in_thread else FORK.Event()

    def work():
        try:
            for value in values:
                if left.is_set():
                    break
                answers.put(("value", value))
            answers.put(("end", None))
        except Exception as error:
            answers.put(("error", type(error).__name__))

    worker = (threading.Thread if in_thread else FORK.Process)(target=work, daemon=True)
    worker.start()
    try:
        while True:
            kind, value = answers.get()
            if kind == "error":
                raise RuntimeError(value)
            if kind == "end":
                return
            yield value
    finally:
        left.set()
        worker.join(10)
