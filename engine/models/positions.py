"""How far a model reads, and from where on it reads in another way."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def window_of(config: "PreTrainedConfig") -> int | None:
    """How many tokens the model reads; None where it says no limit."""
    return getattr(config.get_text_config(), "max_position_embeddings", None)


def turning_point(config: "PreTrainedConfig") -> int | None:
    """How many tokens a batch with LongRoPE (https://arxiv.org/abs/2402.13753) may have before all
    its rows, also the short ones, are turned by other factors; None for all other models."""
    given = getattr(config.get_text_config(), "rope_parameters", None) or {}
    each = [one for one in (given, *given.values()) if isinstance(one, dict)]  # by kind of layer
    long = [one for one in each if one.get("rope_type") == "longrope"]
    return min((one["original_max_position_embeddings"] for one in long), default=None)
