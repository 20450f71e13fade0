"""A captured step on a processor: over the same cache that lies still, computed anew each time."""

from types import SimpleNamespace

import torch
from peft.tuners.lora import LoraLayer

from engine.chat import voices
from engine.chat.graph import Graph
from engine.models import few_rows, row_lora


def attend(q, k, v, keys, values, starts, written, scale, window):
    """As few_rows.rows_attend says of itself, in plain products."""
    assert int(written) < keys.shape[2], "written beyond the cache"
    keys[:, :, int(written)], values[:, :, int(written)] = k[:, :, 0], v[:, :, 0]
    place = torch.arange(keys.shape[2])
    heard = (place[None] <= written) & (place[None] >= starts[:, None])
    if window:
        heard &= place[None] > written - window
    mask = heard[:, None, None]
    seen = {"attn_mask": mask, "scale": scale, "enable_gqa": True}
    return torch.nn.functional.scaled_dot_product_attention(q, keys, values, **seen).transpose(1, 2)


def hold_still(monkeypatch):
    """From here on voices capture on a processor too; gives the rows of each step that is replayed,
    as they come. Adapters are to be put on afterwards."""
    steps = []

    def capture(graph, forward):
        taken = [(share, vars(share).copy()) for share in _shares(forward)]

        def replay():
            steps.append(len(graph._tokens))
            now = [(share, vars(share).copy()) for share, _ in taken]
            for share, then in taken:
                vars(share).update(then)
            graph._logits = graph._decode(forward)
            graph.advance()
            for share, then in now:
                vars(share).update(then)

        graph._graph = SimpleNamespace(replay=replay)

    monkeypatch.setattr(voices, "can_capture", lambda model: True)
    monkeypatch.setattr(few_rows, "count_anew", lambda _: None)
    monkeypatch.setattr(few_rows, "rows_attend", attend)
    monkeypatch.setattr(row_lora._Each, "of", lambda layer: None)  # only a processor has it
    monkeypatch.setattr(torch, "compile", _as_compiled)
    monkeypatch.setattr(Graph, "capture", capture)
    return steps


def _as_compiled(forward, **_):
    """Computed as it is, but its layers take it for the compiler's."""

    def compiled(*args, **kwargs):
        real, torch.compiler.is_compiling = torch.compiler.is_compiling, lambda: True
        try:
            return forward(*args, **kwargs)
        finally:
            torch.compiler.is_compiling = real

    return compiled


def _shares(forward):
    """What the rows take when a step is captured as it is: that goes into the graph."""
    model = getattr(getattr(forward, "func", None), "__self__", None)
    layers = model.modules() if model else []
    return {one.share for one in layers if isinstance(one, LoraLayer) and hasattr(one, "share")}
