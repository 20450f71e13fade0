"""On a GPU: one step of decoding as a CUDA graph over a cache that lies still.

Compiled and captured on a thread of its own after loading; until then, and where it fails or does
not compute what the model computes, answers are decoded step by step as anywhere else.
"""

import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any

import torch
from transformers import AttentionInterface, DynamicCache
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from engine.hardware import runs_kernels
from engine.models import few_rows
from engine.models.attention import knows_boundaries, reads_prompts_whole

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from engine.models.row_lora import RowLora

_NAME = "rows"
# As a share of the logits: rounding to 16 bit at other places makes 0.045 with random weights, the
# worst there are for it; a wrong row, place or voice makes 0.3 and more.
_NEAR = 0.1


def can_capture(model: "PreTrainedModel") -> bool:
    """Whether it is worth trying with this model, where it lies."""
    return (
        runs_kernels(model.device)
        and model.dtype in (torch.bfloat16, torch.float16)
        and knows_boundaries(model)
        and not reads_prompts_whole(model)
        and len({one.device for one in model.parameters()}) == 1
    )


class Captured:
    """For up to `rows` rows and `capacity` tokens in each. `lora`: the adapters' layers, None for
    the base alone."""

    def __init__(self, model: "PreTrainedModel", lora: "RowLora | None", rows: int, capacity: int):
        AttentionInterface.register(_NAME, _attend)
        AttentionMaskInterface.register(_NAME, sdpa_mask)
        model.set_attn_implementation(_NAME)
        self.rows, self.capacity = rows, capacity
        self.lora = lora
        self._model = model
        self._graph: torch.cuda.CUDAGraph | None = None
        self._proved: bool | None = None
        self._lay_out()  # not on the thread: the model answers others meanwhile
        if lora:
            lora.graph_scales(rows)
        self._thread = threading.Thread(target=self._warm, daemon=True)

    def start(self) -> "Captured":
        self._thread.start()
        return self

    def wait(self) -> None:
        """Until the warming has ended, in one way or the other."""
        self._thread.join()

    def ready(self, rows: int, tokens: int) -> bool:
        """Whether it can decode so many rows of so many tokens now; proved at the first asking."""
        if self._thread.is_alive() or self._graph is None:
            return False
        if rows > self.rows or tokens > self.capacity:
            return False
        if self._proved is None:
            self._proved = self._is_right()
        return self._proved

    def begin(self, cache: DynamicCache, starts: list[int], voices: list[int]) -> None:
        """Takes over what the prompts left: a cache whose rows begin at `starts`, and which
        adapter each row takes."""
        rows, length = len(starts), cache.get_seq_length()
        idle = self.rows - rows  # they hear nothing but themselves
        for layer, keys, values in zip(cache.layers, self._keys, self._values, strict=True):
            kept = layer.keys.shape[2]  # less than all where a window slides
            keys[:rows, :, length - kept : length] = layer.keys
            values[:rows, :, length - kept : length] = layer.values
        begun = torch.tensor(starts + [length] * idle)
        self._starts.copy_(begun)
        self._positions.copy_((length - begun)[:, None])
        self._written.fill_(length)
        if self.lora:
            self.lora.take_in_graph(voices + [0] * idle)

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """tokens [rows or fewer] -> logits [rows, vocabulary], overwritten by the next step."""
        self._tokens[: len(tokens), 0].copy_(tokens)
        self._graph.replay()
        return self._logits

    @torch.no_grad()
    def _warm(self) -> None:
        try:
            forward = torch.compile(self._model.forward, dynamic=False)
            stream = torch.cuda.Stream()
            with torch.cuda.stream(stream):
                for _ in range(2):
                    self._decode(forward)
            stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                self._logits = self._decode(forward)
                self._positions += 1
                self._written += 1
            self._graph = graph
        # Compilers and drivers fail in ways of their own; each answer says how it was decoded.
        except Exception as error:
            traceback.print_exception(error)
            why = f"{type(error).__name__}: {error}"
            print(f"Decoding stays step by step, which is slower: {why}", file=sys.stderr)

    @torch.no_grad()
    def _lay_out(self) -> None:
        """The caches, as a look into the model's own shows their shapes."""
        device = self._model.device
        ids = torch.full((1, 2), 3, device=device)
        looked = self._model(input_ids=ids, use_cache=True).past_key_values.layers
        self._keys, self._values = (
            [
                torch.zeros(self.rows, one.shape[1], self.capacity, one.shape[3]).to(one)
                for one in (getattr(layer, name) for layer in looked)
            ]
            for name in ("keys", "values")
        )
        self._tokens = torch.full((self.rows, 1), 3, device=device)
        self._positions = torch.zeros((self.rows, 1), dtype=torch.long, device=device)
        self._starts = torch.zeros(self.rows, dtype=torch.int32, device=device)
        self._written = torch.zeros(1, dtype=torch.int32, device=device)

    def _decode(self, forward: Any) -> torch.Tensor:
        few_rows.count_anew(self._model.device)
        output = forward(
            input_ids=self._tokens,
            position_ids=self._positions,
            use_cache=False,
            row_keys=self._keys,
            row_values=self._values,
            row_starts=self._starts,
            row_written=self._written,
        )
        return output.logits[:, -1]

    @torch.no_grad()
    def _is_right(self) -> bool:
        """Three steps against the model's own, every row with another prompt and voice."""
        device = self._model.device
        voices = list(range(self.rows)) if self.lora else [0] * self.rows
        ids = torch.stack([torch.arange(3, 12, device=device).roll(n) for n in voices])
        if self.lora:
            self.lora.take(voices)
        try:
            cache = DynamicCache(config=self._model.config)
            said = self._model(input_ids=ids, past_key_values=cache, use_cache=True)
            self.begin(cache, [0] * self.rows, voices)
            far = 0.0
            for _ in range(3):
                tokens = said.logits[:, -1].argmax(-1)
                said = self._model(input_ids=tokens[:, None], past_key_values=cache, use_cache=True)
                own, mine = said.logits[:, -1].float(), self.step(tokens).float()
                far = max(far, ((own - mine).norm() / own.norm()).item())
        finally:
            if self.lora:
                self.lora.take(None)
        near = far <= _NEAR
        then = "" if near else ", too much: decoding stays step by step, which is slower"
        print(f"Captured decoding differs by {far:.4f} of the logits{then}.", file=sys.stderr)
        return near


def _attend(
    module, query, key, value, attention_mask, scaling=None, dropout=0.0, row_keys=None, **kwargs
):
    """As any other model attends, unless a step of decoding brings its own cache."""
    if row_keys is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, **kwargs
        )
    layer = module.layer_idx
    out = few_rows.rows_attend(
        query,
        key,
        value,
        row_keys[layer],
        kwargs["row_values"][layer],
        kwargs["row_starts"],
        kwargs["row_written"],
        scaling or query.shape[-1] ** -0.5,
        kwargs.get("sliding_window") or 0,
    )
    return out, None
