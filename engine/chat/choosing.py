"""What each speaker of a batch says next: once for all of them who choose in one way."""

import hashlib
from typing import TYPE_CHECKING

import numpy
import torch
from torch import Tensor

from engine.chat.sampling import draw, processors
from engine.errors import UserError

if TYPE_CHECKING:
    from engine.chat.speaker import Speaker

# They do not change how a token is chosen by its scores.
_OF_EACH = ("seed", "max_new_tokens")


class Choosing:
    """For speakers that begin to answer; each draws by its own random numbers. `device`: where
    scores are."""

    def __init__(self, speakers: "list[Speaker]", device: torch.device):
        self._speakers = speakers
        self._drawn = 0
        lengths = [len(one.prompt_ids) for one in speakers]
        self._longest, room = max(lengths), max(one.room for one in speakers)
        # Prompt and answer, for what looks back. A token of the prompt, once more, changes nothing
        # there; one token is drawn before it is known that the answer has ended.
        ids = [
            one.prompt_ids + one.prompt_ids[:1] * (self._longest - length + room + 1)
            for one, length in zip(speakers, lengths, strict=True)
        ]
        self._ids = torch.tensor(ids, device=device)
        self._ends = torch.tensor(lengths, device=device)[:, None]
        self._group()

    def next(self, scores: Tensor) -> Tensor:
        """The next tokens [rows] by scores [rows, vocabulary] in float32, on their device. Raises
        UserError where the first are no numbers."""
        if not self._drawn:
            self._look(scores.cpu().numpy())
        said = self._ids[:, : self._longest + self._drawn]
        tokens = torch.empty_like(self._ends[:, 0])
        for rows, at, settings, change in self._groups:
            some = change(said[at], scores[at]) if change else scores[at]
            chances = [self._speakers[row].random for row in rows]
            tokens[at] = draw(some, settings["temperature"], chances)
        self._ids.scatter_(1, self._ends + self._drawn, tokens[:, None])
        self._drawn += 1
        return tokens

    def _look(self, first: numpy.ndarray) -> None:
        for speaker, row in zip(self._speakers, first, strict=True):
            if numpy.isnan(row).any():
                raise _no_numbers(speaker.name)
            speaker.checksum = hashlib.sha256(row.tobytes()).hexdigest()[:8]

    def keep(self, rows: list[int], at: Tensor) -> None:
        """Only those rows go on; `at` are the same on the scores' device."""
        self._speakers = [self._speakers[row] for row in rows]
        self._ids, self._ends = self._ids[at], self._ends[at]
        self._group()

    def _group(self) -> None:
        """Rows of the same settings: their numbers, what picks them from a tensor, the settings,
        and what changes scores before the draw."""
        alike: dict[tuple, list[int]] = {}
        for row, speaker in enumerate(self._speakers):
            way = {name: one for name, one in speaker.settings.items() if name not in _OF_EACH}
            alike.setdefault(tuple(way.items()), []).append(row)
        self._groups = []
        for rows in alike.values():
            settings = self._speakers[rows[0]].settings
            at = slice(None)  # all, without a copy
            if len(alike) > 1:
                at = torch.tensor(rows, device=self._ids.device)
            self._groups.append((rows, at, settings, processors(settings)))


def _no_numbers(name: str) -> UserError:
    """Else the first token of the vocabulary would be said again and again."""
    return UserError(
        f"{name} cannot speak: what it computes is not a number (NaN), as where float16 is too "
        "narrow for a model, or weights are broken. Load it in another precision, or choose "
        "another model or checkpoint.",
        f"{name} 无法发声：算出的值不是数字（NaN），多半是 float16 装不下这个模型的数值，"
        "或者权重已损坏。请换一种精度载入，或换一个模型或检查点。",
    )
