"""A text in words, as metrics count them: Chinese is segmented, other writing has its spaces."""

import logging
import re
import tempfile
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jieba

HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"\w+")


def is_chinese(text: str) -> bool:
    """Whether it holds Chinese characters."""
    return bool(HAN.search(text))


def words_of(text: str) -> list[str]:
    """In lower case, without signs: `\\w+`, and of Chinese text the words that jieba finds."""
    text = text.lower()
    if not is_chinese(text):
        return _WORD.findall(text)
    return [word for word in segments(text) if _WORD.search(word)]


def segments(text: str) -> list[str]:
    """All of a Chinese text in the words that jieba finds; they join to it again."""
    return _segmenter().lcut(text)


@lru_cache(maxsize=1)
def _segmenter() -> "jieba.Tokenizer":
    """jieba would keep its dictionary in the machine's temporary folder, marshalled, where others
    could lay another; it is built anew, in about a second."""
    import jieba

    jieba.setLogLevel(logging.WARNING)
    segmenter = jieba.Tokenizer()
    with tempfile.TemporaryDirectory(prefix="greenroom-") as folder:
        segmenter.tmp_dir = folder
        segmenter.initialize()
    return segmenter
