"""The many ways people type one wording: openers, case, punctuation, a missing or a swapped word.

Works on one string at a time and knows nothing of intents or answers; `{placeholders}` survive.
"""

import random
import re
from collections.abc import Sequence

UNITS = {"en": re.compile(r"\S+"), "zh": re.compile(r"\{\w+\}|[A-Za-z0-9]+|.")}
PUNCTUATION = "?!.,;:？！。，；：、…"
HALF_WIDTH = str.maketrans("？！，。：；", "?!,.:;")


def normal(text: str) -> str:
    """What is left of a wording when case, punctuation and spaces do not count."""
    return "".join(character for character in text.lower() if character.isalnum())


def units(language: str, text: str) -> list[str]:
    """Words in English, single characters in Chinese, a placeholder always whole."""
    return UNITS[language].findall(text)


def joined(language: str, parts: Sequence[str]) -> str:
    return (" " if language == "en" else "").join(parts)


def noisy(rng: random.Random, language: str, wording: str, common: frozenset[str]) -> str:
    """Drop or swap a few units. Only `common` ones, which tell no intent from another, may go."""
    parts = units(language, wording)
    if len(parts) < 3:
        return wording
    kind = rng.random()
    if kind < 0.55:
        rate = rng.choice((0.15, 0.3, 0.6))
        kept = [part for part in parts if not (normal(part) in common and rng.random() < rate)]
        parts = kept or parts
    elif kind < 0.8:
        place = rng.randrange(len(parts) - 1)
        parts[place], parts[place + 1] = parts[place + 1], parts[place]
    elif kind < 0.9 and language == "en":
        rng.shuffle(parts)
    else:
        place = rng.randrange(len(parts))
        parts[place] = typo(rng, parts[place])
    return joined(language, parts)


def typo(rng: random.Random, word: str) -> str:
    """One letter missing, doubled or swapped with the next; placeholders and short words stay."""
    if "{" in word or len(word) < 4:
        return word
    place = rng.randrange(1, len(word) - 1)
    head, tail = word[:place], word[place:]
    return rng.choice((head + tail[1:], head + tail[0] + tail, head + tail[1] + tail[0] + tail[2:]))


def lowered_first(text: str) -> str:
    first = text.split(" ")[0]
    return text if first in {"I", "I'm", "I've", "I'd", "I'll"} else text[:1].lower() + text[1:]


def decorated(
    rng: random.Random, language: str, text: str, openers: Sequence[str], closers: Sequence[str]
) -> str:
    """Perhaps an opener before it and a closer behind it."""
    if openers and rng.random() < 0.2:
        opener = rng.choice(openers)
        text = opener + (lowered_first(text) if language == "en" else text)
        text = text[:1].upper() + text[1:]
    if closers and rng.random() < 0.12:
        bare, closer = text.rstrip(PUNCTUATION), rng.choice(closers)
        mark = text[len(bare) :][:1] if closer[-1:].isalnum() and rng.random() < 0.5 else ""
        text = bare + closer + mark
    return text


def typed(rng: random.Random, language: str, text: str) -> str:
    """Case, punctuation and spaces as a hurried person leaves them."""
    kind = rng.random()
    if kind < 0.45:
        return text
    if kind < 0.75:
        text = text.rstrip(PUNCTUATION) or text
    if language == "en":
        if rng.random() < 0.6:
            text = text.lower()
        elif rng.random() < 0.05:
            text = text.upper()
        if rng.random() < 0.1:
            text = text.replace("'", "")
        if rng.random() < 0.05:
            text = "".join(character for character in text if character not in PUNCTUATION)
    else:
        if rng.random() < 0.2:
            text = text.translate(HALF_WIDTH)
        if rng.random() < 0.1:
            text = re.sub(f"[{PUNCTUATION}]", rng.choice(("", " ")), text).strip() or text
    if rng.random() < 0.04:
        text += rng.choice(("!", "??", "...", " ?", "!!"))
    if rng.random() < 0.04:
        text = text.replace(" ", "  ", 1) if " " in text else text + " "
    return text.strip() or text
