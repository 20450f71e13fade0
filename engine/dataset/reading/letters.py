"""Whether bytes are Chinese or Western European by the letters that people write there.

A few such words in a file of English are too little for statistics, but not for a look at them.
"""

import re
from functools import cache

_FEW_OTHERS = 0.1
_FEW_DIFFERENT = 8
_CHINESE_MARKS = "　、。·…—～‘’“”〈〉《》「」『』【】！（），：；？￥"
_WESTERN = frozenset("àâäáãåæçèéêëìíîïñòóôõöøùúûüÿœßÀÂÄÁÃÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜŸŒ")
_WESTERN_MARKS = frozenset("“”„‘’–—…«»‹›¿¡€£§°·•©®™ªº½´\xa0")
_FOREIGN_WORD = re.compile(f"[{''.join(_WESTERN)}]{{4}}")


def is_chinese(text: str) -> bool:
    """`text` is what GB18030 makes of the bytes. Of French it makes rare characters, of Korean
    common ones, but all from the first 25 rows of GB 2312, where Korean has its syllables."""
    letters = [letter for letter in text if letter > "\x7f"]
    common, word = _common()
    others = sum(letter not in common for letter in letters)
    if others > _FEW_OTHERS * len(letters) or not word.search(text):
        return False
    different = set(letters) & common - set(_CHINESE_MARKS)
    is_korean = all(letter.encode("gb2312")[0] <= 0xC8 for letter in different)
    return not is_korean or len(different) < _FEW_DIFFERENT


def is_western(text: str) -> bool:
    """`text` is what CP1252 makes of the bytes. Of other alphabets it makes words of nothing but
    accents, or letters and signs that hardly anybody writes."""
    others = {letter for letter in text if letter > "\x7f"} - _WESTERN - _WESTERN_MARKS
    return not others and not _FOREIGN_WORD.search(text)


@cache
def _common() -> tuple[frozenset[str], re.Pattern]:
    """The 3755 characters of the first level of GB 2312 with the marks between them, and a word of
    two of these characters."""
    first_level = bytes(
        byte for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF) for byte in (row, cell)
    ).decode("gb2312", "ignore")
    return frozenset(first_level + _CHINESE_MARKS), re.compile(f"[{first_level}]{{2}}")
