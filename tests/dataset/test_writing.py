"""In which script a text is written, and whether it is short."""

import pytest

from engine.dataset.doctor.writing import TITLES, is_short, script_of


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("Hello, été", "latin"),
        ("用 Transformer 模型来训练", "chinese"),
        ("これは日本語の文章です", "japanese"),
        ("한국어 문장", "korean"),
        ("Привет, мир", "cyrillic"),
        ("مرحبا بالعالم", "arabic"),
        ("שלום עולם", "hebrew"),
        ("Καλημέρα κόσμε", "greek"),
        ("नमस्ते दुनिया", "devanagari"),
        ("สวัสดีชาวโลก", "thai"),
        ("你好\n```\nprint('hello, world')\n```", "chinese"),
        ("123 + 456 = 579 ...", ""),
        ("", ""),
    ],
)
def test_scripts(text, script):
    """The majority of letters; Japanese by its kana; code aside; no letters, no script."""
    assert script_of(text) == script
    assert script == "" or script in TITLES


def test_too_few_letters_to_tell():
    """A Chinese character counts as three."""
    assert [script_of("OK", at_least=n) for n in (2, 3)] == ["latin", ""]
    assert [script_of("你好", at_least=n) for n in (6, 7)] == ["chinese", ""]


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("one two, three-four", True),
        ("one two three four five", False),
        ("我很好", True),
        ("我今天很好", False),
        ("我 am 很 OK", True),
        ("", True),
    ],
)
def test_short(text, short):
    """Five words, or characters of Chinese, are not."""
    assert is_short(text, 5) is short
