"""The options of the data: what is learned of it, and what is kept back."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from engine.options import declare

option = partial(declare.option, group="data")


@dataclass(kw_only=True)
class Data:
    loss_on: Literal["answers", "last_answer", "everything"] = option(
        "answers",
        ("Learn", "学习哪些部分"),
        (
            "all answers, only the last one, or every token",
            "所有回答、只学最后一个回答，或全部 token",
        ),
        elsewhere=(
            "train_on_inputs",
            "train_on_prompt",
            "completion_only_loss",
            "assistant_only_loss",
        ),
    )
    chat_template: Literal["model", "instruction"] = option(
        "model",
        ("Chat template", "对话模板"),
        (
            "the model's own, or ### Instruction for a base that has seen no conversation",
            "模型自己的，或 ### Instruction：适合没见过对话的底座",
        ),
    )
    packing: bool = option(
        True,
        ("Packing", "打包"),
        (
            "short rows share one sequence and do not see each other",
            "短的几条拼进同一序列，彼此看不见",
        ),
    )
    mapping: str = option(
        "",
        ("Columns", "列的用途"),
        (
            "question=user, answer=assistant; empty: found by itself",
            "如 question=user, answer=assistant；留空则自动识别",
        ),
    )
    speaker: str = option(
        "",
        ("Speaker", "说话人"),
        (
            "in a script, whose lines are learned; empty: who speaks most",
            "剧本中学谁的台词；留空则为台词最多的人",
        ),
    )
    eval_size: float = option(
        0.1,
        ("Kept for validation", "留作验证"),
        (
            "below 1 a share of the rows, from 1 on a number of rows; never trained on",
            "小于 1 为占全部数据的比例，1 以上为条数；不参与训练",
        ),
        low=0.0,
        high=1_000_000,
    )
    eval_dataset: str = option(
        "",
        ("Validation file", "验证数据"),
        (
            "a dataset of its own for validation; empty: rows of the training data",
            "另用一份数据来验证；留空则从训练数据里留出",
        ),
    )
    sample_prompts: str = option(
        "",
        ("Fixed questions", "固定提问"),
        (
            "one a line; answered as often as it is evaluated, so you hear it change",
            "每行一个；按评估的间隔回答，听它怎样变化",
        ),
        lines=3,
        joined_by="\n",
    )
