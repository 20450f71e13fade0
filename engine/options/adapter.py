"""The options of the adapter: its kind, its size, and where in the model it sits."""

from dataclasses import dataclass
from functools import partial

from engine.options import declare

option = partial(declare.option, group="adapter")


@dataclass(kw_only=True)
class Adapter:
    lora_alpha: int = option(
        32,
        ("Alpha", "Alpha"),
        ("the adapter counts alpha / rank times", "适配器的作用乘以 alpha / 秩"),
        low=1,
        high=4096,
    )
    lora_dropout: float = option(
        0.0,
        ("Dropout", "Dropout"),
        ("share of the adapter's input left out at random", "随机丢弃适配器输入的比例"),
        low=0.0,
        high=0.9,
    )
    lora_target_modules: str = option(
        "all-linear",
        ("Target modules", "作用的模块"),
        ("all-linear, or names with commas between", "all-linear，或用逗号隔开的模块名"),
    )
