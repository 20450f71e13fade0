"""The PEFT methods: which configuration each of them needs for a model."""

import math
from typing import TYPE_CHECKING, Any

from engine.config import TrainConfig
from engine.errors import UserError
from engine.models.load import locate
from engine.models.targets import in_attention, linear_layers, matching, target_modules
from engine.options.adapter import CHANGES_THE_BASE, READS_THE_BASE, WITH_TARGETS

if TYPE_CHECKING:
    import torch
    from peft import PeftConfig, PeftModel
    from transformers import PreTrainedModel

# AdaLoRA begins with half as much again of the rank and ends with the rank (its paper, section 4).
_FIRST_RANK = 1.5
_WITH_KEYS = ("full_attention", "sliding_attention", "chunked_attention")
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
            _check_keys(model)
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
    wide, narrow = _widths(layer)
    return wide > narrow


def _widths(layer: "torch.nn.Module") -> tuple[int, int]:
    """Of what goes in and of what comes out."""
    if hasattr(layer, "nf"):  # Transformers' Conv1D
        return layer.nx, layer.nf
    return layer.in_features, layer.out_features


def check_widths(model: "PreTrainedModel", config: TrainConfig) -> None:
    """Of a method that divides or takes apart its layers, whether they are wide enough for it.

    Raises UserError (field "lora_r", "oft_block_size", "lora_target_modules").
    """
    of_the_base = config.peft_type == "lora" and config.init_lora_weights in CHANGES_THE_BASE
    if not of_the_base and config.peft_type != "oft":
        return
    layers = dict(linear_layers(model))
    targets = matching(model, config.lora_target_modules)
    widths = {name: _widths(layers[name]) for name in targets if name in layers}
    if (
        of_the_base
        and config.init_lora_weights == "olora"
        and any(hasattr(layers[n], "nf") for n in widths)
    ):
        raise UserError(
            "The start olora does not know this model's layers (Conv1D, as in GPT-2); choose pissa "
            "or default.",
            "初值 olora 不适用于这个模型的层（Conv1D，如 GPT-2）；请选 pissa 或 default。",
            field="init_lora_weights",
        )
    if of_the_base:
        _check_directions(config, widths)
    else:
        _check_blocks(config, [wide for wide, _ in widths.values()])


def _check_directions(config: TrainConfig, widths: dict[str, tuple[int, int]]) -> None:
    """A matrix has no more directions than its shorter side; PEFT would begin with fewer than the
    rank and could not save them."""
    name, (wide, narrow) = min(widths.items(), key=lambda one: min(one[1]))
    most = min(wide, narrow)
    if config.lora_r > most:
        start, rank, name = config.init_lora_weights, config.lora_r, name.rsplit(".", 1)[-1]
        raise UserError(
            f"The start {start} takes {rank} directions out of each layer, and {name} ({wide} to "
            f"{narrow} wide) has only {most}; choose a rank of at most {most}, or the start "
            "default.",
            f"初值 {start} 要从每一层取 {rank} 个方向，而 {name}（宽 {wide} 到 {narrow}）"
            f"只有 {most} 个；请把秩设为不超过 {most}，或把初值改为 default。",
            field="lora_r",
        )


def _check_blocks(config: TrainConfig, widths: list[int]) -> None:
    """PEFT would take another size than the one that was chosen, without a word on the page."""
    size, common = config.oft_block_size, math.gcd(*widths)
    if common % size == 0:
        return
    shown = ", ".join(str(width) for width in sorted(set(widths))[:6])
    fitting = [number for number in range(2, min(common, 1024) + 1) if common % number == 0]
    if not fitting:
        raise UserError(
            f"No block size divides all of these layers' widths ({shown}); choose fewer target "
            "modules, or lora.",
            f"没有块大小能整除这些层的所有宽度（{shown}）；请减少作用的模块，或改用 lora。",
            field="lora_target_modules",
        )
    near = min(fitting, key=lambda number: abs(number - size))
    raise UserError(
        f"Blocks of {size} do not divide these layers' widths ({shown}); the nearest size that "
        f"does is {near}.",
        f"大小为 {size} 的块不能整除这些层的宽度（{shown}）；最接近且能整除的是 {near}。",
        field="oft_block_size",
    )


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


def _check_keys(model: "PreTrainedModel") -> None:
    """A prefix is keys and values that every layer reads. Raises UserError."""
    layers = getattr(model.config.get_text_config(), "layer_types", None) or []
    other = next((one for one in layers if one not in _WITH_KEYS), None)
    if other:
        raise UserError(
            "Prefix tuning writes keys and values for each layer's attention, and some layers of "
            f"this model have none ({other}); choose prompt_tuning, the nearest that works here.",
            f"前缀微调要为每一层的注意力写入键和值，而这个模型有些层没有（{other}）；"
            "请改用最接近的 prompt_tuning。",
            field="peft_type",
        )


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


def check_start(tuned: "PeftModel", start: str) -> None:
    """Raises UserError (field "init_lora_weights") for one that would look in experts for the
    weight of a single layer."""
    from peft.tuners.lora.layer import ParamWrapper

    if start in READS_THE_BASE and any(isinstance(one, ParamWrapper) for one in tuned.modules()):
        raise UserError(
            f"The start {start} reads the weight of each layer, and those of this model's experts "
            "are not laid out so; choose default or gaussian, or write attention as target "
            "modules.",
            f"初值 {start} 要读取每一层的权重，而这个模型的专家层不是这样存放的；"
            "请选 default 或 gaussian，或把作用的模块设为 attention。",
            field="init_lora_weights",
        )


def merged_parameters(model: "PreTrainedModel") -> int:
    """Numbers in the weights of experts that LoRA is on: PEFT adds it to them anew in each forward
    pass, and the sums are kept for the backward pass."""
    from peft.tuners.lora.layer import ParamWrapper

    wrapped = (one for one in model.modules() if isinstance(one, ParamWrapper))
    return sum(one.get_param().numel() for one in wrapped)
