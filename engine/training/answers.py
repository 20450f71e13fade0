"""samples.jsonl read: what each fixed question was answered by the base, and at each step."""

from dataclasses import dataclass
from typing import Any

BASE = "base"


@dataclass(frozen=True, slots=True)
class Asked:
    """A fixed question. `base` is None where the base was not heard (old runs, some methods)."""

    prompt: str
    base: str | None
    answers: dict[int, str]  # by step, in order


def asked(samples: list[dict[str, Any]]) -> list[Asked]:
    """The questions in the order in which they were first asked; none without an answer at a
    step."""
    bases, answers = {}, {}
    for row in samples:
        if row.get("voice") == BASE:
            bases[row["prompt"]] = row["answer"]
        else:
            answers.setdefault(row["prompt"], {})[row["step"]] = row["answer"]
    return [
        Asked(prompt, bases.get(prompt), dict(sorted(steps.items())))
        for prompt, steps in answers.items()
    ]
