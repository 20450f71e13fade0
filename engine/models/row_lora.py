"""LoRA layers that tell the rows of a batch apart: every row takes the part of its own adapter.

All adapters of a layer lie one after the other along the rank, and what a row takes of each is a
scale: 0 for all but its own, 0 everywhere for the base. So one batch and one copy of the base
answer for all voices at once, and for each exactly as if it were alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from engine.hardware import runs_kernels
from engine.models import few_rows, few_rows_host
from engine.models.frozen import INT8, PLAIN, dense, frozen_weight
from engine.models.fused_lora import is_plain_lora

_SMALL_WEIGHT = 1 << 18  # numbers; the weight then stays in a core's cache from row to row


class RowLora:
    """The LoRA layers of a model, for `names`: the adapters, in the order that `take` counts in
    from 1 on; 0 is the base."""

    def __init__(self, layers: dict[str, LoraLayer], names: list[str], dtype: torch.dtype):
        self.layers = layers
        self.voices = 1 + len(names)  # with the base
        self._shares: dict[tuple, _Share] = {}  # layers with adapters of the same ranks have one
        self._voices: list[int] | None = None
        for layer in layers.values():
            layer.row_a, layer.row_b, key = _stacked(layer, names, dtype)
            layer.row_b_turned = layer.row_b.t()
            layer.base_product = _product(layer.get_base_layer())
            layer.each = _Each.of(layer)
            layer.graph_scales = None
            layer.kernels = runs_kernels(layer.row_a.device) and few_rows.fits(
                *frozen_weight(layer.get_base_layer())[::2]
            )
            if key not in self._shares:
                self._shares[key] = _Share(_table(key, names, layer.row_a))
            layer.share = self._shares[key]
            layer.__class__ = _telling(type(layer))

    def take(self, voices: list[int] | None) -> None:
        """Which adapter each row of the next batches takes; None: rows are not told apart."""
        if voices is not None and voices != self._voices:  # most often it is as in the step before
            self._voices = voices
            for share in self._shares.values():
                share.scales = share.table[torch.tensor(voices, device=share.table.device)]
                share.scales_of_each = share.scales.unsqueeze(1)
        for share in self._shares.values():
            share.taken = voices is not None
            share.none_speaks = share.taken and not any(voices)

    def taken(self) -> list[Tensor]:
        """What says which adapter each row takes now: a CUDA graph that was captured so reads it
        for as long as it is used."""
        return [share.scales for share in self._shares.values()]

    @torch.inference_mode()
    def adopt(self, before: "RowLora") -> bool:
        """Takes over the memory in which another's adapters lay, and what a CUDA graph knows of
        it; says whether all had the same shapes and scales in common, else nothing is changed."""
        pairs = [(one, before.layers.get(name)) for name, one in self.layers.items()]
        if len(self.layers) != len(before.layers) or any(
            old is None or old.row_a.shape != new.row_a.shape or old.row_b.shape != new.row_b.shape
            for new, old in pairs
        ):
            return False
        # A graph reads one scale for the layers that had one before; these must have one now.
        met = {(id(old.graph_scales), id(new.share)) for new, old in pairs}
        if len(met) > len({scales for scales, _ in met}):
            return False
        for new, old in pairs:
            new.row_a, new.row_b = old.row_a.copy_(new.row_a), old.row_b.copy_(new.row_b)
            new.row_b_turned = new.row_b.t()
            new.graph_scales = old.graph_scales
        return True

    def graph_scales(self, rows: int) -> None:
        """Gives compiled code scales of its own, which stay where they are."""
        tables = {one: one.table for one in self._shares.values()}
        own = {one: table.new_zeros(rows, table.shape[1]) for one, table in tables.items()}
        for layer in self.layers.values():
            layer.graph_scales = own[layer.share]

    def take_in_graph(self, voices: list[int]) -> None:
        done = set()
        for layer in self.layers.values():
            if id(layer.graph_scales) not in done:
                done.add(id(layer.graph_scales))
                table = layer.share.table
                layer.graph_scales.copy_(table[torch.tensor(voices, device=table.device)])


def tell_apart(model: nn.Module, names: list[str]) -> RowLora | None:
    """Gives every adapter layer of a PEFT model the row-wise forward. None, and nothing is changed,
    for methods whose layers are not a plain pair of products beside a linear layer."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    found = {n: one for n, one in model.named_modules() if isinstance(one, BaseTunerLayer)}
    if not found or not all(isinstance(one, LoraLayer) for one in found.values()):
        return None
    if not all(is_plain_lora(one) for one in found.values()):
        return None
    if any(getattr(one, "modules_to_save", None) for one in model.modules()):
        return None
    return RowLora(found, names, model.dtype)


