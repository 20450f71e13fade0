"""Which words of one text are not in another; in Chinese, which characters."""

import re
from difflib import SequenceMatcher

CHINESE = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
LETTER = rf"(?:(?![{CHINESE}])\w)"
PIECES = re.compile(rf"[{CHINESE}]|{LETTER}+(?:['’]{LETTER}+)*|\s+|.", re.DOTALL)
IS_WORD = re.compile(r"\w")
IS_CHINESE = re.compile(f"[{CHINESE}]")


def same_words(one: str, other: str) -> bool:
    """Whether two texts say the same, spaces aside."""
    return one.split() == other.split()


def changed_parts(text: str, base: str) -> list[tuple[str, bool]]:
    """`text` in pieces that join to it again, each with whether the base did not say it."""
    pieces = PIECES.findall(text)
    return _joined(pieces, _changed(pieces, PIECES.findall(base)))


def _changed(pieces: list[str], base: list[str]) -> list[bool]:
    """Marks words only; spaces and signs between two changed words go with them."""
    words = [i for i, piece in enumerate(pieces) if IS_WORD.match(piece)]
    known = [piece for piece in base if IS_WORD.match(piece)]
    changed = [False] * len(pieces)
    for index in words:
        changed[index] = True
    said = [pieces[i] for i in words]
    for block in SequenceMatcher(None, said, known, autojunk=False).get_matching_blocks():
        if _chance(said, block.a, block.size):
            continue
        for index in words[block.a : block.a + block.size]:
            changed[index] = False
    for before, after in zip(words, words[1:], strict=False):
        if changed[before] and changed[after]:
            for index in range(before + 1, after):
                changed[index] = "\n" not in pieces[index]
    return changed


def _chance(said: list[str], start: int, size: int) -> bool:
    """One Chinese character in common amid others is chance, not a word kept."""
    return size == 1 < len(said) and bool(IS_CHINESE.match(said[start]))


def _joined(pieces: list[str], changed: list[bool]) -> list[tuple[str, bool]]:
    parts: list[tuple[str, bool]] = []
    for piece, mark in zip(pieces, changed, strict=True):
        if parts and parts[-1][1] == mark:
            parts[-1] = (parts[-1][0] + piece, mark)
        else:
            parts.append((piece, mark))
    return parts
