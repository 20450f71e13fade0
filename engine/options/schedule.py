"""The options of the schedule and the optimiser."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from engine.options import declare

option = partial(declare.option, group="schedule")


@dataclass(kw_only=True)
class Schedule:
    max_steps: int = option(
        0,
        ("Most steps", "最多步数"),
        ("0: the epochs decide", "0 表示由轮数决定"),
        low=0,
        high=10_000_000,
    )
    gradient_accumulation_steps: int = option(
        1,
        ("Accumulation", "梯度累积"),
        ("batches added up before each step", "每走一步前累加几个批"),
        low=1,
        high=4096,
    )
    early_stopping_patience: int = option(
        0,
        ("Early stopping", "提前停止"),
        (
            "evaluations in a row without a lower eval loss; 0: off",
            "连续几次评估验证 loss 都没有降低就停下；0 为关闭",
        ),
        low=0,
        high=1000,
    )
    stop_at_loss: float = option(
        0.0,
        ("Stop at loss", "loss 达到即停"),
        ("ends when the smoothed loss is this low; 0: off", "平滑后的 loss 降到此值就停；0 为关闭"),
        low=0.0,
        high=100.0,
    )
    lr_scheduler_type: Literal[
        "cosine",
        "linear",
        "constant",
        "constant_with_warmup",
        "cosine_with_min_lr",
        "polynomial",
        "inverse_sqrt",
        "warmup_stable_decay",
    ] = option(
        "cosine",
        ("Schedule", "学习率曲线"),
        ("how the learning rate falls", "学习率怎样下降"),
    )
    warmup_steps: float = option(
        0.03,
        ("Warm-up", "预热"),
        ("steps, or below 1 a share of all steps", "步数；小于 1 时为占总步数的比例"),
        low=0.0,
        high=100_000,
    )
    optim: Literal[
        "adamw_torch_fused",
        "adamw_torch",
        "adamw_8bit",
        "paged_adamw_8bit",
        "paged_adamw_32bit",
        "lion_8bit",
        "adafactor",
        "sgd",
    ] = option(
        "adamw_torch_fused",
        ("Optimiser", "优化器"),
        ("the 8-bit and paged ones save memory and need a GPU", "8bit 与 paged 的省显存，需要显卡"),
    )
    weight_decay: float = option(
        0.0,
        ("Weight decay", "权重衰减"),
        ("pulls weights towards zero", "把权重往零拉"),
        low=0.0,
        high=1.0,
    )
    neftune_noise_alpha: float = option(
        0.0,
        ("NEFTune noise", "NEFTune 噪声"),
        (
            "noise on the embeddings against learning by heart, 5 is usual; 0: off",
            "给嵌入加噪声以防死记，常用 5；0 为关闭",
        ),
        low=0.0,
        high=100.0,
    )
    max_grad_norm: float = option(
        1.0,
        ("Gradient clipping", "梯度裁剪"),
        ("longest gradient allowed; 0 turns it off", "梯度范数上限；0 为不裁剪"),
        low=0.0,
        high=1000.0,
    )
    seed: int = option(
        42,
        ("Seed", "随机种子"),
        ("the same seed gives the same run", "种子相同，结果相同"),
        low=0,
        high=2**31 - 1,
    )