def read_frozen(model: nn.Module) -> None:
    """Linear layers that a step of decoding reads once for all rows, where the kernels run, and in
    the faster of two ways on a processor; and quantised ones compute as in training, with the
    weight unpacked on the way: bitsandbytes' own 8-bit product looks at all rows of a batch to
    choose what it rounds, so that a voice's answer would depend on its neighbours'. For inference.
    """
    from bitsandbytes.nn import Linear4bit, Linear8bitLt

    for module in model.modules():
        quantised = isinstance(module, Linear4bit | Linear8bitLt)
        if not (quantised or type(module) is nn.Linear):
            continue
        kernels = runs_kernels(module.weight.device) and few_rows.fits(*frozen_weight(module)[::2])
        on_host = not quantised and few_rows_host.fits(module.weight)
        if quantised or kernels or on_host:
            module.kernels, module.on_host = kernels, on_host
            module.__class__ = _reading(type(module))


def _stacked(
    layer: LoraLayer, names: list[str], dtype: torch.dtype
) -> tuple[Tensor, Tensor, tuple]:
    """a [rank, in] and b [out, rank] of all adapters, and ((name, rank, scale), ...)."""
    have = [name for name in names if name in layer.lora_A]
    a = [layer.lora_A[name].weight.data for name in have]
    b = [layer.lora_B[name].weight.data for name in have]
    key = tuple(
        (name, part.shape[0], layer.scaling[name]) for name, part in zip(have, a, strict=True)
    )
    rank = sum(part.shape[0] for part in a)
    full = max(few_rows.SMALLEST_RANK, 1 << max(rank - 1, 0).bit_length())
    if not a[0].is_cuda:
        full = rank  # kernels want a power of two, a matrix product wants no more than there is
    wide = nn.functional.pad(torch.cat(a), (0, 0, 0, full - rank)).to(dtype).contiguous()
    high = nn.functional.pad(torch.cat(b, 1), (0, full - rank)).to(dtype).contiguous()
    return wide, high, key


def _table(key: tuple, names: list[str], a: Tensor) -> Tensor:
    """[1 + adapters, rank] in float32: what each voice takes of each rank."""
    table = torch.zeros(1 + len(names), a.shape[0], device=a.device)
    at = 0
    for name, rank, scale in key:
        table[1 + names.index(name), at : at + rank] = scale
        at += rank
    return table


def _product(base: nn.Linear) -> Callable[[Tensor], Tensor]:
    """What `base` does. On a CPU, where a small product takes no longer than the call of a module,
    without that call."""
    plain = type(base) is nn.Linear and "forward" not in vars(base)  # where Accelerate hooks in
    if plain and base.weight.device.type == "cpu":
        return partial(nn.functional.linear, weight=base.weight, bias=base.bias)
    return base.__call__


