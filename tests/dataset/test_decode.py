"""Bytes become text in the encoding they are in, wholly, or a sentence says why not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    assert decoded(text.encode(codec), "a.csv")[:2] == (text.removeprefix("\ufeff"), named)


def test_what_a_part_of_the_encoding_cannot_hold():
    """A sample looks like GB2312, and a rare character far behind it is still read."""
    text = CHINESE * 3000 + "㐂𠀀"
    assert decoded(text.encode("gb18030"), "a.csv") == (text, "GB18030", [])


def test_the_first_other_letter_stands_far_behind():
    """The sample is taken where it is no longer ASCII, not at the beginning."""
    text = "a,b\n" * 200_000 + CHINESE
    assert decoded(text.encode("gb18030"), "a.csv") == (text, "GB18030", [])


def test_utf8_that_is_cut_off_inside_a_character():
    assert decoded("你好".encode()[:-1], "a.txt") == ("你\ufffd", "UTF-8", [])


ENGLISH = "How are you today,I am fine thank you very much\n"


@pytest.mark.parametrize("english", [0, 3, 300, 20_000])
@pytest.mark.parametrize(
    ("line", "codec", "named"),
    [
        ("Hi,你好", "gbk", "GB18030"),
        ("“高血压”,怎么办？", "gbk", "GB18030"),
        ("café", "cp1252", "CP1252"),
        ("Où est le garçon ?,À l’école.", "cp1252", "CP1252"),
        ("für Füße,„schön“", "cp1252", "CP1252"),
        ("INFORMAÇÃO,não é", "cp1252", "CP1252"),
        ("Сегодня хороший день,привет как дела", "cp1251", "CP1251"),
        ("오늘은 날씨가 좋고,안녕하세요", "euc_kr", "CP949"),
    ],
)
def test_one_line_in_a_file_of_english(line, codec, named, english):
    """English looks alike in every encoding, however much of it there is."""
    text = ENGLISH * english + line + "\n"
    assert decoded(text.encode(codec), "a.csv")[:2] == (text, named)


CHINESE_WORDS = (
    "你好 谢谢你 中国 北京 请问 怎么办？ 高血压 注意，休息 图书馆 工作。 《红楼梦》".split()
)
WESTERN_WORDS = (
    "l’école sûr était où déjà ça garçon œuvre naïve «oui» für Füße „schön“ Mädchen groß "
    "Übung Äpfel ¿Qué? ¡Sí! mañana AÇÃO coração não ÉTÉ på ø …"
).split()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(CHINESE_WORDS), min_size=1),
    st.lists(st.sampled_from(WESTERN_WORDS), min_size=1),
    st.sampled_from([0, 1, 30]),
    st.sampled_from([" ", "\n", ", "]),
)
def test_words_of_both_kinds_between_english(chinese, western, english, sign):
    """Any of them, in any order. 谢谢 alone would be UTF-8 too."""
    for words, codec, named in ((chinese, "gbk", "GB18030"), (western, "cp1252", "CP1252")):
        text = ENGLISH * english + sign.join(words) + ENGLISH
        assert decoded(text.encode(codec), "a.csv")[:2] == (text, named)


def test_what_is_not_certain_is_said():
    """With a word of it, by which a person sees whether it is right."""
    assert decoded((ENGLISH + FRENCH).encode("cp1252"), "a.csv").notes == [
        (
            "The file does not say its encoding; it is read as CP1252, which gives 'réponse'. "
            "If that is not what stands there, save the file as UTF-8.",
            "文件没有说明编码，按 CP1252 读取，例如 'réponse'。若与原文不符，"
            "请把文件另存为 UTF-8。",
        )
    ]
    assert len(decoded((ENGLISH + "Hi,你好").encode("gbk"), "a.csv").notes) == 1
    assert decoded((ENGLISH + CHINESE).encode("gbk"), "a.csv").notes == []
    assert decoded(CHINESE.encode("utf-16-le"), "a.csv").notes == []


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
