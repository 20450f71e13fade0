"""The self-check: what was written, loaded anew, says what base and adapter say, and not the base.

Logits are compared along the tuned model's own greedy answers, so that all models are asked the
same; then each answers by itself.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from engine.dataset.prompt import render
from engine.errors import Sentence
from engine.export.prompts import Messages
from engine.training.once import greedy_ids

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ANSWER_TOKENS = 24
LONGEST_PROMPT = 512
# The largest difference of two logits, as a share of the largest logit. Measured on 2026-11-21
# with sprout and a random adapter, asked in float32: stored as float32 1.3e-6, float16 5e-4,
# bfloat16 4e-3, q8_0 1.5e-2. A model of many layers, or one asked in half precision, adds up more.
TOLERANCES = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 5e-2, "q8_0": 8e-2}


@dataclass(frozen=True, slots=True)
class Heard:
    """What the tuned model said, and what the base says to the same tokens."""

    prompts: list[list[int]]
    answers: list[list[int]]
    tuned: list[torch.Tensor]  # [tokens of the answer + 1, vocabulary] each, float32, on the CPU
    base: list[torch.Tensor]


def listen(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", prompts: list[Messages]
) -> Heard:
    """Asks the tuned model; `base` is still empty."""
    ids = [_ids(tokenizer, one) for one in prompts]
    answers = greedy_ids(model, tokenizer, ids, ANSWER_TOKENS)
    return Heard(ids, answers, logits_along(model, ids, answers), [])


@torch.inference_mode()
def logits_along(
    model: "PreTrainedModel", prompts: list[list[int]], answers: list[list[int]]
) -> list[torch.Tensor]:
    """Of each answer's tokens the logits before them, and those after the last."""
    found = []
    for prompt, answer in zip(prompts, answers, strict=True):
        ids = torch.tensor([prompt + answer], device=model.device)
        kept = len(answer) + 1
        logits = model(input_ids=ids, use_cache=False).logits[0, -kept:]
        found.append(logits.float().cpu())
    return found


def compare(
    heard: Heard,
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    precisions: tuple[str, ...],
) -> dict[str, Any]:
    """The result for a written `model`: {passed, largest_difference, tolerance, from_base, prompts,
    equal_answers}, differences as shares of the largest logit. `precisions`: in which the model is
    stored and was asked, keys of TOLERANCES; the coarsest allows most.

    Passed: every logit within tolerance, nearer to the tuned model than to the base, and in float32
    the same answers.
    """
    logits = logits_along(model, heard.prompts, heard.answers)
    largest = max(one.abs().max().item() for one in heard.tuned)
    difference = _furthest(logits, heard.tuned) / largest
    tolerance = max(TOLERANCES[one] for one in precisions)
    answers = greedy_ids(model, tokenizer, heard.prompts, ANSWER_TOKENS)
    equal = sum(one == other for one, other in zip(answers, heard.answers, strict=True))
    exact = set(precisions) == {"float32"}
    passed = (
        difference <= tolerance  # False for NaN
        and _distance(logits, heard.tuned) < _distance(logits, heard.base)
        and (equal == len(answers) or not exact)
    )
    return {
        "passed": bool(passed),
        "largest_difference": difference,
        "tolerance": tolerance,
        "from_base": _furthest(logits, heard.base) / largest,
        "prompts": len(answers),
        "equal_answers": equal,
    }


def in_words(check: dict[str, Any]) -> Sentence:
    """The result in one sentence, with what to do when it failed."""
    difference, from_base = (_percent(check[n]) for n in ("largest_difference", "from_base"))
    equal, asked = check["equal_answers"], check["prompts"]
    if check["passed"]:
        return Sentence(
            f"Checked: loaded anew, it answered {equal} of {asked} prompts word for word as base "
            f"and adapter do; no logit is off by more than {difference} of the largest "
            f"({_percent(check['tolerance'])} allowed), and the base is {from_base} away.",
            f"检查通过：重新载入后，{asked} 个提问中有 {equal} 个与“底座加适配器”逐字相同；"
            f"logit 的最大偏差为最大值的 {difference}（允许 {_percent(check['tolerance'])}），"
            f"与底座相差 {from_base}。",
        )
    return Sentence(
        f"Failed check: what was written does not speak as base and adapter do. Its logits are off "
        f"by {difference} of the largest ({_percent(check['tolerance'])} allowed; the base is "
        f"{from_base} away), {equal} of {asked} answers are equal. The files are kept, but do not "
        "pass them on; leave the adapter on its base, or try float32.",
        f"检查未通过：写出的模型与“底座加适配器”说的不一样。logit 偏差为最大值的 {difference}"
        f"（允许 {_percent(check['tolerance'])}；与底座相差 {from_base}），{asked} 个回答中 "
        f"{equal} 个相同。文件已保留，但请不要分发；可以继续使用适配器，或改用 float32 再试。",
    )


def _percent(share: float) -> str:
    percent = 100 * share
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"


def _ids(tokenizer: "PreTrainedTokenizerBase", messages: Messages) -> list[int]:
    text = render(tokenizer, messages, add_generation_prompt=True).text
    return tokenizer(text, add_special_tokens=False)["input_ids"][-LONGEST_PROMPT:]


def _furthest(some: list[torch.Tensor], others: list[torch.Tensor]) -> float:
    return max((a - b).abs().max().item() for a, b in zip(some, others, strict=True))


def _distance(some: list[torch.Tensor], others: list[torch.Tensor]) -> float:
    """Of all logits together, Euclidean."""
    pairs = zip(some, others, strict=True)
    return sum((a - b).double().square().sum().item() for a, b in pairs) ** 0.5
