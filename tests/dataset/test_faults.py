"""Faults of single texts: what is found where, what a mend makes of it, what is left alone."""

import pytest

from engine.dataset.doctor.faults import FAULTS, fault_in


@pytest.mark.parametrize(
    ("kind", "text", "place", "mended"),
    [
        ("mojibake", "a cafÃ© here", (4, 7), "a café here"),
        ("mojibake", "“donâ€™t” she said", (4, 6), "“don’t” she said"),
        ("mojibake", "ä¸\xadæ–‡", (0, 6), "中文"),
        ("mojibake", "a æ–‡ b", (2, 5), "a æ–‡ b"),
        ("mojibake", "a 锟斤拷 b", (2, 5), "a 锟斤拷 b"),
        ("mojibake", "a \ufffd b", (2, 3), "a \ufffd b"),
        ("control_characters", "a\x00b\x1f\ufeffc\x85", (1, 2), "abc"),
        ("control_characters", "a\r\nb\rc\td", (1, 2), "a\nb\nc\td"),
        ("html", "one<br/>two<BR>three", (3, 8), "one\ntwo\nthree"),
        ("html", "<p>one</p><p class='x'>two</p>", (0, 3), "\none\ntwo"),
        ("html", "a <b>bold</b> word", (2, 5), "a bold word"),
        ("html", "a&nbsp;b &lt; c &amp; d &#39;e&#39;", (1, 7), "a b < c & d 'e'"),
    ],
)
def test_what_is_found_and_mended(kind, text, place, mended):
    """Entities of two letters and numbers; characters that were lost stay lost."""
    assert FAULTS[kind].find(text) == place
    assert FAULTS[kind].mend(text) == mended


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("mojibake", "l’été à Noël, «oui», naïve – “quoted” … ångström"),
        ("mojibake", "按下代表“à”的按键，出现了另一个字符"),
        ("mojibake", "On boit « du thé\xa0» ici"),
        ("mojibake", "こんにちは、世界。Привет! مرحبا"),
        ("control_characters", "a\tb\nc \u200d 👩\u200d🚀"),
        ("html", "```\n<br>&nbsp;\n``` and `<p>`"),
        ("html", "<think>so</think><tool_call>{}</tool_call><|im_end|><s>"),
        ("html", "a < b & c > d; List<String>; x &y; AT&T"),
    ],
)
def test_what_is_no_fault(kind, text):
    """Accents, quotes, other scripts; joined emoji; code; a model's own marks; signs of algebra."""
    assert FAULTS[kind].find(text) is None


def test_code_stays_as_it_is():
    text = "use <br> as in `<br>` or\n```\n&lt;b&gt;\n```\nor &lt;"
    assert FAULTS["html"].mend(text) == "use \n as in `<br>` or\n```\n&lt;b&gt;\n```\nor <"


def test_a_row_about_html_keeps_its_tags():
    """The question says so, the answer holds the tags."""
    assert fault_in("html", ["Write an HTML list.", "<ul><li>a</li></ul>"]) is None
    assert fault_in("html", ["写一个网页", "<ul><li>a</li></ul>"]) is None
    assert fault_in("html", ["Write a list.", "- a<br>- b"]) == ("- a<br>- b", 3)
