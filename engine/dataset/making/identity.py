"""Self-knowledge: rows that teach a model its name and who made it, from data/identity.yaml."""

import random
import re
from typing import Any, Literal

import yaml

from engine.errors import UserError
from engine.places import DATA_DIR

_LANGUAGES = {"en": ("en",), "zh": ("zh",), "both": ("en", "zh")}
_SEED = 0  # the same name and maker give the same rows
_GAP = re.compile(r"\{(name|maker)\}")


def identity_rows(
    name: str, maker: str, language: Literal["en", "zh", "both"]
) -> list[dict[str, Any]]:
    """Rows of {"messages": [user, assistant]}: every question once, in a mixed order.

    Raises UserError (field "name" or "maker") for an empty one.
    """
    values = {"name": name.strip(), "maker": maker.strip()}
    _check(values)
    chance = random.Random(_SEED)
    rows = []
    for intent in _read().values():
        for one in _LANGUAGES[language]:
            answers = chance.sample(intent[one]["answers"], len(intent[one]["answers"]))
            for i, question in enumerate(intent[one]["questions"]):
                rows.append(_row(question, _filled(answers[i % len(answers)], values)))
    chance.shuffle(rows)
    return rows


def _check(values: dict[str, str]) -> None:
    if not values["name"]:
        raise UserError(
            "The model has no name yet; write the one that it shall call itself.",
            "还没有给模型起名字；请填写它该怎么称呼自己。",
            field="name",
        )
    if not values["maker"]:
        raise UserError(
            "Who made the model is missing; write a person, a team or a company.",
            "还没有填写模型的开发者；请填写个人、团队或公司的名称。",
            field="maker",
        )


def _read() -> dict[str, dict[str, dict[str, list[str]]]]:
    """By intent and language: the questions, and the answers that fit each of them."""
    return yaml.safe_load((DATA_DIR / "identity.yaml").read_text(encoding="utf-8"))


def _filled(answer: str, values: dict[str, str]) -> str:
    """In one pass, so that a name may hold braces."""
    return _GAP.sub(lambda gap: values[gap[1]], answer)


def _row(question: str, answer: str) -> dict[str, Any]:
    return {
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        ]
    }
