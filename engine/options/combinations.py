"""Options that cannot work together: which field to change, why, and to what. No torch here."""

from typing import TYPE_CHECKING

from engine.errors import Sentence
from engine.options.adapter import CHANGES_THE_BASE, PROMPTS, READS_THE_BASE

if TYPE_CHECKING:
    from engine.config import TrainConfig

# Tried with PEFT 0.21 on bitsandbytes 0.50: these two build their matrices from the shape in which
# a weight is stored, which 4-bit changes.
_NOT_ON_4BIT = ("loha", "lokr")
# Torch's own; the others count on whole tensors, and those of bitsandbytes on their addresses.
_TAKES_SHARES = ("adamw_torch_fused", "adamw_torch", "sgd")


def impossible(config: "TrainConfig") -> dict[str, Sentence]:
    """By field, what the others do not allow; {} when all go together."""
    found = _quantised(config) | _method(config) | _evaluation(config)
    found |= _shared_out(config)
    if config.peft_type == "lora":
        found |= _lora(config)
    return found


def _quantised(config: "TrainConfig") -> dict[str, Sentence]:
    if config.load_in_4bit and config.load_in_8bit:
        return {
            "load_in_8bit": Sentence(
                "The base cannot be 4-bit and 8-bit at once; switch one of the two off.",
                "底座不能同时是 4 比特和 8 比特，请关掉其中一个。",
            )
        }
    if not (config.load_in_4bit or config.load_in_8bit):
        return {}
    if config.peft_type == "full":
        return {
            "peft_type": Sentence(
                "Full fine-tuning changes every weight, and quantised weights cannot be trained; "
                "switch the 4-bit or 8-bit base off, or choose lora.",
                "全量微调要改动每个权重，而量化后的权重无法训练；"
                "请关掉 4 比特或 8 比特底座，或改用 lora。",
            )
        }
    if config.load_in_4bit and config.peft_type in _NOT_ON_4BIT:
        return {
            "peft_type": Sentence(
                f"{config.peft_type} does not work on a 4-bit base; choose lora, or an 8-bit base.",
                f"{config.peft_type} 不能用于 4 比特底座；请改用 lora，或 8 比特底座。",
            )
        }
    return {}


def _shared_out(config: "TrainConfig") -> dict[str, Sentence]:
    if config.distributed_type == "ddp":
        return {}
    found = {}
    start = config.init_lora_weights
    if config.load_in_8bit:
        found["load_in_8bit"] = Sentence(
            "FSDP shares out weights that are plain or 4-bit, not 8-bit ones; take a 4-bit base, "
            "or choose ddp for several GPUs.",
            "FSDP 只能分摊普通或 4 比特的权重，不能分摊 8 比特的；"
            "请用 4 比特底座，或把多显卡方式设为 ddp。",
        )
    if config.device_map != "single":
        found["device_map"] = Sentence(
            "FSDP places the model itself, a share on each GPU; choose single, or ddp with this "
            "placement.",
            "FSDP 会自行放置模型，每块显卡一份；请选 single，或把多显卡方式设为 ddp。",
        )
    if config.peft_type == "lora" and start in CHANGES_THE_BASE:
        found["init_lora_weights"] = Sentence(
            f"The start {start} changes the base in each process by itself, and shares of bases "
            "that differ do not fit together; choose default or gaussian, or ddp.",
            f"初值 {start} 会在每个进程里各自改动底座，而不一致的底座无法拼在一起；"
            "请选 default 或 gaussian，或把多显卡方式设为 ddp。",
        )
    if config.peft_type == "full" and config.optim not in _TAKES_SHARES:
        found["optim"] = Sentence(
            f"{config.optim} cannot work on weights that FSDP has shared out; choose "
            "adamw_torch_fused.",
            f"{config.optim} 不能用于 FSDP 分摊后的权重；请选择 adamw_torch_fused。",
        )
    return found


def _method(config: "TrainConfig") -> dict[str, Sentence]:
    found = {}
    if config.packing and config.peft_type in PROMPTS:
        found["packing"] = Sentence(
            f"With {config.peft_type} the learned tokens stand before a sequence, so only the "
            "first row of a pack would have them; switch packing off.",
            f"{config.peft_type} 的虚拟 token 只加在序列开头，打包后只有第一条有；请关掉打包。",
        )
    if config.gradient_checkpointing and config.peft_type == "prefix_tuning":
        found["gradient_checkpointing"] = Sentence(
            "Checkpointing throws away the very cache into which prefix tuning writes; switch it "
            "off, or choose prompt_tuning.",
            "激活重算会丢掉前缀微调所用的缓存；请关掉它，或改用 prompt_tuning。",
        )
    if config.dtype == "float16" and config.peft_type == "full":
        found["dtype"] = Sentence(
            "Full fine-tuning in float16 loses small steps and cannot be scaled; choose auto, "
            "which keeps the weights in float32.",
            "用 float16 做全量微调会丢失小步更新，也无法缩放梯度；请选 auto，权重保持 float32。",
        )
    return found


def _evaluation(config: "TrainConfig") -> dict[str, Sentence]:
    if config.eval_size or config.eval_dataset:
        return {}
    wanted = {
        "early_stopping_patience": config.early_stopping_patience,
        "load_best_model_at_end": config.load_best_model_at_end,
    }
    words = Sentence(
        "This looks at the eval loss, and no rows are kept for validation; keep some (eval_size), "
        "or switch this off.",
        "这要看验证 loss，但没有留作验证的数据；请留出一些（eval_size），或关掉此项。",
    )
    return {name: words for name, value in wanted.items() if value}


def _lora(config: "TrainConfig") -> dict[str, Sentence]:
    found = {}
    start, quantised = config.init_lora_weights, config.load_in_4bit or config.load_in_8bit
    if quantised and start in READS_THE_BASE:  # a quantised base no longer has it
        found["init_lora_weights"] = Sentence(
            f"The start {start} needs the base's full weights, which a 4-bit or 8-bit base has no "
            "longer; choose default or gaussian.",
            f"初值 {start} 需要底座的完整权重，而 4 比特或 8 比特底座已经没有；"
            "请选 default 或 gaussian。",
        )
    elif config.use_dora and start in CHANGES_THE_BASE:
        found["init_lora_weights"] = Sentence(
            f"{start} changes the base, and with DoRA the adapter could not be saved for the "
            "unchanged one; choose default, or switch DoRA off.",
            f"{start} 会改动底座，与 DoRA 一起用时适配器无法对应原来的底座保存；"
            "请选 default，或关掉 DoRA。",
        )
    if config.load_in_8bit and config.use_dora:
        found["use_dora"] = Sentence(
            "DoRA does not work on an 8-bit base; take a 4-bit one, or switch DoRA off.",
            "DoRA 不能用于 8 比特底座；请用 4 比特底座，或关掉 DoRA。",
        )
    if start == "orthogonal" and config.lora_r % 2:
        found["lora_r"] = Sentence(
            f"The start orthogonal shares its directions out in pairs, so the rank must be even, "
            f"and {config.lora_r} is not; choose {config.lora_r + 1}.",
            f"初值 orthogonal 成对分配方向，秩必须是偶数，而 {config.lora_r} 不是；"
            f"请改为 {config.lora_r + 1}。",
        )
    if 0 < config.loraplus_lr_ratio < 1:
        found["loraplus_lr_ratio"] = Sentence(
            "LoRA+ lets B learn faster than A: its ratio is at least 1, or 0 to switch it off.",
            "LoRA+ 让 B 学得比 A 快：倍率至少为 1，或填 0 关闭。",
        )
    return found
