"""One step of decoding as a CUDA graph over a cache that lies still: a GPU then waits for nothing
that the host does, which for many rows takes longer than the step itself."""

import functools
import sys
import threading
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from transformers import AttentionInterface, DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from engine.chat.cache import GrowingLayer
from engine.hardware import runs_kernels
from engine.models import few_rows
from engine.models.attention import knows_boundaries, reads_prompts_whole
from engine.models.positions import window_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_NAME = "rows"
# As a share of the logits: rounding to 16 bit at other places makes 0.045 with random weights, the
# worst there are for it; a wrong row, place or voice makes 0.3 and more.
_NEAR = 0.1
# Before a capture all that a GPU has to do is waited for, which another capture would not survive.
_CAPTURING = threading.Lock()
# That keep the keys and values of tokens and nothing else.
_PLAIN = (DynamicLayer, DynamicSlidingWindowLayer, GrowingLayer)
_ALIGNED = 16  # tokens; the kernels are compiled anew for a capacity that is not


def can_capture(model: "PreTrainedModel") -> bool:
    """Whether it is worth trying with this model, where it lies."""
    return (
        runs_kernels(model.device)
        and model.dtype in (torch.bfloat16, torch.float16)
        and knows_boundaries(model)
        and not reads_prompts_whole(model)
        and len({one.device for one in model.parameters()}) == 1
    )


class Graph:
    """For up to `rows` rows and `capacity` tokens in each, not captured yet. `cache`: one of the
    model's own, whose layers show their shapes. Raises RuntimeError for a model that keeps other
    things than keys and values of one width (hybrids; latent attention)."""

    def __init__(self, model: "PreTrainedModel", cache: DynamicCache, rows: int, capacity: int):
        if not all(type(x) in _PLAIN and x.keys.shape == x.values.shape for x in cache.layers):
            raise RuntimeError("This model keeps other things than keys and values of one width.")
        AttentionInterface.register(_NAME, _attend)
        AttentionMaskInterface.register(_NAME, sdpa_mask)
        model.set_attn_implementation(_NAME)
        self.rows, self.capacity = rows, -(-capacity // _ALIGNED) * _ALIGNED
        self._graph: torch.cuda.CUDAGraph | None = None
        device = model.device
        self._windows = [getattr(layer, "sliding_window", None) or 0 for layer in cache.layers]
        self._last = (window_of(model.config) or self.capacity) - 1
        self._keys, self._values = (
            [
                one.new_zeros(rows, one.shape[1], self.capacity, one.shape[3])
                for one in (getattr(layer, name) for layer in cache.layers)
            ]
            for name in ("keys", "values")
        )
        self._tokens = torch.full((rows, 1), 3, device=device)
        self._positions = torch.zeros((rows, 1), dtype=torch.long, device=device)
        self._starts = torch.zeros(rows, dtype=torch.int32, device=device)
        self._written = torch.zeros(1, dtype=torch.int32, device=device)

    @property
    def captured(self) -> bool:
        return self._graph is not None

    def begin(self, cache: DynamicCache, starts: list[int]) -> None:
        """Takes over what the prompts left: a cache whose rows begin at `starts`."""
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

    def capture(self, forward: Callable) -> None:
        """What `forward`, the model's own or compiled, does in one step."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(2):
                self._decode(forward)
        stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        recording = torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local")
        with _CAPTURING, recording:
            self._logits = self._decode(forward)
            self.advance()
        self._graph = graph

    def advance(self) -> None:
        """To the next place. What has ended goes on beside the others, and may know none after its
        last."""
        self._positions.add_(1).clamp_(max=self._last)
        self._written += 1

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """tokens [rows or fewer] -> logits [rows, vocabulary], overwritten by the next step."""
        self._tokens[: len(tokens), 0].copy_(tokens)
        self._graph.replay()
        return self._logits

    def _decode(self, forward: Callable) -> torch.Tensor:
        few_rows.count_anew(self._tokens.device)
        output = forward(
            input_ids=self._tokens,
            position_ids=self._positions,
            use_cache=False,
            row_keys=self._keys,
            row_values=self._values,
            row_windows=self._windows,
            row_starts=self._starts,
            row_written=self._written,
        )
        return output.logits[:, -1]


def going_on(
    model: "PreTrainedModel", cache: DynamicCache, starts: list[int], room: int
) -> Graph | None:
    """The step that goes on for `room` tokens from what prompts left, captured as it is: no
    compiler is waited for. None, said in the log, for a model that cannot be captured."""
    # Without a mask Transformers asks the GPU whether rows share a sequence; none is looked at.
    mask = torch.ones(len(starts), 1, 1, 1, dtype=torch.bool, device=model.device)
    try:
        graph = Graph(model, cache, len(starts), cache.get_seq_length() + room)
        graph.begin(cache, starts)
        graph.capture(functools.partial(model.forward, attention_mask=mask))
    except torch.OutOfMemoryError:
        raise
    # Drivers fail in ways of their own, and so do models that ask the host in their midst.
    except Exception as error:
        say_why_not(error)
        return None
    return graph


def say_why_not(error: Exception) -> None:
    """Into the log; each answer says how it was decoded."""
    traceback.print_exception(error)
    why = f"{type(error).__name__}: {error}"
    print(f"Decoding stays step by step, which is slower: {why}", file=sys.stderr)


def agree(own: torch.Tensor, captured: torch.Tensor) -> bool:
    """Whether a captured step's logits [rows, vocabulary] are the model's own in every row; said in
    the log."""
    own, captured = own.float(), captured.float()
    far = ((own - captured).norm(dim=-1) / own.norm(dim=-1)).max().item()
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
        # Some models mask beyond a window and do not say so here (Qwen2-MoE).
        kwargs.get("sliding_window") or kwargs["row_windows"][layer],
    )
    return out, None
