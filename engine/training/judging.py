"""Before the start: whether a run has what it is judged by: rows that are kept back, evaluations on
them, and losses that are looked at. Else such options would never act."""

from typing import Any

from engine.config import TrainConfig
from engine.dataset.split import FEWEST_FOR_A_SHARE
from engine.errors import Sentence
from engine.training.arguments import evaluates_every


def cannot_judge(config: TrainConfig, facts: dict[str, Any], max_steps: int) -> dict[str, Sentence]:
    """By field. `facts` are those of dataset.json."""
    if facts["eval_file"] and facts["eval_sha256"] == facts["sha256"]:
        return {"eval_dataset": _SAME_ROWS}
    if config.stop_at_loss and 1 < max_steps <= config.logging_steps:
        return {"logging_steps": _never_logged(config, max_steps)}
    if not (config.early_stopping_patience or config.load_best_model_at_end):
        return {}
    if not facts["eval_rows"]:
        words = _nothing_kept(config, facts)
        wanted = ("early_stopping_patience", "load_best_model_at_end")
        return {name: words for name in wanted if getattr(config, name)}
    return _too_seldom(config, max_steps)


_SAME_ROWS = Sentence(
    "The validation file holds the very rows that are trained on, so it could not show whether "
    "anything else was learned; choose another file, or none, and rows of the data are kept back.",
    "验证数据与训练数据完全相同，无法看出是否举一反三；请换一份，或留空，从训练数据里留出一部分。",
)


def _never_logged(config: TrainConfig, max_steps: int) -> Sentence:
    return Sentence(
        f"The run has {max_steps} steps and its loss would be looked at after "
        f"{config.logging_steps}, so stop_at_loss could never stop it. Write at most "
        f"{max_steps - 1}, or set stop_at_loss to 0.",
        f"全程 {max_steps} 步，却要每 {config.logging_steps} 步才看一次 loss，"
        "stop_at_loss 永远不会起作用。"
        f"请填不超过 {max_steps - 1} 的数，或把 stop_at_loss 设为 0。",
    )


def _nothing_kept(config: TrainConfig, facts: dict[str, Any]) -> Sentence:
    why = (
        "This looks at the eval loss, and no row is kept for validation",
        "这要看验证 loss，但没有留作验证的数据",
    )
    rows, size = facts["train_rows"], config.eval_size
    spared = size < 1 and (rows < FEWEST_FOR_A_SHARE or round(rows * size) == 0)
    if config.eval_dataset or not spared:
        return Sentence(
            f"{why[0]}: in those that would be there is nothing to learn within "
            f'{config.max_length} tokens. Raise "Longest row, tokens" (max_length), choose other '
            "rows, or switch this off.",
            f"{why[1]}：要留出的那些在 {config.max_length} 个 token 内没有可学的内容。"
            "请调大“最长一条（token）”（max_length）、换别的数据，或关掉此项。",
        )
    if rows < 2:
        return Sentence(
            f"{why[0]}: there is one row, and it is trained on. Bring more rows or a validation "
            "file, or switch this off.",
            f"{why[1]}：只有一条数据，要用来训练。请增加数据、另选验证数据，或关掉此项。",
        )
    return Sentence(
        f"{why[0]}: {rows} rows are too few for a share of {size:g} (files of fewer than "
        f"{FEWEST_FOR_A_SHARE} are not shared). Set eval_size to 1, which keeps one row, "
        "or switch this off.",
        f"{why[1]}：{rows} 条太少，留不出 {size:g}"
        f"（不到 {FEWEST_FOR_A_SHARE} 条的文件不按比例拆分）。"
        "请把 eval_size 设为 1，即留出一条，或关掉此项。",
    )


def _too_seldom(config: TrainConfig, max_steps: int) -> dict[str, Sentence]:
    """Between the first step and the last there must be as many evaluations as patience has."""
    every, patience = evaluates_every(config, max_steps), config.early_stopping_patience
    count = max_steps // every
    if not count:
        return {
            "eval_steps": Sentence(
                f"The run has {max_steps} steps and would be evaluated after {every}, so never; "
                "early stopping and the best model look at the eval loss. Write at most "
                f"{max_steps}, or 0.",
                f"全程只有 {max_steps} 步，却要每 {every} 步才评估一次，也就是从不评估；"
                f"而提前停止和保留最好的模型要看验证 loss。请填不超过 {max_steps} 的数，或填 0。",
            )
        }
    if count < patience:
        return {
            "early_stopping_patience": Sentence(
                f"The run is evaluated {count} times after its start, so the eval loss can never "
                f"stand still {patience} times in a row; write at most {count}, or evaluate more "
                "often (eval_steps).",
                f"开始之后只评估 {count} 次，验证 loss 不可能连续 {patience} 次没有降低；"
                f"请填不超过 {count} 的数，或更频繁地评估（eval_steps）。",
            )
        }
    return {}
