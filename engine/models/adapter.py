"""The adapter: LoRA on a base, its size before the start, and adapters read back from disk."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.config import TrainConfig
from engine.errors import UserError

if TYPE_CHECKING:
    from peft import LoraConfig, PeftModel
    from transformers import PreTrainedModel


def lora_config(config: TrainConfig) -> "LoraConfig":
    from peft import LoraConfig

    names = [name.strip() for name in config.lora_target_modules.split(",") if name.strip()]
    return LoraConfig(
        r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=names[0] if names == ["all-linear"] else names,
        task_type="CAUSAL_LM",
    )


def attach(model: "PreTrainedModel", config: TrainConfig) -> "PeftModel":
    """Puts a fresh adapter on the base, in float32 so that small steps are not rounded away.

    Raises UserError (field "lora_target_modules") for names the model does not have.
    """
    from peft import get_peft_model

    try:
        return get_peft_model(model, lora_config(config))
    except ValueError as error:
        raise UserError(
            f"No module of this model fits {config.lora_target_modules!r}. It has "
            f"{', '.join(linear_names(model))}; or write all-linear.",
            f"这个模型没有与 {config.lora_target_modules!r} 相符的模块。"
            f"它有 {'、'.join(linear_names(model))}；也可写 all-linear。",
            field="lora_target_modules",
        ) from error


def linear_names(model: "PreTrainedModel") -> list[str]:
    """The short names of the model's linear layers, without the head."""
    import torch

    head = model.get_output_embeddings()
    names = {
        name.rsplit(".", 1)[-1]
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    }
    return sorted(names)


def lora_parameters(model: "PreTrainedModel", config: TrainConfig) -> int:
    """How many parameters the adapter would have; works on a model on the meta device."""
    peft = attach(model, config)
    return sum(p.numel() for p in peft.parameters() if p.requires_grad)


def read_card(folder: Path) -> dict[str, Any]:
    """The adapter's greenroom.json, {} for one made elsewhere. Raises UserError for a folder that
    is no adapter or whose weights are not safetensors."""
    if not (folder / "adapter_config.json").is_file():
        raise UserError(
            f"{folder.name} holds no adapter (no adapter_config.json); train the run first.",
            f"{folder.name} 里没有适配器（缺少 adapter_config.json），请先完成训练。",
        )
    if not (folder / "adapter_model.safetensors").is_file():
        raise UserError(
            f"The adapter in {folder.name} is not in safetensors; other formats are not read, "
            "because they can carry programs.",
            f"{folder.name} 里的适配器不是 safetensors 格式；其他格式可能夹带程序，不予读取。",
        )
    card = folder / "greenroom.json"
    return json.loads(card.read_text(encoding="utf-8")) if card.is_file() else {}
