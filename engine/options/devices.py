"""The options of the devices: on which GPUs a run trains, and how it is spread over them."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from engine.options import declare

option = partial(declare.option, group="devices")


@dataclass(kw_only=True)
class Devices:
    gpu_ids: str = option(
        "",
        ("GPUs", "显卡"),
        (
            "0 or 0,1 or all; empty: the one with the most free memory",
            "如 0、0,1 或 all；留空则用空闲显存最多的一块",
        ),
        joined_by=",",
    )
    distributed_type: Literal["ddp", "fsdp"] = option(
        "ddp",
        ("Several GPUs", "多显卡方式"),
        (
            "ddp: a whole copy on each, fastest; fsdp: each holds a share of it, for large models",
            "ddp：每块一份完整模型，最快；fsdp：每块只存一部分，适合大模型",
        ),
        elsewhere=("deepspeed", "fsdp"),
    )
