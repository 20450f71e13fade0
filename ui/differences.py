"""Which words of one text are not in another; Chinese is segmented."""

import re
from collections import Counter
from difflib import SequenceMatcher
from functools import lru_cache

from engine.evaluation.words import HAN, segments

LETTER = rf"(?:(?!{HAN.pattern})\w)"
PIECES = re.compile(rf"{HAN.pattern}+|{LETTER}+(?:['’]{LETTER}+)*|\s+|.", re.DOTALL)
IS_WORD = re.compile(r"\w")
# Of equal words, one in each text. Two answers that repeat themselves have millions, and a minute
# would pass over their runs; what is in one of them only is found at once.
_MOST_PAIRS = 100_000


def same_words(one: str, other: str) -> bool:
    """Whether two texts say the same, spaces aside."""
    return one.split() == other.split()


@lru_cache(maxsize=512)
def changed_parts(text: str, base: str) -> tuple[tuple[str, bool], ...]:
    """`text` in pieces that join to it again, each with whether the base did not say it. Kept: all
    answers of a talk are drawn again with each word of the next."""
    pieces = _pieces(text)
    return tuple(_joined(pieces, _changed(pieces, _pieces(base))))


def _pieces(text: str) -> list[str]:
    """Words, spaces and signs; they join to the text again."""
    pieces: list[str] = []
    for piece in PIECES.findall(text):
        pieces += segments(piece) if HAN.match(piece) else [piece]
    return pieces


def _changed(pieces: list[str], base: list[str]) -> list[bool]:
    """Marks words only; spaces and signs between two changed words go with them."""
    words = [i for i, piece in enumerate(pieces) if IS_WORD.match(piece)]
    known = [piece for piece in base if IS_WORD.match(piece)]
    changed = [False] * len(pieces)
    for index, is_new in zip(words, _new([pieces[i] for i in words], known), strict=True):
        changed[index] = is_new
    for before, after in zip(words, words[1:], strict=False):
        if changed[before] and changed[after]:
            for index in range(before + 1, after):
                changed[index] = "\n" not in pieces[index]
    return changed


def _new(said: list[str], known: list[str]) -> list[bool]:
    """Of each word said, whether it lies outside of all runs of words that are in both texts."""
    said_often, known_often = Counter(said), Counter(known)
    if sum(said_often[word] * known_often[word] for word in said_often) > _MOST_PAIRS:
        return [word not in known_often for word in said]
    new = [True] * len(said)
    for block in SequenceMatcher(None, said, known, autojunk=False).get_matching_blocks():
        new[block.a : block.a + block.size] = [False] * block.size
    return new


def _joined(pieces: list[str], changed: list[bool]) -> list[tuple[str, bool]]:
    parts: list[tuple[str, bool]] = []
    for piece, mark in zip(pieces, changed, strict=True):
        if parts and parts[-1][1] == mark:
            parts[-1] = (parts[-1][0] + piece, mark)
        else:
            parts.append((piece, mark))
    return parts
