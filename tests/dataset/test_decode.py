"""Bytes become text in the encoding they are in, wholly, or a sentence says why not."""

import pytest

from engine.dataset.reading.decode import decoded
from engine.errors import UserError

CHINESE = "部门,问题,回答\n内科,高血压怎么办？,请注意休息，少吃盐，按时吃药。\n" * 3
TAIWANESE = "部門,問題,回答\n內科,高血壓怎麼辦？,請注意休息，少吃鹽，按時吃藥。\n" * 3
JAPANESE = (
    "質問,答え\n東京の歴史を教えてください。,東京は日本の首都です。とても大きい都市ですよ。\n" * 3
)
FRENCH = "question,réponse\nOù étais-tu déjà ?,À l’école, bien sûr, c’était l’été.\n" * 3


@pytest.mark.parametrize(
    ("text", "codec", "named"),
    [
        (CHINESE, "utf-8", "UTF-8"),
        (CHINESE, "utf-8-sig", "UTF-8"),
        (CHINESE, "utf-16", "UTF-16"),
        (CHINESE, "utf-16-le", "UTF-16"),
        (CHINESE, "utf-16-be", "UTF-16"),
        (CHINESE, "utf-32", "UTF-32"),
        (CHINESE, "gb18030", "GB18030"),
        (CHINESE, "gb2312", "GB18030"),
        ("\ufeff" + CHINESE, "gb18030", "GB18030"),
        (TAIWANESE, "big5", "Big5"),
        (JAPANESE, "shift-jis", "Shift-JIS"),
        (FRENCH, "cp1252", "CP1252"),
        ("plain", "ascii", "UTF-8"),
    ],
)
def test_each_encoding(text, codec, named):
    assert decoded(text.encode(codec), "a.csv") == (text.removeprefix("\ufeff"), named)


def test_what_a_part_of_the_encoding_cannot_hold():
    """A sample looks like GB2312, and a rare character far behind it is still read."""
    text = CHINESE * 3000 + "㐂𠀀"
    assert decoded(text.encode("gb18030"), "a.csv") == (text, "GB18030")


def test_the_first_other_letter_stands_far_behind():
    """The sample is taken where it is no longer ASCII, not at the beginning."""
    text = "a,b\n" * 200_000 + CHINESE
    assert decoded(text.encode("gb18030"), "a.csv") == (text, "GB18030")


def test_utf8_that_is_cut_off_inside_a_character():
    assert decoded("你好".encode()[:-1], "a.txt") == ("你\ufffd", "UTF-8")


def refusal(raw):
    with pytest.raises(UserError) as raised:
        decoded(raw, "a.csv")
    assert raised.value.sentence.zh
    return str(raised.value)


def test_utf8_with_a_wrong_byte_is_not_taken_for_another_encoding():
    """It would come out as nonsense in GB18030, without a word."""
    raw = CHINESE.encode().replace("休息".encode(), b"\xff\xff", 1)
    assert refusal(raw) == (
        "a.csv looks like UTF-8, but line 2 holds a byte that is not; "
        "open it in an editor, mend that line and save it as UTF-8."
    )


@pytest.mark.parametrize(("codec", "named"), [("gb18030", "GB18030"), ("utf-16", "UTF-16")])
def test_a_wrong_byte_far_behind_the_sample(codec, named):
    raw = (CHINESE * 3000).encode(codec) + b"\x00\xd8\xff"
    assert refusal(raw).startswith(f"a.csv looks like {named}, but line ")


@pytest.mark.parametrize("raw", [b"\x89PNG\r\n\x1a\n\x00\x00", b"a\x00b", bytes(range(256)) * 4])
def test_what_is_no_text(raw):
    assert refusal(raw) == (
        "a.csv is no text in any encoding known here, and no Parquet, Arrow or Excel file; "
        "save it as JSON, JSON Lines or CSV in UTF-8."
    )
