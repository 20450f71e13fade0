"""What all voices are asked: prompts of one's own, or questions of a dataset with its answers."""

import random
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from engine.dataset import opened
from engine.errors import UserError

Turns = list[dict[str, str]]
_SPOKEN = {"system", "user", "assistant"}
_SHORT = 120  # bytes of UTF-8: some twenty English words, or forty Chinese characters


@dataclass(frozen=True, slots=True)
class Asked:
    """`turns` end with a user's; `reference` is what a dataset answers, "" without one. `prompt` is
    the last question, without an instruction that was put before it."""

    turns: Turns
    prompt: str
    reference: str = ""


def typed(text: str) -> list[Asked]:
    """One prompt a line. Raises UserError (field "prompts") where there is none."""
    prompts = [line.strip() for line in text.splitlines() if line.strip()]
    if not prompts:
        raise UserError(
            "There is no question; write one a line.",
            "还没有问题；请每行写一个。",
            field="prompts",
        )
    return [Asked([{"role": "user", "content": one}], one) for one in prompts]


def from_dataset(
    path: Path,
    count: int,
    seed: int = 0,
    mapping: str = "",
    speaker: str = "",
    without: Collection[str] = (),
) -> list[Asked]:
    """Conversations drawn by the seed, in the file's order: the last answer is the reference, what
    stands before it is asked. All of them when there are no more than `count`; rows whose answer is
    in `without` are passed over.

    Raises UserError (field "count", or as engine.dataset.opened does; "dataset" where no row asks
    and answers in plain text, "unseen" where all of those are in `without`).
    """
    if count < 1:
        raise UserError(
            f"{count} questions cannot be asked; choose at least one.",
            f"不能只问 {count} 个问题；请至少选一个。",
            field="count",
        )
    rows = opened.conversations(path, mapping, speaker).conversations
    order = random.Random(seed).sample(range(len(rows)), len(rows))
    chosen: dict[int, Asked] = {}
    known, passed = {text.strip() for text in without}, 0
    for number in order:
        one = _asked(rows[number])
        if one and one.reference.strip() in known:
            passed += 1
        elif one:
            chosen[number] = one
        if len(chosen) == count:
            break
    if passed and not chosen:
        raise UserError(
            f"Every answer of {path.name} was trained on; hold rows back in training, choose other "
            "data, or ask what was trained on too.",
            f"{path.name} 里的回答全都训练过；请在训练时留出验证数据、换别的数据，"
            "或者连训练过的也一起问。",
            field="unseen",
        )
    if not chosen:
        raise UserError(
            f"No row of {path.name} asks something and answers it in words, so there is nothing to "
            "compare with; choose a dataset of questions and answers.",
            f"{path.name} 里没有一问一答的文字数据，无法对比；请选择问答类的数据。",
            field="dataset",
        )
    return [chosen[number] for number in sorted(chosen)]


def to_watch(path: Path, count: int, mapping: str = "", speaker: str = "") -> list[str]:
    """Short questions that begin a conversation, evenly out of the file, each once and on one line:
    fewer, or none, where there are no more. Raises UserError as engine.dataset.opened does."""
    rows = opened.conversations(path, mapping, speaker).conversations
    begun = (one for one in map(_asked, rows) if one and _begins(one.turns))
    prompts = list(dict.fromkeys(one.prompt.strip() for one in begun))
    short = [one for one in prompts if _is_short(one)]
    count = min(count, len(short))
    return [short[len(short) * number // count] for number in range(count)]


def _is_short(prompt: str) -> bool:
    return len(prompt.encode(errors="replace")) <= _SHORT and len(prompt.splitlines()) == 1


def _begins(turns: Turns) -> bool:
    return all(one["role"] == "system" for one in turns[:-1])


def instructed(asked: list[Asked], instruction: str) -> list[Asked]:
    """With the instruction on a line before each last question, as rows of instruction and input
    are read."""
    instruction = instruction.strip()
    return [replace(one, turns=_before(one.turns, instruction)) for one in asked]


def _before(turns: Turns, instruction: str) -> Turns:
    if not instruction:
        return turns
    *earlier, last = turns
    return [*earlier, last | {"content": f"{instruction}\n{last['content']}"}]


def _asked(conversation: dict) -> Asked | None:
    """None for plain texts, tools, and what does not end in a question and its answer."""
    turns = conversation.get("messages", [])
    if conversation.get("tools") or len(turns) < 2:
        return None
    if any(one["role"] not in _SPOKEN or one.get("tool_calls") for one in turns):
        return None
    *before, asking, last = [{"role": one["role"], "content": one["content"]} for one in turns]
    words = asking["content"].strip() and last["content"].strip()
    if (asking["role"], last["role"]) != ("user", "assistant") or not words:
        return None
    return Asked([*before, asking], asking["content"], last["content"])
