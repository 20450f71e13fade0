"""Which words of an answer the base did not say."""

import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ui.differences import changed_parts

ONE, OTHER = "他是研究生命起源的科学家", "他是研究生，命运不好"


@pytest.mark.parametrize(
    ("text", "base", "parts"),
    [
        (ONE, OTHER, [("他是", False), (ONE[2:], True)]),
        (OTHER, ONE, [("他是", False), (OTHER[2:], True)]),
        (
            "今天的天气很好。I'd say so.",
            "明天的天气很好。I say so.",
            [("今天", True), ("的天气很好。", False), ("I'd", True), (" say so.", False)],
        ),
        ("3个lamp灯塔", "3个lamp", [("3个lamp", False), ("灯塔", True)]),
    ],
)
def test_chinese_is_marked_by_segment(text, base, parts):
    """No part of a word is: 研究 and 研究生 share two characters, 生命 and 命运 one, and yet they
    are other words."""
    assert list(changed_parts(text, base)) == parts


TEXT = st.text(
    st.sampled_from("他是研究生命\u3400\u9fff\uf900\U00020000aé'’3_ \n\u3000。<-"), max_size=40
)


@given(TEXT, TEXT)
@example("㐀a研究-b命", "")
def test_the_parts_join_to_the_text(text, base):
    """And a text has nothing that it does not say itself."""
    assert "".join(part for part, _ in changed_parts(text, base)) == text
    assert [changed for _, changed in changed_parts(text, text)] == [False] * bool(text)


def test_of_answers_that_repeat_themselves_the_other_words_are_marked():
    """To find their common runs would hold the page up for a minute."""
    text, base = "The sea is cold. " * 2000, "The sea is deep and the sea is blue. " * 2000
    assert list(changed_parts(text, base)) == [
        *[("The sea is ", False), ("cold", True)],
        *[(". The sea is ", False), ("cold", True)] * 1999,
        (". ", False),
    ]


def test_the_dictionary_is_read_for_chinese_only():
    """It takes about a second."""
    code = (
        "import sys; from ui.differences import changed_parts as c; "
        "c('a lamp', 'a gull'); print('jieba' in sys.modules); "
        "c('灯塔', 'a gull'); print('jieba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.split(), done.stderr) == (["False", "True"], "")
