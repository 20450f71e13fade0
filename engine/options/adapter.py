"""The options of the adapter: its kind, its size, and where in the model it sits."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from engine.options import declare

option = partial(declare.option, group="adapter")

# Names as PEFT's PeftType in lower case; "full" trains the model itself.
WITH_RANK = ("lora", "adalora", "loha", "lokr")
WITH_TARGETS = (*WITH_RANK, "ia3", "oft")
PROMPTS = ("prompt_tuning", "multitask_prompt_tuning", "p_tuning", "prefix_tuning")
# Starts that change the base's own weights: what is saved is the difference that training made.
CHANGES_THE_BASE = ("pissa", "pissa_niter_16", "olora")
READS_THE_BASE = ("orthogonal", *CHANGES_THE_BASE)


def only(*methods: str) -> dict:
    return {"only_for": ("peft_type", methods)}


@dataclass(kw_only=True)
class Adapter:
    peft_type: Literal[
        "lora",
        "adalora",
        "ia3",
        "loha",
        "lokr",
        "oft",
        "prompt_tuning",
        "multitask_prompt_tuning",
        "p_tuning",
        "prefix_tuning",
        "adaption_prompt",
        "full",
    ] = option(
        "lora",
        ("Method", "方法"),
        ("lora suits nearly all; full trains every weight", "lora 几乎都合适；full 训练全部权重"),
        elsewhere=("finetuning_type", "adapter"),
    )
    lora_alpha: int = option(
        32,
        ("Alpha", "Alpha"),
        ("the adapter counts alpha / rank times", "适配器的作用乘以 alpha / 秩"),
        low=1,
        high=4096,
        **only(*WITH_RANK),
    )
    lora_dropout: float = option(
        0.0,
        ("Dropout", "Dropout"),
        ("share of the adapter's input left out at random", "随机丢弃适配器输入的比例"),
        low=0.0,
        high=0.9,
        **only(*WITH_RANK, "oft"),
    )
    lora_target_modules: str = option(
        "all-linear",
        ("Target modules", "作用的模块"),
        (
            "all-linear, attention, names with commas between, or a regular expression",
            "all-linear、attention、用逗号隔开的模块名，或正则表达式",
        ),
        joined_by=",",
        **only(*WITH_TARGETS),
    )
    use_rslora: bool = option(
        False,
        ("rsLoRA", "rsLoRA"),
        (
            "alpha / square root of the rank: steadier at high ranks",
            "用 alpha / 秩的平方根，秩大时更稳",
        ),
        **only("lora"),
    )
    use_dora: bool = option(
        False,
        ("DoRA", "DoRA"),
        ("length and direction learned apart; slower", "长度与方向分开学，较慢"),
        **only("lora"),
    )
    init_lora_weights: Literal[
        "default", "gaussian", "orthogonal", "pissa", "pissa_niter_16", "olora"
    ] = option(
        "default",
        ("Start of the adapter", "适配器的初值"),
        (
            "pissa and olora begin with the base's strongest directions",
            "pissa 和 olora 从底座最强的方向开始",
        ),
        **only("lora"),
    )
    loraplus_lr_ratio: float = option(
        0.0,
        ("LoRA+ ratio", "LoRA+ 倍率"),
        (
            "matrix B learns this many times faster than A, 16 is usual; 0: off",
            "矩阵 B 的学习率是 A 的几倍，常用 16；0 为关闭",
        ),
        low=0.0,
        high=1000.0,
        **only("lora"),
    )
    num_virtual_tokens: int = option(
        20,
        ("Virtual tokens", "虚拟 token 数"),
        ("learned tokens that stand before every row", "加在每条之前、可学习的 token"),
        low=1,
        high=4096,
        **only(*PROMPTS),
        elsewhere=("pre_seq_len",),
    )
    prompt_tuning_init_text: str = option(
        "",
        ("Prompt to begin with", "起始提示词"),
        (
            "words that the virtual tokens begin as; empty: random words",
            "虚拟 token 的起始文字；留空则随机取词",
        ),
        **only("prompt_tuning"),
    )
    encoder_hidden_size: int = option(
        128,
        ("Prompt encoder's width", "提示编码器宽度"),
        ("of the small network that makes the virtual tokens", "生成虚拟 token 的小网络的宽度"),
        low=8,
        high=8192,
        **only("p_tuning"),
    )
    adapter_len: int = option(
        10,
        ("Adaption tokens", "适应 token 数"),
        ("learned tokens that each of these layers attends to", "每层额外关注的、可学习的 token"),
        low=1,
        high=4096,
        **only("adaption_prompt"),
    )
    adapter_layers: int = option(
        0,
        ("Adapted layers", "作用的层数"),
        ("counted from the top; 0: all", "从最上层数起；0 表示全部"),
        low=0,
        high=1000,
        **only("adaption_prompt"),
    )
    oft_block_size: int = option(
        32,
        ("Block size", "块大小"),
        ("width of the rotations; divides the layers' widths", "旋转块的宽度，须整除各层宽度"),
        low=2,
        high=1024,
        **only("oft"),
    )
