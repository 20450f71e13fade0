"""Answers that are read but not learned: a message may have "weight": 0, as OpenAI's files say."""

from typing import Any

FIELD = "weight"
UNLEARNED = {FIELD: 0}


def is_learned(message: dict[str, Any]) -> bool:
    return message.get(FIELD) != 0
