"""On a GPU: the captured step of a conversation's voices, compiled first.

Compiled and captured on a thread of its own after loading; until then, and where it fails or does
not compute what the model computes, answers are decoded step by step as anywhere else.
"""

import threading
from typing import TYPE_CHECKING

import torch
from torch import _dynamo
from transformers import DynamicCache

from engine.chat.graph import Graph, agree, say_why_not

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from engine.models.row_lora import RowLora


class Captured:
    """For up to `rows` rows and `capacity` tokens in each. `lora`: the adapters' layers, None for
    the base alone."""

    def __init__(self, model: "PreTrainedModel", lora: "RowLora | None", rows: int, capacity: int):
        self.rows, self.capacity = rows, capacity
        self.lora = lora
        self._model = model
        self._proved: bool | None = None
        self._graph: Graph | None = None
        self._thread = threading.Thread(target=self._warm, daemon=True)

    def start(self) -> "Captured":
        # The compiler gives up a function that it has compiled eight times, also for models that
        # are gone.
        _dynamo.reset()
        try:
            self._prepare()  # not on the thread: the model answers others meanwhile
        # Models differ in what they keep of what they have heard.
        except Exception as error:
            say_why_not(error)
        else:
            self._thread.start()
        return self

    @property
    def failed(self) -> bool:
        """Whether it has ended with nothing to show."""
        return not self._thread.is_alive() and not (self._graph and self._graph.captured)

    def wait(self) -> None:
        """Until the warming has ended, in one way or the other."""
        if self._thread.is_alive():
            self._thread.join()

    def serves(self, lora: "RowLora | None", rows: int) -> bool:
        """Whether it decodes `rows` rows with these adapters too, from now on instead of those
        before. What was captured reads them where the others lay."""
        if rows > self.rows or (lora is None) != (self.lora is None):
            return False
        if lora and not lora.adopt(self.lora):
            return False
        self.lora, self._proved = lora, None
        return True

    def ready(self, rows: int, tokens: int) -> bool:
        """Whether it can decode so many rows of so many tokens now; proved at the first asking."""
        if self._thread.is_alive() or self.failed:
            return False
        if rows > self.rows or tokens > self.capacity:
            return False
        if self._proved is None:
            self._proved = self._is_right()
        return self._proved

    def begin(self, cache: DynamicCache, starts: list[int], voices: list[int]) -> None:
        """Takes over what the prompts left: a cache whose rows begin at `starts`, and which
        adapter each row takes."""
        self._graph.begin(cache, starts)
        if self.lora:
            self.lora.take_in_graph(voices + [0] * (self.rows - len(voices)))

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """tokens [rows or fewer] -> logits [rows, vocabulary], overwritten by the next step."""
        return self._graph.step(tokens)

    @torch.no_grad()
    def _prepare(self) -> None:
        ids = torch.full((1, 2), 3, device=self._model.device)
        looked = self._model(input_ids=ids, use_cache=True).past_key_values
        self._graph = Graph(self._model, looked, self.rows, self.capacity)
        if self.lora:
            self.lora.graph_scales(self.rows)

    @torch.no_grad()
    def _warm(self) -> None:
        try:
            self._graph.capture(torch.compile(self._model.forward, dynamic=False))
        # Compilers and drivers fail in ways of their own.
        except Exception as error:
            say_why_not(error)

    @torch.no_grad()
    def _is_right(self) -> bool:
        """Three steps against the model's own, every row with another prompt and voice."""
        device = self._model.device
        rows, count = range(self.rows), self.lora.voices if self.lora else 1
        voices = [row % count for row in rows]
        ids = torch.stack([torch.arange(3, 12, device=device).roll(row) for row in rows])
        if self.lora:
            self.lora.take(voices)
        try:
            cache = DynamicCache(config=self._model.config)
            said = self._model(input_ids=ids, past_key_values=cache, use_cache=True)
            self.begin(cache, [0] * self.rows, voices)
            own, captured = [], []
            for _ in range(3):
                tokens = said.logits[:, -1].argmax(-1)
                said = self._model(input_ids=tokens[:, None], past_key_values=cache, use_cache=True)
                own.append(said.logits[:, -1])
                captured.append(self.step(tokens).clone())
        finally:
            if self.lora:
                self.lora.take(None)
        return agree(torch.cat(own), torch.cat(captured))
