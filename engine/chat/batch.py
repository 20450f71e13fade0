"""Voices that go through the model together: one batch, one cache, a row for each of them."""

from collections import deque
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import torch
from transformers.cache_utils import LinearAttentionCacheLayerMixin

from engine.chat.choosing import Choosing
from engine.chat.graph import Graph, agree, going_on
from engine.chat.speaker import Speaker
from engine.chat.tuned import Tuned
from engine.transfers import Arriving

if TYPE_CHECKING:
    from engine.chat.captured import Captured


class Batch:
    """`rows` of the model's LoRA layers are told apart where the speakers are several voices;
    otherwise all speak as one voice, whatever its method. With a `captured` step, decoding goes
    through it, and `to_capture` makes one of the batch's own first decoding. On a GPU a token is
    read while the next is computed."""

    def __init__(
        self,
        tuned: Tuned,
        speakers: list[Speaker],
        captured: "Captured | None" = None,
        to_capture: bool = False,
    ):
        self.speakers = speakers
        self.choosing = Choosing(speakers, tuned.base.device)
        self._tuned = tuned
        self._captured: Captured | Graph | None = captured
        self._to_capture = to_capture
        self._scales: list[torch.Tensor] | None = None  # that the step of its own reads
        self._mask = _left_padded(speakers, tuned.base.device)
        self._cache: Any = None
        self._keeps_states = False  # a hybrid, that does not always count places itself (Bamba)
        self._heard = 0  # tokens in the longest row, learned ones and padding too
        self._tokens: torch.Tensor | None = None
        self._unread: deque[tuple[list[Speaker], Arriving]] = deque()
        # Tokens that are not read yet when the next are computed; a CPU does one thing at a time.
        self._ahead = 1 if tuned.base.device.type == "cuda" else 0

    @property
    def done(self) -> bool:
        return all(speaker.done for speaker in self.speakers)

    @torch.inference_mode()
    def step(self) -> None:
        """One forward pass, and a token for each speaker that is not done."""
        scores = self._first() if self._tokens is None else self._next()
        self._tokens = self.choosing.next(scores)
        self._unread.append((self.speakers, Arriving(self._tokens)))
        if len(self._unread) > self._ahead:
            self._read()
        if self._captured is None:
            self._drop_done()

    @property
    def captured(self) -> bool:
        """Whether decoding goes through the captured step."""
        return self._captured is not None

    def _speaking(self) -> AbstractContextManager:
        return self._tuned.speaking([speaker.name for speaker in self.speakers])

    def _first(self) -> torch.Tensor:
        """All prompts at once, padded on the left."""
        longest = max(len(speaker.prompt_ids) for speaker in self.speakers)
        padded = [[0] * (longest - len(s.prompt_ids)) + s.prompt_ids for s in self.speakers]
        ids = torch.tensor(padded, device=self._tuned.base.device)
        heard, virtual = self._tuned.opening(self.speakers[0].name, ids)
        self._cache = heard[self._tuned.cache_name]
        layers = getattr(self._cache, "layers", [])
        self._keeps_states = any(isinstance(x, LinearAttentionCacheLayerMixin) for x in layers)
        if self._mask is not None and virtual:
            ones = self._mask.new_ones(len(ids), virtual)
            self._mask = torch.cat([ones, self._mask], 1)
        length = heard.get("inputs_embeds", ids).shape[1]
        self._heard = len(ids[0]) + virtual
        with self._speaking() as model:
            output = model(**heard, **self._places(length), use_cache=True, logits_to_keep=1)
        if self._captured:
            names = [speaker.name for speaker in self.speakers]
            self._captured.begin(self._cache, self._starts(), self._tuned.voices(names))
            self._cache = None
        return output.logits[:, -1].float()

    def _starts(self) -> list[int]:
        """How much of the left of each row is padding."""
        if self._mask is None:
            return [0] * len(self.speakers)
        return (self._mask == 0).sum(1).tolist()

    def _next(self) -> torch.Tensor:
        if self._captured:
            return self._captured.step(self._tokens)[: len(self.speakers)].float()
        if self._to_capture:
            return self._capture()
        return self._forward()

    def _capture(self) -> torch.Tensor:
        """One step in both ways; the others go through the captured one where they agree."""
        self._to_capture = False
        room = max(speaker.room for speaker in self.speakers) + self._ahead
        with self._speaking() as model:
            graph = going_on(model, self._cache, self._starts(), room)
            self._scales = self._tuned.rows and self._tuned.rows.taken()
        scores = self._forward()
        if graph and agree(scores, graph.step(self._tokens)):
            self._captured, self._cache = graph, None
        return scores

    def _forward(self) -> torch.Tensor:
        if self._mask is not None:
            self._mask = torch.cat([self._mask, self._mask.new_ones(len(self._mask), 1)], 1)
            # Mamba's states lie behind the padding, and it would multiply a token by the mask.
            places = self._places(1) if self._tuned.cache_name == "past_key_values" else {}
        else:
            places = self._tuned.place(self._tokens, self._heard) if self._keeps_states else {}
        self._heard += 1
        heard = {"input_ids": self._tokens[:, None], self._tuned.cache_name: self._cache}
        with self._speaking() as model:
            output = model(**heard, **places, use_cache=True, logits_to_keep=1)
        return output.logits[:, -1].float()

    def _places(self, length: int) -> dict[str, torch.Tensor]:
        """The mask and each row's own positions, where rows differ in length."""
        if self._mask is None:
            return {}
        return {"attention_mask": self._mask} | self._tuned.positions(self._mask, length)

    def _read(self) -> None:
        speakers, tokens = self._unread.popleft()
        for speaker, token in zip(speakers, tokens.read().tolist(), strict=True):
            speaker.hear(token)

    def _drop_done(self) -> None:
        """Who has ended costs nothing from here on."""
        left = [row for row, speaker in enumerate(self.speakers) if not speaker.done]
        if not left or len(left) == len(self.speakers):
            return
        rows = torch.tensor(left, device=self._tokens.device)
        self.speakers = [self.speakers[row] for row in left]
        self._tokens = self._tokens[rows]
        self.choosing.keep(left, rows)
        self._cache.reorder_cache(rows)  # which states of a hybrid know too
        if hasattr(self._cache, "prompts"):  # ChatGLM-6B keeps there where each row's prompt ends
            self._cache.prompts = self._cache.prompts.of_rows(rows)
        if self._mask is not None:
            self._mask = self._mask[rows]


def _left_padded(speakers: list[Speaker], device: torch.device) -> torch.Tensor | None:
    """[rows, tokens] with 1 where a row's prompt is; None where all are as long."""
    lengths = [len(speaker.prompt_ids) for speaker in speakers]
    longest = max(lengths)
    if min(lengths) == longest:
        return None
    return torch.tensor([[0] * (longest - n) + [1] * n for n in lengths], device=device)
