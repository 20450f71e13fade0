"""Character cards: the same card gives the system prompt in training and in chat."""

from engine.characters.card import Character
from engine.characters.shelf import get, list_characters

__all__ = ["Character", "get", "list_characters"]
