"""The options of logging and saving."""

from dataclasses import dataclass
from functools import partial

from engine.options import declare

option = partial(declare.option, group="saving")


@dataclass(kw_only=True)
class Saving:
    logging_steps: int = option(
        1,
        ("Log every", "每几步记录"),
        ("steps between two points of the curve", "曲线上两点之间的步数"),
        low=1,
        high=100_000,
    )
    eval_steps: int = option(
        0,
        ("Evaluate every", "每几步评估"),
        ("steps; 0: about eight times in a run", "步数；0 表示全程约八次"),
        low=0,
        high=1_000_000,
    )
    save_steps: int = option(
        0,
        ("Save every", "每几步保存"),
        ("steps; 0: about four times in a run", "步数；0 表示全程约四次"),
        low=0,
        high=1_000_000,
    )
    save_total_limit: int = option(
        2,
        ("Checkpoints kept", "保留几个检查点"),
        ("older ones are removed; the best is kept besides", "更早的会删除，最好的另外保留"),
        low=1,
        high=1000,
    )
    load_best_model_at_end: bool = option(
        False,
        ("Keep the best", "保留最好的"),
        (
            "what is kept at the end is the model with the lowest eval loss, not the last",
            "结束时保留验证 loss 最低的模型，而不是最后一步的",
        ),
    )
