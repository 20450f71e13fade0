"""What the figures of learned.json mean, in plain words: the verdict on a run.

Knows no model. A figure that was not measured is said to be so.
"""

from pathlib import Path
from typing import Any

from engine.errors import Sentence
from engine.evaluation.figures import are_whole
from engine.training.live_files import read_json

# The loss fell by less than this share, and at most this share of the answers changed: about what
# two seeds of one run differ by, so nobody would hear it.
HARDLY_LOSS = 0.03
HARDLY_ANSWERS = 0.125
# Known rows have this share of the loss of unseen ones (as far as they did not for the base), and
# of what the eval loss had gained at its best step, this share was given back: less is the price
# of a small set, and the voice is still better than the base. A handful of rows wobbles by a
# hundredth or two of its loss, which is no rise.
OVERFIT_RATIO = 0.7
OVERFIT_GIVEN_BACK = 0.1
WOBBLE = 0.02
# In nats a token on general text. Tenfold parameters lower the loss of a language model of 2 nats
# by about 0.3 (Kaplan et al. 2020: loss ~ parameters^-0.076): it has lost as much as it would by
# being a tenth of its size.
FORGOT_NATS = 0.3
# A base whose loss on general text is above this share of guessing's never knew it, and so cannot
# forget it: small models of one kind of text.
KNOWS_NOTHING = 0.8

VERDICTS = {
    "learned": Sentence(
        "It learned: what it was taught shows on rows it has never seen.",
        "学会了：没见过的数据上也看得出它学到的东西。",
    ),
    "learned_known": Sentence(
        "It learned its rows. No rows were kept back, so whether more than those is not known.",
        "训练用的数据它学会了。没有留出验证数据，所以不知道它是否举一反三。",
    ),
    "learned_doubles": Sentence(
        "It learned its rows. Those that were kept back stand in the training data too, so whether "
        "more than those is not known.",
        "训练用的数据它学会了。留作验证的数据也在训练数据里，所以不知道它是否举一反三。",
    ),
    "hardly_changed": Sentence(
        "It hardly changed: it speaks almost as the base does. Train longer, or raise the "
        "learning rate.",
        "几乎没有变化：说起话来和底座差不多。请多训练一会儿，或调大学习率。",
    ),
    "overfitted": Sentence(
        "It over-fitted: it knows its rows by heart and got worse on others. Train for fewer "
        "steps, or bring more data.",
        "过拟合了：训练数据背得很熟，没见过的反而变差。请减少步数，或增加数据。",
    ),
    "worse": Sentence(
        "It got worse than the base on rows it has not seen. Lower the learning rate, and look "
        "whether the data is what you meant.",
        "在没见过的数据上，它比底座还差。请降低学习率，并检查数据是否合适。",
    ),
    "forgot": Sentence(
        "It learned its task, but forgot much of what the base knew. Lower the learning rate or "
        "the rank, train for fewer steps, or mix everyday text into the data.",
        "任务学会了，但忘了不少底座原来会的。请降低学习率或秩、减少步数，或在数据里掺一些日常文字。",
    ),
    "unknown": Sentence(
        "Not measured against the base: with this method the base cannot be heard again once "
        "training has begun. The curves are what there is.",
        "没有与底座比较：用这种方法训练以后，就听不到原来的底座了。请看曲线。",
    ),
    "failed": Sentence(
        "It could not be measured ({error}). The adapter is whole; only this card is missing.",
        "没能测量（{error}）。适配器完好，只是缺了这一项。",
    ),
    "damaged": Sentence(
        "What was measured cannot be read: learned.json is damaged. The adapter is not touched by "
        "that; only this card is missing.",
        "读不出测量结果：learned.json 已损坏。适配器不受影响，只是缺了这一项。",
    ),
}


def read(path: Path, step: int) -> dict[str, Any]:
    """A run's learned.json; {} where there is none, or one of an earlier session. One that is
    damaged is a card that says so."""
    card = read_json(path / "learned.json")
    if not (are_whole(card) and card.get("verdict", "failed") in VERDICTS):
        return {"verdict": "damaged"} if (path / "learned.json").is_file() else {}
    return card if card["step"] == step else {}


