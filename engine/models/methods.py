"""The PEFT methods: which configuration each of them needs for a model."""

from typing import TYPE_CHECKING, Any

from engine.config import TrainConfig
from engine.errors import UserError
from engine.models.load import locate
from engine.models.targets import in_attention, linear_layers, matching, target_modules
from engine.options.adapter import WITH_TARGETS

if TYPE_CHECKING:
    import torch
    from peft import PeftConfig
    from transformers import PreTrainedModel

# AdaLoRA begins with half as much again of the rank and ends with the rank (its paper, section 4).
_FIRST_RANK = 1.5
_LIKE_LLAMA = ("llama", "mistral")  # what PEFT's adaption prompt knows


def peft_config(model: "PreTrainedModel", config: TrainConfig, total_step: int = 0) -> "PeftConfig":
    """The method's configuration for a model. `total_step` is the run's length, by which AdaLoRA
    divides its budget; a count of parameters needs none.

    Raises UserError, with the field, for modules or layers that the model does not have.
    """
    import peft

    match config.peft_type:
        case "lora":
            kind, own = peft.LoraConfig, _lora(config)
        case "adalora":
            kind, own = peft.AdaLoraConfig, _adalora(config, max(total_step, 1))
        case "ia3":
            kind, own = peft.IA3Config, _ia3(model, config)
        case "loha":
            kind, own = peft.LoHaConfig, _lycoris(config)
        case "lokr":
            kind, own = peft.LoKrConfig, _lycoris(config)
        case "oft":
            kind, own = peft.OFTConfig, _oft(config)
        case "prompt_tuning":
            kind, own = peft.PromptTuningConfig, _prompt_tuning(config)
        case "multitask_prompt_tuning":
            kind, own = peft.MultitaskPromptTuningConfig, {"num_tasks": 1, "num_ranks": 1}
        case "p_tuning":
            kind, own = (
                peft.PromptEncoderConfig,
                {"encoder_hidden_size": config.encoder_hidden_size},
            )
        case "prefix_tuning":
            kind, own = peft.PrefixTuningConfig, {}
        case "adaption_prompt":
            kind, own = peft.AdaptionPromptConfig, _adaption_prompt(model, config)
    if config.peft_type in WITH_TARGETS:
        own.setdefault("target_modules", target_modules(model, config.lora_target_modules))
    elif config.peft_type != "adaption_prompt":
        own["num_virtual_tokens"] = config.num_virtual_tokens
    return kind(task_type="CAUSAL_LM", **own)


def _lora(config: TrainConfig) -> dict[str, Any]:
    start = config.init_lora_weights
    return {
        "r": config.lora_r,
        "lora_alpha": config.lora_alpha,
        "lora_dropout": config.lora_dropout,
        "use_rslora": config.use_rslora,
        "use_dora": config.use_dora,
        "init_lora_weights": True if start == "default" else start,
    }


def _adalora(config: TrainConfig, total_step: int) -> dict[str, Any]:
    """A tenth of the steps before the first cut, a third after the last, cuts all along between."""
    return {
        "init_r": round(config.lora_r * _FIRST_RANK),
        "target_r": config.lora_r,
        "lora_alpha": config.lora_alpha,
        "lora_dropout": config.lora_dropout,
        "total_step": total_step,
        "tinit": total_step // 10,
        "tfinal": total_step // 3,
        "deltaT": max(1, total_step // 100),
    }


def _ia3(model: "PreTrainedModel", config: TrainConfig) -> dict[str, Any]:
    """In a feed-forward block IA3 scales what goes into the layer that narrows again, elsewhere
    what comes out of a layer."""
    layers = dict(linear_layers(model))
    targets = matching(model, config.lora_target_modules)
    feedforward = [n for n in targets if not in_attention(n) and _narrows(layers[n])]
    return {"target_modules": targets, "feedforward_modules": feedforward}


def _narrows(layer: "torch.nn.Module") -> bool:
    if hasattr(layer, "nf"):  # Transformers' Conv1D
        return layer.nx > layer.nf
    return layer.in_features > layer.out_features


def _lycoris(config: TrainConfig) -> dict[str, Any]:
    return {
        "r": config.lora_r,
        "alpha": config.lora_alpha,
        "rank_dropout": config.lora_dropout,
    }


def _oft(config: TrainConfig) -> dict[str, Any]:
    return {
        "r": 0,
        "oft_block_size": config.oft_block_size,
        "module_dropout": config.lora_dropout,
        "use_cayley_neumann": False,
    }


def _prompt_tuning(config: TrainConfig) -> dict[str, Any]:
    text = config.prompt_tuning_init_text.strip()
    if not text:
        return {"prompt_tuning_init": "SAMPLE_VOCAB"}
    return {
        "prompt_tuning_init": "TEXT",
        "prompt_tuning_init_text": text,
        "tokenizer_name_or_path": locate(config.model_name_or_path),
    }


def _adaption_prompt(model: "PreTrainedModel", config: TrainConfig) -> dict[str, Any]:
    known, layers = model.config.model_type, model.config.num_hidden_layers
    if known not in _LIKE_LLAMA:
        raise UserError(
            f"Adaption prompts need a Llama or Mistral model, and this one is {known}; choose "
            "prefix_tuning, the nearest that works here.",
            f"adaption_prompt 只适用于 Llama 或 Mistral 模型，而这个是 {known}；"
            "请改用最接近的 prefix_tuning。",
            field="peft_type",
        )
    if config.adapter_layers > layers:
        raise UserError(
            f"This model has {layers} layers, so {config.adapter_layers} cannot be adapted; "
            "write 0 for all.",
            f"这个模型只有 {layers} 层，无法作用于 {config.adapter_layers} 层；写 0 表示全部。",
            field="adapter_layers",
        )
    return {"adapter_len": config.adapter_len, "adapter_layers": config.adapter_layers or layers}
