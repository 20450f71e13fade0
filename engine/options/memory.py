"""The options of memory and precision."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from engine.options import declare

option = partial(declare.option, group="memory")


@dataclass(kw_only=True)
class Memory:
    load_in_8bit: bool = option(
        False,
        ("8-bit base", "8 比特底座"),
        ("the frozen base takes half of the memory", "冻结的底座只占一半显存"),
    )
    bnb_4bit_quant_type: Literal["nf4", "fp4"] = option(
        "nf4",
        ("4-bit type", "4 比特类型"),
        ("nf4 suits trained weights best", "nf4 最适合训练好的权重"),
        only_for=("load_in_4bit", (True,)),
    )
    bnb_4bit_use_double_quant: bool = option(
        True,
        ("Double quantisation", "双重量化"),
        ("saves about 0.4 bit a weight more", "每个权重再省约 0.4 比特"),
        only_for=("load_in_4bit", (True,)),
        elsewhere=("double_quantization",),
    )
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = option(
        "auto",
        ("Precision", "精度"),
        ("auto takes what this machine does well", "auto 按本机所长选择"),
        elsewhere=("bf16", "fp16"),
    )
    device_map: Literal["single", "auto", "balanced", "balanced_low_0", "sequential", "cpu"] = (
        option(
            "single",
            ("Placement", "模型放置"),
            (
                "one card, the layers spread over several, or the processor",
                "一张卡、按层分到几张卡，或处理器",
            ),
        )
    )
    gradient_checkpointing: bool = option(
        False,
        ("Checkpointing", "激活重算"),
        ("less memory, about a third slower", "省显存，大约慢三分之一"),
    )
    gradient_checkpointing_layers: int = option(
        0,
        ("Layers checkpointed", "重算几层"),
        ("fewer are faster and take more memory; 0: all", "越少越快、越占显存；0 为全部"),
        low=0,
        high=1000,
        only_for=("gradient_checkpointing", (True,)),
    )
    auto_find_batch_size: bool = option(
        True,
        ("Micro-steps by memory", "按显存切分"),
        (
            "the batch stays; it is computed in as few pieces as the card holds",
            "批大小不变，按显存分成尽量少的几块来算",
        ),
    )
