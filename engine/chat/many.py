"""Many conversations answered by every voice, a whole list at once."""

from collections.abc import Callable, Iterator
from typing import Any

from engine.chat.voices import Voices


def answer_many(
    voices: Voices,
    conversations: list[list[dict[str, str]]],
    stopping: Callable[[], bool] = lambda: False,
    **settings: float,
) -> Iterator[dict[str, Any]]:
    """Yields as answers end: {"done", "total", "answers"}, of all (conversation, voice) pairs, the
    answers new since the last time, each with "index" (of the conversation), "voice", and what
    `Voices.answer` says of one. After a stop it ends early.

    Each conversation ends with a user's turn. Raises UserError as `Voices.answer` does.
    """
    total, done = len(conversations) * len(voices.names), 0
    for index, turns in enumerate(conversations):
        if stopping():
            return
        *_, last = voices.answer(dict.fromkeys(voices.names, turns), stopping, **settings)
        done += len(last)
        answers = [{"index": index, "voice": voice} | one for voice, one in last.items()]
        yield {"done": done, "total": total, "answers": answers}
