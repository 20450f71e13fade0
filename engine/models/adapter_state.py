"""The adapter inside a model: whether it can be switched off, and which modules it leaves as they
were."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

# The others that PEFT 0.21 knows (pissa, olora, corda, loftq, lora_ga) rewrite the base's weights,
# so that what is left without the adapter is not the base.
STARTS_THAT_KEEP_THE_BASE = (True, False, "gaussian", "eva", "orthogonal")
_SUMS = ("LOHA", "LOKR", "VERA", "FOURIERFT")  # besides LoRA and AdaLoRA


def can_switch_off(model: "PreTrainedModel") -> bool:
    """Whether `model.disable_adapter()` gives back the base as it was loaded.

    Not for a model without an adapter, nor where base weights are trained or rewritten.
    """
    configs = getattr(model, "peft_config", {})
    return bool(configs) and all(_keeps_the_base(one) for one in configs.values())


def _keeps_the_base(config: Any) -> bool:
    start = getattr(config, "init_lora_weights", True)
    trains_biases = getattr(config, "bias", "none") not in (None, "none")
    return start in STARTS_THAT_KEEP_THE_BASE and not trains_biases


def update_norms(model: "PreTrainedModel", adapter: str = "default") -> dict[str, float]:
    """The Frobenius norm of what the adapter adds to each module's weight, without its scale.

    {} where nothing is added (IA3, OFT, prompts, full fine-tuning). LoRA's updates are not held
    whole: |BA|^2 = sum(B'B * AA'), two r x r matrices.
    """
    kind = model.peft_config[adapter].peft_type.value if hasattr(model, "peft_config") else ""
    norms = {}
    for name, module in model.named_modules():
        factors = _factors(module, adapter)
        if factors is not None:
            a, b = (one.detach().flatten(1).double() for one in factors)
            norms[name] = ((b.T @ b) * (a @ a.T)).sum().clamp(min=0).sqrt().item()
        elif kind in _SUMS and hasattr(module, "get_delta_weight"):
            norms[name] = module.get_delta_weight(adapter).detach().float().norm().item()
    return norms


def _factors(module: Any, adapter: str) -> "tuple[torch.Tensor, torch.Tensor] | None":
    """LoRA's A [r, in] and B [out, r] of a module, None where it has none."""
    for a, b in (("lora_A", "lora_B"), ("lora_embedding_A", "lora_embedding_B")):
        first, second = getattr(module, a, {}), getattr(module, b, {})
        if adapter in first and adapter in second:
            one, other = (getattr(x, "weight", x) for x in (first[adapter], second[adapter]))
            scales = getattr(module, "lora_E", {})  # AdaLoRA: a row's own scale, zero at first
            return (one * scales[adapter] if adapter in scales else one), other
    return None