class _Each:
    """A small layer on a CPU for rows of one token. As a batch of one row each they take half as
    long as in one product (2 rows of 256 to 256: 6 instead of 10 microseconds, with an adapter 13
    instead of 25)."""

    @classmethod
    def of(cls, layer: LoraLayer) -> "_Each | None":
        product = layer.base_product
        small = isinstance(product, partial) and product.keywords["weight"].numel() <= _SMALL_WEIGHT
        return cls(layer, **product.keywords) if small else None

    def __init__(self, layer: LoraLayer, weight: Tensor, bias: Tensor | None):
        self._bias = bias
        self._matrices = weight.t(), layer.row_a.t(), layer.row_b_turned
        self._rows, self._of_rows = 0, ()

    def product(self, x: Tensor, scales: Tensor) -> Tensor:
        """x [rows, 1, in], scales [rows, 1, rank]; [rows, 1, out]."""
        if len(x) != self._rows:
            self._rows = len(x)
            self._of_rows = [one.expand(len(x), *one.shape) for one in self._matrices]
        weight, a, b = self._of_rows
        out = torch.bmm(x, weight) if self._bias is None else torch.baddbmm(self._bias, x, weight)
        return out.baddbmm_(torch.bmm(x, a).mul_(scales), b)


@dataclass(eq=False)
class _Share:
    """What the rows of the next batches take of each rank."""

    table: Tensor  # as `_table` makes it
    scales: Tensor | None = None  # [rows, rank] in float32
    scales_of_each: Tensor | None = None  # [rows, 1, rank]
    taken: bool = False  # else rows are not told apart
    none_speaks: bool = False  # no row takes any adapter


@cache
def _telling(kind: type) -> type:
    return type(f"Row{kind.__name__}", (_Telling, kind), {})


@cache
def _reading(kind: type) -> type:
    return type(f"Reading{kind.__name__}", (_Reading, kind), {})


class _Telling:
    """Before PEFT's layer class among the bases of a layer."""

    def forward(self, x: Tensor, *args, **kwargs) -> Tensor:
        # Compiled code runs beside answers that are not compiled yet: each has its own scales.
        if torch.compiler.is_compiling():
            scales = self.graph_scales
        elif self.share.none_speaks:
            return self.base_product(x)
        else:
            scales = self.share.scales if self.share.taken else None
        if scales is None:
            return super().forward(x, *args, **kwargs)
        if x.dim() != 3 or x.shape[0] != scales.shape[0]:
            raise RuntimeError("This layer mixes the rows of a batch.")
        if self.kernels and few_rows.takes(x):
            base, lora = self.get_base_layer(), (self.row_a, self.row_b, scales)
            kind, packed, numbers = frozen_weight(base)
            return few_rows.rows_linear(x, packed, kind, numbers, base.bias, *lora)
        # A small model's step on a CPU lasts as long as it has operators: none that can be spared.
        if self.each and x.shape[1] == 1 and x.dtype == self.row_a.dtype:
            return self.each.product(x, self.share.scales_of_each)
        out, a, b = self.base_product(x), self.row_a, self.row_b_turned
        if x.dtype != a.dtype:
            a, b = a.to(x.dtype), b.to(x.dtype)
        h = nn.functional.linear(x, a).mul_(scales.unsqueeze(1))
        out.view(-1, b.shape[1]).addmm_(h.view(-1, b.shape[0]), b)
        return out


class _Reading:
    """Before the class of a frozen linear layer among its bases."""

    def forward(self, x: Tensor) -> Tensor:
        if self.on_host:
            few = few_rows_host.takes(x)
            way = few_rows_host.product if few else nn.functional.linear
            return way(x, self.weight, self.bias)
        kind, packed, numbers = frozen_weight(self)
        # Called one by one, a plain product costs less than a kernel's way through Python.
        worth = kind != PLAIN or torch.compiler.is_compiling()
        if self.kernels and worth and few_rows.takes(x):
            args = (packed, kind, numbers, self.bias)
            return few_rows.rows_linear(x, *args, None, None, None)
        if kind != INT8:
            return super().forward(x)
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return nn.functional.linear(x, dense(packed, kind, numbers, x.dtype), bias)