def verdict(card: dict[str, Any]) -> str:
    """A key of VERDICTS for the figures of `measure` with their "best"."""
    if overfitted(card):
        return "overfitted"
    if _drop(card["train"]) is None:
        return "unknown"
    if _hardly_changed(card):
        return "hardly_changed"
    if card["held_out"] and _drop(card["held_out"]) < 0:
        return "worse"
    if knew(card) and drift(card) >= FORGOT_NATS:
        return "forgot"
    if not card["held_out"]:
        return "learned_known"
    return "learned_doubles" if _known(card) == card["held_out"]["rows"] else "learned"


_SHORT = {
    "learned": Sentence("learned", "学会了"),
    "learned_known": Sentence("learned its rows", "学会了训练数据"),
    "learned_doubles": Sentence("learned its rows", "学会了训练数据"),
    "hardly_changed": Sentence("hardly changed", "几乎没变"),
    "overfitted": Sentence("over-fitted", "过拟合"),
    "worse": Sentence("worse than the base", "不如底座"),
    "forgot": Sentence("learned, but forgot", "学会了，但有遗忘"),
    "unknown": Sentence("not measured", "没有测量"),
    "failed": Sentence("not measured", "没有测量"),
    "damaged": Sentence("cannot be read", "读不出"),
}


def in_short(card: dict[str, Any]) -> Sentence:
    """The verdict in a word or three, for a cell."""
    return _SHORT[card.get("verdict", "failed")]


def headline(card: dict[str, Any]) -> Sentence:
    """The verdict in one plain sentence."""
    if "failed" in card:
        return Sentence(*(words.format(error=card["failed"]) for words in VERDICTS["failed"]))
    return VERDICTS[card["verdict"]]


def measured(card: dict[str, Any]) -> list[tuple[Sentence, dict[str, Any]]]:
    """The losses, each under what it was measured on; held-out rows only where there are any."""
    if "train" not in card:
        return []
    known, unseen, general = card["train"], card["held_out"], card["general"]
    named = [
        (Sentence(f"{known['rows']} rows it learned from", f"训练过的 {known['rows']} 条"), known)
    ]
    if unseen:
        count, both = unseen["rows"], _known(card)
        words = Sentence(f"{count} rows it has never seen", f"没见过的 {count} 条")
        if both:
            words = Sentence(
                f"{count} rows kept back, {both} of them trained on too",
                f"留出的 {count} 条，其中 {both} 条也在训练数据里",
            )
        named.append((words, unseen))
    return [*named, (Sentence("everyday text", "日常文字"), general)]


def _drop(losses: dict[str, Any] | None) -> float | None:
    """The share by which the adapter's loss is below the base's; None when not measured."""
    if not losses or losses["base"] is None:
        return None
    return 1 - _ratio(losses["adapter"], losses["base"])


def _ratio(one: float, other: float) -> float:
    """A loss is rounded, and may be nothing then."""
    return one / max(other, 1e-9)


def _known(card: dict[str, Any]) -> int:
    """Rows that were kept back and trained on all the same; older cards did not count them."""
    return card["held_out"].get("known", 0)


def drift(card: dict[str, Any]) -> float:
    return card["general"]["adapter"] - card["general"]["base"]


def knew(card: dict[str, Any]) -> bool:
    return card["general"]["base"] <= KNOWS_NOTHING * card["general"]["guess"]


def _hardly_changed(card: dict[str, Any]) -> bool:
    answers = card["answers"]
    few = not answers or answers["changed"] <= HARDLY_ANSWERS * answers["asked"]
    return few and abs(_drop(card["train"])) < HARDLY_LOSS


def overfitted(card: dict[str, Any]) -> bool:
    train, held_out, best = card["train"], card["held_out"], card["best"]
    if not held_out or not best:
        return False
    ratio = _ratio(train["adapter"], held_out["adapter"])
    if train["base"] is not None:
        ratio /= _ratio(train["base"], held_out["base"]) or 1.0
    gained = (best["first_eval_loss"] or 0.0) - best["eval_loss"]
    return ratio < OVERFIT_RATIO and risen(best) and _rise(best) > OVERFIT_GIVEN_BACK * gained


def _rise(best: dict[str, Any]) -> float:
    """None of a model that is the best one, however the curve went on; older cards do not tell."""
    if best.get("is_adapter"):
        return 0.0
    return best["last_eval_loss"] - best["eval_loss"]


def risen(best: dict[str, Any] | None) -> bool:
    return bool(best) and _rise(best) > WOBBLE * best["eval_loss"]
