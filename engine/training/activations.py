"""What a micro-step keeps for its backward pass, in bytes a token, by which levers are pulled.

Counted from what the operators save, and where that is not plain fitted to what was measured on an
H200 (2026-11-21, torch 2.11, 7B and 0.5B shapes of Qwen2.5): docs/training.md has the table.
"""

from engine.config import TrainConfig
from engine.options.adapter import WITH_TARGETS
from engine.training.levers import Levers
from engine.training.shape import Shape

_TILE_TOKENS = 1024  # of engine.models.loss_head


def kept_by_layers(
    config: TrainConfig, shape: Shape, levers: Levers, width: float
) -> tuple[float, float]:
    """Bytes a token that the layers hold at the end of the forward pass, and what the backward
    pass of the last one adds. `width` is the bytes of an activation."""
    layer = _one_layer(config, shape, levers, width)
    again = _again(config, shape)
    held = again * shape.hidden_size * width + (shape.layers - again) * layer
    added = (2 * shape.intermediate_size + shape.hidden_size) * width
    if again == shape.layers:
        # The layer is there once more; compiled, without its last product and what that saved.
        anew = (3 * shape.intermediate_size) * width if levers.compiled else layer
        added += anew
    return held, added


def merged(config: TrainConfig, shape: Shape, width: float) -> float:
    """Bytes of the experts' weights with LoRA added, of all layers whose forward pass is kept, at
    least of the one at work; its gradient beside them."""
    again = _again(config, shape)
    return shape.merged_parameters / shape.layers * (max(shape.layers - again, 1) + 1) * width


def _again(config: TrainConfig, shape: Shape) -> int:
    """Layers that are computed anew in the backward pass."""
    if not config.gradient_checkpointing:
        return 0
    return min(config.gradient_checkpointing_layers or shape.layers, shape.layers)


def _one_layer(config: TrainConfig, shape: Shape, levers: Levers, width: float) -> float:
    """Compiled: the inputs of the seven products, the rotated queries and keys, the values, what
    the attention gave, the residuals, and the gate's two. Not compiled: the norms in float32 and
    the activated gate too; with a mask, keys and values once for each query head. PEFT's own
    layers add to a copy of the gate, and their dropout keeps a byte of each input."""
    hidden, between = shape.hidden_size, shape.intermediate_size
    keys = shape.key_value_size if levers.varlen else shape.query_size
    attention = 2 * shape.query_size + 2 * keys
    if levers.compiled:
        return (4 * hidden + attention + 3 * between) * width
    # A token goes to each of its experts as a copy.
    plain = ((6 + shape.experts_per_token) * hidden + attention + 4 * between) * width
    if levers.fused_lora or config.peft_type not in WITH_TARGETS:
        return plain
    return plain + between * width + (6 * hidden + between) * bool(config.lora_dropout)


def of_the_loss(shape: Shape, levers: Levers, width: float, tokens: int) -> float:
    """Bytes of the hidden states, of their gradients and of the logits of `tokens` tokens."""
    states = 2 * tokens * shape.hidden_size * width
    if not levers.loss_head:
        return states + tokens * shape.vocab_size * (3 * width + 2 * 4)
    tile = min(tokens, _TILE_TOKENS) * shape.vocab_size
    if levers.compiled:
        return states + tile * 2 * width
    # In float32, as it is or beside itself, and its exponentials.
    return states + tile * ((width if width < 4 else 0) + 2 * 4)
