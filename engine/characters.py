"""Character cards: the same card gives the system prompt in training and in chat."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from engine.errors import Sentence, UserError
from engine.places import DATA_DIR


@dataclass(frozen=True, slots=True)
class Character:
    """A card. `exam` holds the markers of its voice and its held-out questions."""

    id: str
    name: str
    language: str
    title: Sentence
    dataset: str
    system_prompt: str
    greeting: str
    questions: list[str]
    exam: dict[str, list[str]]


def list_characters() -> list[Character]:
    """All cards in data/characters/, English ones first."""
    cards = [_read(path) for path in (DATA_DIR / "characters").glob("*.yaml")]
    return sorted(cards, key=lambda card: (card.language, card.id))


def get(character: str) -> Character:
    """Raises UserError for an unknown id."""
    path = DATA_DIR / "characters" / f"{character}.yaml"
    if not re.fullmatch(r"[a-z0-9-]+", character) or not path.is_file():
        known = ", ".join(card.id for card in list_characters())
        raise UserError(
            f"There is no character {character!r}; known are {known}.",
            f"没有角色 {character!r}；现有 {known}。",
            field="character",
        )
    return _read(path)


def _read(path: Path) -> Character:
    card: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return Character(id=path.stem, **(card | {"title": Sentence(**card["title"])}))
