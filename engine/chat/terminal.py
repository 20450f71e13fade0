"""A conversation in a terminal, or over a pipe: a line is asked of every voice, which all stream.

The voices speak at once; they are written one below the other, each as far as it has come. `clear`
begins anew, `stop` leaves. Ctrl+C stops an answer; a second one, or one at the prompt, leaves.
"""

import contextlib
import io
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TextIO

from engine.dataset.prompt import with_system
from engine.errors import UserError

if TYPE_CHECKING:
    from engine.chat.voices import Voices

Turn = dict[str, Any]
_PROMPT = "> "


def talk(
    voices: "Voices",
    systems: dict[str, str],
    greeting: str,
    settings: dict[str, float],
    out: TextIO | None,
) -> list[Turn]:
    """Reads standard input until `stop` or its end; every voice begins every conversation with the
    greeting, where there is one, under its system prompt.
    Returns the turns since the last `clear`: {"question", "answers"} as `chat --json` gives them.
    With `out` None nothing is streamed. What cannot be answered is said on standard error."""
    turns: list[Turn] = []
    before = [{"role": "assistant", "content": greeting}] if greeting else []
    if sys.stdin.isatty():
        print(f"{', '.join(voices.names)}. clear begins anew, stop leaves.", file=sys.stderr)
    _greet(greeting, out)
    with contextlib.suppress(KeyboardInterrupt):
        for line in _lines():
            question = line.strip()
            if question == "stop":
                break
            if question == "clear":
                turns = []
                _greet(greeting, out)
            elif question:
                try:
                    histories = {
                        name: with_system([*before, *_said(turns, number, question)], systems[name])
                        for number, name in enumerate(voices.names)
                    }
                    turns.append(_turn(voices, histories, question, settings, out))
                except UserError as error:
                    print(error, file=sys.stderr)
    return turns


def _lines() -> Iterable[str]:
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # one bad line does not end the talk
    return _typed() if sys.stdin.isatty() else sys.stdin


def _typed() -> Iterator[str]:
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  what gives input() a history and its arrow keys
    with contextlib.suppress(EOFError):
        while True:
            yield input(_PROMPT)


def _greet(greeting: str, out: TextIO | None) -> None:
    if greeting and out:
        print(greeting, file=out, flush=True)


def _turn(voices, histories: dict[str, list], question: str, settings, out) -> Turn:
    answers: dict[str, dict] = {}
    with _interruptible() as interrupted:
        page = _Page(voices.names, out)
        for answers in voices.answer(histories, interrupted.is_set, **settings):
            page.show(answers)
    return {
        "question": question,
        "answers": [{"voice": name} | one for name, one in answers.items()],
    }


def _said(turns: list[Turn], number: int, question: str) -> Iterator[dict[str, str]]:
    """One voice's conversation so far, and what it is asked now."""
    for turn in turns:
        yield {"role": "user", "content": turn["question"]}
        yield {"role": "assistant", "content": turn["answers"][number]["text"]}
    yield {"role": "user", "content": question}


class _Page:
    """What is written of an answer: a voice has its line once the one above has ended."""

    def __init__(self, names: list[str], out: TextIO | None):
        self._waiting, self._out = list(names), out
        self._written = ""
        self._begun = False

    def show(self, answers: dict[str, dict]) -> None:
        while self._out and self._waiting:
            name = self._waiting[0]
            if not self._begun:
                self._out.write(f"{name}: ")
                self._begun, self._written = True, ""
            text = answers[name]["text"]
            self._out.write(text[len(self._written) :])
            self._written = text
            self._out.flush()
            if not answers[name]["done"]:
                return
            self._out.write("\n")
            self._waiting.pop(0)
            self._begun = False


@contextlib.contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """The first Ctrl+C sets the event, the second one interrupts as ever."""
    asked = threading.Event()

    def stop(number, frame):
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
