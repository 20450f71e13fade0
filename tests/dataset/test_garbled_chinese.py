"""Chinese in a wrong encoding: what is certain comes back, everything else stays as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.dataset.doctor.faults import find_garbled, mend_garbled

# Each of an even number of bytes in UTF-8 up to its end, so that GBK loses none of them.
WHOLE = [
    "你好，世界！",
    "我们明天去北京看他们",
    "这个问题很有意思，大家都想知道答案",
    "运行 Python 程序",
]
CHINESE = [
    *WHOLE,
    "今天天气很好，我们一起去公园散步吧。",
    "机器学习是人工智能的一个分支。",
    "请问这个问题怎么解决？",
    "他说：“没关系，下次再来。”",
    "我有3个苹果和2本书。",
]
SOUND = [
    *CHINESE,
    "涓涓细流，汇成大海。",
    "這是一個繁體中文的句子。",
    "こんにちは、世界。日本語の文章です。",
    "안녕하세요 반갑습니다",
    "Où êtes-vous né ? « Là-bas », a-t-elle répondu.",
    "CRÉÉE À L'ÉTÉ : ÀÁÂÃÄÅ ÇÈÉÊË",
    "Größe, Äußerung, Übermut, ÄÖÜß",
    "ÅÄÖåäö · · · ···· »»»» °°°° ±±±± ×÷×÷ ±¼½¾ ¿¿",
    "¿Qué pasó? ¡Sí! El NIÑO",
    "😀 so 👩\u200d🚀 it 🎉 goes",
    "10 € für 5 °C ± 1",
]


def read_as_gbk(text):
    """As Windows does: the byte 0x80 alone is the euro sign."""
    raw, read = text.encode(), ""
    while raw:
        size = 1 if raw[0] <= 0x80 else 2
        read += "€" if raw[0] == 0x80 else raw[:size].decode("gb18030")
        raw = raw[size:]
    return read


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("浣犲ソ涓栫晫", "你好世界"),
        ("ÄãºÃ£¬ÊÀ½ç£¡", "你好，世界！"),
        ("Say:\nÄãºÃ£¬ÊÀ½ç£¡\nand café", "Say:\n你好，世界！\nand café"),
        ("»úÆ÷Ñ§Ï°ÊÇÈË¹¤ÖÇÄÜµÄÒ»¸ö·ÖÖ§¡£", "机器学习是人工智能的一个分支。"),
    ],
)
def test_the_two_kinds_exactly(text, mended):
    """A line amid others too; ftfy would see UTF-8 in a part of the last and make worse of it."""
    assert find_garbled(text) is not None
    assert mend_garbled(text) == mended
    assert find_garbled(mended) is None


def test_what_is_lost_stays_and_is_found():
    """The last byte of an odd number is: 我爱你们！ ends in a question mark."""
    assert find_garbled("鎴戠埍浣犱滑锛?") == (0, 8)
    assert mend_garbled("鎴戠埍浣犱滑锛?") == "鎴戠埍浣犱滑锛?"


@given(st.lists(st.sampled_from(WHOLE), min_size=1, max_size=4))
def test_utf8_read_as_gbk_comes_back(sentences):
    text = "\n".join(sentences)
    assert read_as_gbk(text) != text
    assert find_garbled(read_as_gbk(text)) is not None
    assert mend_garbled(read_as_gbk(text)) == text


@given(
    st.lists(st.sampled_from(CHINESE), min_size=1, max_size=4),
    st.sampled_from(["latin-1", "sloppy-windows-1252"]),
)
def test_gbk_read_as_latin_comes_back(sentences, encoding):
    text = "\n".join(sentences)
    garbled = text.encode("gbk").decode(encoding)
    assert find_garbled(garbled) is not None
    assert mend_garbled(garbled) == text


@given(st.lists(st.sampled_from(SOUND), min_size=1, max_size=4), st.sampled_from(["\n", " "]))
def test_sound_text_is_never_garbled(sentences, between):
    text = between.join(sentences)
    assert find_garbled(text) is None
    assert mend_garbled(text) == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("안녕하세요 반갑습니다", "euc-kr"),
        ("日本語の文章", "euc-jp"),
        ("Привет, как дела?", "cp1251"),
        ("這是繁體中文的句子", "big5"),
        ("苹果香蕉葡萄", "gbk"),
    ],
)
def test_what_is_not_certain_is_not_made_worse(text, encoding):
    """Other encodings read as Latin-1, and words too rare to be sure: neither is touched."""
    garbled = text.encode(encoding).decode("latin-1")
    assert mend_garbled(garbled) == garbled
