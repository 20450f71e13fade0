"""In which script a text is written, and how long it is to a reader."""

import re
from collections import Counter

from engine.dataset.doctor.faults import without_code
from engine.errors import Sentence

TITLES: dict[str, Sentence] = {
    "latin": Sentence("Latin letters", "拉丁字母"),
    "chinese": Sentence("Chinese", "中文"),
    "japanese": Sentence("Japanese", "日文"),
    "korean": Sentence("Korean", "韩文"),
    "cyrillic": Sentence("Cyrillic letters", "西里尔字母"),
    "arabic": Sentence("Arabic letters", "阿拉伯字母"),
    "hebrew": Sentence("Hebrew letters", "希伯来字母"),
    "greek": Sentence("Greek letters", "希腊字母"),
    "devanagari": Sentence("Devanagari", "天城文"),
    "thai": Sentence("Thai", "泰文"),
}
_LETTERS = {
    "latin": "A-Za-z\u00c0-\u024f",
    "chinese": "\u3400-\u9fff\U00020000-\U0003ffff",
    "japanese": "\u3040-\u30ff",
    "korean": "\uac00-\ud7af",
    "cyrillic": "\u0400-\u052f",
    "arabic": "\u0600-\u06ff",
    "hebrew": "\u0590-\u05ff",
    "greek": "\u0370-\u03ff",
    "devanagari": "\u0900-\u097f",
    "thai": "\u0e00-\u0e7f",
}
_RUN = re.compile("|".join(f"(?P<{script}>[{letters}]+)" for script, letters in _LETTERS.items()))
_NO_ASCII_LETTERS = bytes(code for code in range(128) if not chr(code).isalpha())
# A Chinese word is about two characters long, an English one five letters: counted by letters
# alone, a Chinese sentence with two English names in it would be English.
_WEIGHTS = {"chinese": 3, "japanese": 3, "korean": 3}
_CHARACTERS_READ = 400  # enough to tell
_KANA_SHARE = 0.1  # Japanese has at least that much kana among its characters

_WORD = re.compile(
    "[\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]|[^\\W\u3040-\u30ff\u3400-\u9fff]+"
)


def script_of(text: str, at_least: int = 1) -> str:
    """The script of most letters outside code, a key of TITLES; "" below `at_least` letters.

    A character of Chinese, Japanese or Korean counts as three letters.
    """
    text = without_code(text[:_CHARACTERS_READ])
    counts: Counter = Counter()
    if text.isascii():
        counts["latin"] = len(text.encode().translate(None, _NO_ASCII_LETTERS))
    else:
        for run in _RUN.finditer(text):
            counts[run.lastgroup] += len(run[0]) * _WEIGHTS.get(run.lastgroup, 1)
        characters = counts["chinese"] + counts["japanese"]
        if counts["japanese"] > _KANA_SHARE * characters:
            counts["japanese"], counts["chinese"] = characters, 0
    script, letters = max(counts.items(), key=lambda one: one[1], default=("", 0))
    return script if letters >= at_least else ""


def is_short(text: str, fewest: int) -> bool:
    """Whether it has fewer words than that; a Chinese or Japanese character counts as one."""
    found = _WORD.finditer(text)
    return sum(1 for _ in zip(range(fewest), found, strict=False)) < fewest
