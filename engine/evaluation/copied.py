"""How much of an answer stands in the training rows word for word.

An n-gram is WORDS words in a row, in mostly Chinese text CHARACTERS characters: long enough that it
is not met by chance. What is looked for is what was answered, so the memory that it takes does not
grow with the training set, and no two different n-grams are taken for one.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from engine.config import TrainConfig
from engine.dataset import opened
from engine.dataset.split import split
from engine.errors import UserError
from engine.evaluation.words import HAN
from engine.library import resolve
from engine.models.adapter import config_of_run, read_card

WORDS = 8
CHARACTERS = 13
_WORD = re.compile(r"\w+")
_SIGNS = re.compile(r"[\W_]+")
_ROWS_A_LOOK = 500


def rates(
    answers: list[str], taught: Iterable[str], stopping: Callable[[], bool] = lambda: False
) -> list[tuple[int, int]] | None:
    """Of each answer how many of its n-grams stand in the taught texts, and how many it has: 0 of
    an answer shorter than one. Case, spaces and signs do not count. None after a stop."""
    kinds = [_of_characters if _is_mostly_chinese(text) else _of_words for text in answers]
    grams = [list(kind(text)) for kind, text in zip(kinds, answers, strict=True)]
    wanted: dict[Callable, set] = {kind: set() for kind in kinds}
    for kind, some in zip(kinds, grams, strict=True):
        wanted[kind].update(some)
    found: set[Any] = set()
    for number, text in enumerate(taught):
        if number % _ROWS_A_LOOK == 0 and stopping():
            return None
        for kind, some in wanted.items():
            found.update(some.intersection(kind(text)))
    return [(sum(gram in found for gram in some), len(some)) for some in grams]


def _is_mostly_chinese(text: str) -> bool:
    characters = len(HAN.findall(text))
    return characters > len(_WORD.findall(HAN.sub(" ", text)))


def _of_words(text: str) -> Iterator[tuple[str, ...]]:
    words = _WORD.findall(text.casefold())
    return zip(*(words[at:] for at in range(WORDS)), strict=False)


def _of_characters(text: str) -> Iterator[str]:
    plain = _SIGNS.sub("", text.casefold())
    return (plain[at : at + CHARACTERS] for at in range(len(plain) - CHARACTERS + 1))


def taught_by(folders: Iterable[Path]) -> list[str]:
    """What the adapters in these folders were taught to say, as far as it is known."""
    return [text for folder in folders for text in taught_to(folder) or []]


def taught_to(folder: Path) -> list[str] | None:
    """What an adapter was taught to say: the answers, or plain texts, of its training rows without
    those held back. None where its folder does not tell, or the data is gone."""
    config = _config_of(folder)
    if config is None:
        return None
    try:
        path = resolve(config.dataset)
        found = opened.conversations(path, config.mapping, config.speaker)
    except UserError:
        return None
    rows: Iterable[int] = range(len(found.conversations))
    if not config.eval_dataset:
        rows, _ = split(found, config.eval_size, config.seed, opened.table(path).splits)
    return [text for row in rows for text in _learned(found.conversations[row])]


def _config_of(folder: Path) -> TrainConfig | None:
    """From its card, or a checkpoint's run."""
    card = read_card(folder)
    if "config" in card:
        return TrainConfig.from_dict(card["config"])
    return config_of_run(folder)


def _learned(conversation: dict[str, Any]) -> Iterator[str]:
    if "text" in conversation:
        yield conversation["text"]
        return
    for message in conversation["messages"]:
        if message["role"] == "assistant" and message["content"]:
            yield message["content"]
