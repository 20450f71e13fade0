"""Many conversations answered by every voice: batches of rows, not one after the other."""

from collections.abc import Callable, Iterator
from typing import Any

import torch

from engine.chat.sampling import checked
from engine.chat.speaker import Speaker
from engine.chat.voices import Voices
from engine.errors import is_out_of_memory

# Rows in one batch. A GPU reads its weights once for all of them; a CPU computes each.
_ROWS = {"cuda": 128, "cpu": 16}


def answer_many(
    voices: Voices,
    histories: list[dict[str, list[dict[str, str]]]],
    stopping: Callable[[], bool] = lambda: False,
    own: dict[str, dict[str, float]] | None = None,
    **settings: float,
) -> Iterator[dict[str, Any]]:
    """Yields as answers end: {"done", "total", "answers"}, of all (conversation, voice) pairs, the
    answers new since the last time, each with "index" (of the conversation), "voice", and what
    `Voices.answer` says of one. After a stop it ends early, with what was said until then.

    `histories` holds for each conversation what each voice hears, and `own` the settings in which
    a voice differs from the others, as `Voices.answer` takes them; it raises UserError as that.
    """
    pairs = [
        (voices.speaker(name, turns, checked(settings | (own or {}).get(name, {}))), index)
        for index, heard in enumerate(histories)
        for name, turns in heard.items()
    ]
    total, done = len(pairs), 0
    for batch in _batches(voices, pairs):
        for answers in _ended(voices, batch, stopping):
            done += len(answers)
            yield {"done": done, "total": total, "answers": answers}
        if stopping():
            return


def _batches(
    voices: Voices, pairs: list[tuple[Speaker, int]]
) -> Iterator[list[tuple[Speaker, int]]]:
    """Of voices that one batch can answer, and of prompts of like length, the longest first: what
    memory cannot hold shows at once."""
    rows = _ROWS[voices.device.type]
    index = dict(pairs)
    for group in voices.groups(list(index)):
        group.sort(key=lambda speaker: -len(speaker.prompt_ids))
        own = [(speaker, index[speaker]) for speaker in group]
        for start in range(0, len(own), rows):
            yield own[start : start + rows]


def _ended(
    voices: Voices, pairs: list[tuple[Speaker, int]], stopping: Callable[[], bool]
) -> Iterator[list[dict[str, Any]]]:
    """Answers as they end. Where memory does not hold all rows, halves of them come one after the
    other, from their beginning."""
    batch = voices.batch_of_many([speaker for speaker, _ in pairs])
    told: set[int] = set()
    while len(told) < len(pairs):
        try:
            batch.step()
        except RuntimeError as error:
            left = [pair for number, pair in enumerate(pairs) if number not in told]
            if not is_out_of_memory(error) or len(left) < 2:
                raise
            batch = None  # what it holds is free when the exception is gone too
        if batch is None:
            torch.cuda.empty_cache()
            for half in (left[: len(left) // 2], left[len(left) // 2 :]):
                for speaker, _ in half:
                    speaker.begin_again()
                yield from _ended(voices, half, stopping)
            return
        if stopping():
            for speaker, _ in pairs:
                speaker.stop()
        new = [n for n, (speaker, _) in enumerate(pairs) if speaker.done and n not in told]
        told.update(new)
        if new:
            yield [
                {"index": pairs[n][1], "voice": pairs[n][0].name} | pairs[n][0].snapshot()
                for n in new
            ]
