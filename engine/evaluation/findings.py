"""What was measured of a run beside its losses, a sentence each: what stands behind the verdict."""

from typing import Any

from engine.errors import Sentence
from engine.evaluation.verdict import FORGOT_NATS, drift, knew, overfitted, risen


def findings(card: dict[str, Any]) -> list[Sentence]:
    """What was measured beside the losses, a sentence each; the most telling first."""
    if "train" not in card:
        return []
    made = (_about_answers, _about_fit, _about_best, _about_drift, _about_modules)
    return [sentence for one in made if (sentence := one(card))]


def _about_answers(card: dict[str, Any]) -> Sentence | None:
    answers = card["answers"]
    if not answers:
        return None
    changed, asked = answers["changed"], answers["asked"]
    return Sentence(
        f"{changed} of {asked} answers to prompts from the data changed.",
        f"用数据里的 {asked} 个提问试过，{changed} 个回答变了。",
    )


def _about_fit(card: dict[str, Any]) -> Sentence:
    if not card["held_out"]:
        return Sentence(
            "No rows were kept for validation, so over-fitting cannot be told.",
            "没有留出验证数据，无法判断是否过拟合。",
        )
    known, unseen = card["train"]["adapter"], card["held_out"]["adapter"]
    if overfitted(card):
        return Sentence(
            f"Over-fitting: loss {known:.2f} on rows it trained on, {unseen:.2f} on others, and "
            "there it has been rising.",
            f"过拟合：训练过的数据损失 {known:.2f}，其他数据 {unseen:.2f}，而且还在上升。",
        )
    if risen(card["best"]):
        return Sentence(
            "A first sign of over-fitting: the eval loss has risen a little since its best step.",
            "有一点过拟合的苗头：验证损失在最低点之后略有回升。",
        )
    return Sentence("No sign of over-fitting.", "没有过拟合的迹象。")


def _about_best(card: dict[str, Any]) -> Sentence | None:
    best = card["best"]
    if not best:
        return None
    step, loss, kept = best["step"], best["eval_loss"], best["checkpoint"]
    if step == best["last_step"]:
        return Sentence(
            f"The eval loss was lowest at its last measurement, step {step} ({loss:.3f}).",
            f"最后一次验证（第 {step} 步）时验证损失最低（{loss:.3f}）。",
        )
    en, zh = f"; it is kept in {kept}", f"，保存在 {kept}"
    if best.get("is_adapter"):
        en, zh = "; the adapter is the model of that step", "，适配器就是那一步的模型"
    elif not kept:
        en, zh = "; no checkpoint of that step is kept", "；那一步的检查点没有保留"
    return Sentence(
        f"The eval loss was lowest at step {step} ({loss:.3f}){en}.",
        f"第 {step} 步时验证损失最低（{loss:.3f}）{zh}。",
    )


def _about_drift(card: dict[str, Any]) -> Sentence:
    general = card["general"]
    if general["base"] is None:
        return Sentence(
            "Whether it forgot anything was not measured.", "没有测量它是否忘了原来会的。"
        )
    base, adapter = general["base"], general["adapter"]
    if not knew(card):
        return Sentence(
            f"This base hardly knows everyday text (loss {base:.2f}, {general['guess']:.2f} by "
            "guessing), so whether it forgot cannot be told.",
            f"这个底座本来就不太懂日常文字（损失 {base:.2f}，瞎猜为 {general['guess']:.2f}），"
            "因此无法判断是否遗忘。",
        )
    if drift(card) >= FORGOT_NATS:
        return Sentence(
            f"Forgetting: its loss on everyday text rose from {base:.2f} to {adapter:.2f}.",
            f"有遗忘：日常文字上的损失从 {base:.2f} 升到 {adapter:.2f}。",
        )
    return Sentence(
        f"No forgetting that counts: its loss on everyday text was {base:.2f} and is "
        f"{adapter:.2f}.",
        f"没有明显的遗忘：日常文字上的损失原为 {base:.2f}，现为 {adapter:.2f}。",
    )


def _about_modules(card: dict[str, Any]) -> Sentence:
    modules = card["modules"]
    if not modules:
        return Sentence(
            "What changed in each module was not measured with this method.",
            "这种方法没有逐个模块测量变化。",
        )
    zero, count = modules["zero"], modules["count"]
    if not zero:
        return Sentence(
            f"All {count} modules with an adapter changed.", f"{count} 个带适配器的模块都有变化。"
        )
    some = ", ".join(zero[:3]) + (" …" if len(zero) > 3 else "")
    return Sentence(
        f"{len(zero)} of {count} modules did not change at all: {some}.",
        f"{count} 个模块中有 {len(zero)} 个完全没有变化：{some}。",
    )
