"""What a run says when memory has run out for good: the cheapest ways to need less of it."""

import dataclasses
from typing import Any

from engine.config import TrainConfig
from engine.errors import Sentence
from engine.training.arguments import sequences_a_step
from engine.training.fitting import Task

_NAMED = 3
_ENOUGH = Sentence(
    "Any of these is foreseen to be enough, the cheapest in time first",
    "以下任何一项预计就够，用时少的在前",
)
_TOO_LITTLE = Sentence(
    "None of these is foreseen to be enough alone, the most thrifty first",
    "以下各项预计单独都不够，最省的在前",
)
_NOT_FORESEEN = Sentence(
    "It was foreseen to fit and does not; these need less, the cheapest in time first",
    "原先预计放得下，实际放不下；以下各项更省，用时少的在前",
)


def ran_out(config: TrainConfig, task: Task, peak_gib: float) -> Sentence:
    """The ladder of the Train tab in a sentence: a few of its rungs, each with what it needs and
    costs."""
    last = _one_at_a_time(config)
    ladder = task.ladder(last)
    enough = [rung for rung in ladder if rung["fits"]]
    rungs = (enough or sorted(ladder, key=lambda rung: rung["peak_gib"]))[:_NAMED]
    how = _TOO_LITTLE if not enough else _NOT_FORESEEN if task.outlook(last).fits else _ENOUGH
    what, larger = Sentence("The card's memory", "显存"), Sentence("card", "显卡")
    if task.device.type == "cpu":
        what, larger = Sentence("Memory", "内存"), Sentence("machine", "机器")
    ways = Sentence(
        f"Take a smaller base or a larger {larger.en}.", f"请换更小的底座或更大的{larger.zh}。"
    )
    if rungs:
        ways = Sentence(
            f"{how.en}: {'; '.join(_rung(one).en for one in rungs)}. Clone the run into the form, "
            "choose and start; to resume this one instead, change its config.yaml, but not the "
            "optimiser.",
            f"{how.zh}：{'；'.join(_rung(one).zh for one in rungs)}。请把这次训练复制到表单，"
            "选用后开始；若要接着这次训练，请改它的 config.yaml（优化器除外）再继续。",
        )
    return Sentence(
        f"{what.en} ran out (peak {peak_gib:.1f} GiB). {ways.en}",
        f"{what.zh}不足（峰值 {peak_gib:.1f} GiB）。{ways.zh}",
    )


def _one_at_a_time(config: TrainConfig) -> TrainConfig:
    """Micro-steps have been halved by then, as far as that goes."""
    return dataclasses.replace(
        config,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=sequences_a_step(config),
        auto_find_batch_size=False,
    )


def _rung(one: dict[str, Any]) -> Sentence:
    percent, gib = round(100 * (one["time"] - 1)), f"{one['peak_gib']:.1f} GiB"
    return Sentence(
        f"{one['change']['en']} ({gib}, {f'{percent:+d} % time' if percent else 'same time'})",
        f"{one['change']['zh']}（{gib}，{f'用时 {percent:+d}%' if percent else '用时不变'}）",
    )
