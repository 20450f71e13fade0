"""Bytes become text: gzip taken off, and the encoding found. Says so where it cannot be sure."""

import contextlib
import gzip
import io
import re
import zlib
from typing import NamedTuple

from engine.dataset.reading.letters import is_chinese, is_western
from engine.dataset.reading.refusal import MAX_UNPACKED, refusal, unpacks_too_large
from engine.errors import Sentence, UserError

_SAMPLE_BYTES = 200_000
_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\x00\x00": "utf-32",  # before UTF-16, whose mark it begins with
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
    b"\x84\x31\x95\x33": "gb18030",
}
_NAMES = {
    "utf_8": "UTF-8",
    "utf-8-sig": "UTF-8",
    "utf_16_le": "UTF-16",
    "utf_16_be": "UTF-16",
    "big5": "Big5",
    "big5hkscs": "Big5",
    "cp932": "Shift-JIS",
    "shift_jis": "Shift-JIS",
    "shift_jis_2004": "Shift-JIS",
    "shift_jisx0213": "Shift-JIS",
}
_CHINESE = ("gb2312", "gbk", "hz", "cp936")  # parts of GB18030, which the whole file may go beyond
_LIKELY = ("gb18030", "cp1252")  # what people have, where a short text could be several
_NEARLY_AS_CLEAN = 0.1
_SURELY_CHINESE = 20  # letters of it
_OTHER_LETTER = re.compile(rb"[\x80-\xff]")
_PIECE_ENDS = re.compile(rb'[\n"]')  # part of no other character, as are all bytes below 0x30
_WORD = re.compile(r"[^\s,\"]{0,15}[^\x00-\x7f][^\s,\"]{0,15}")
_SIGNS = '\n ,"'  # in every text; the wrong way round, UTF-16 makes rare characters of them


class Text(NamedTuple):
    """`notes` say what was taken for the encoding, where another is possible."""

    text: str
    encoding: str
    notes: list[Sentence]


def unpacked(raw: bytes, name: str) -> bytes:
    """What a gzip file holds, the bytes themselves where it is none.

    Raises UserError for a broken archive and for one that holds more than MAX_UNPACKED.
    """
    if raw[:2] != b"\x1f\x8b":
        return raw
    try:
        content = gzip.GzipFile(fileobj=io.BytesIO(raw)).read(MAX_UNPACKED + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise refusal(
            f"{name} is a broken gzip archive, perhaps cut off; pack or download it again.",
            f"{name} 是损坏的 gzip 压缩包，可能不完整；请重新压缩或下载。",
        ) from error
    if len(content) > MAX_UNPACKED:
        raise unpacks_too_large(name)
    return content


def decoded(raw: bytes, name: str) -> Text:
    """By its mark, else as UTF-8, else as it looks.

    Raises UserError where no encoding fits the whole of it.
    """
    marked = next((codec for mark, codec in _MARKS.items() if raw.startswith(mark)), None)
    codec, notes = marked or "utf_8", []
    try:
        text = raw.decode(codec)
    except UnicodeDecodeError as error:
        if marked:
            raise _not_throughout(raw, error.start, codec, name) from error
        if _ends_inside_a_character(raw, error):
            text = raw[: error.start].decode() + "\ufffd"
        else:
            codec, text, notes = _guessed(raw, error.start, name)
    if "\x00" in text and not marked:  # ASCII letters in UTF-16 are UTF-8 with a NUL beside each
        codec, text, notes = _guessed(raw, 0, name)
    if "\x00" in text:
        raise _no_text(name)
    return Text(text.removeprefix("\ufeff"), _named(codec), notes)


def _ends_inside_a_character(raw: bytes, error: UnicodeDecodeError) -> bool:
    """UTF-8 so far, and the file was cut off within its last character."""
    at_the_end = error.reason == "unexpected end of data" and error.end == len(raw)
    return at_the_end and not raw[: error.start].isascii()


def _guessed(raw: bytes, wrong_at: int, name: str) -> tuple[str, str, list[Sentence]]:
    sample = _sample(raw, wrong_at)
    _refuse_damaged_utf8(raw, sample, wrong_at, name)
    codec = _by_its_letters(raw, sample) or _looks_like(sample)
    if codec is None:
        raise _no_text(name)
    try:
        text = raw.decode(codec)
    except UnicodeDecodeError as error:
        raise _not_throughout(raw, error.start, codec, name) from error
    return codec, text, _unsure(sample.decode(codec, "replace"), codec)


def _unsure(sample: str, codec: str) -> list[Sentence]:
    letters = sum(letter > "\x7f" for letter in sample)
    is_sure = codec == "gb18030" and letters >= _SURELY_CHINESE and is_chinese(sample)
    word = _WORD.search(sample)
    if is_sure or codec.startswith("utf_16") or not word:
        return []
    encoding, example = _named(codec), word[0]
    return [
        Sentence(
            f"The file does not say its encoding; it is read as {encoding}, which gives "
            f"{example!r}. If that is not what stands there, save the file as UTF-8.",
            f"文件没有说明编码，按 {encoding} 读取，例如 {example!r}。若与原文不符，"
            "请把文件另存为 UTF-8。",
        )
    ]


def _named(codec: str) -> str:
    return _NAMES.get(codec, codec.upper().replace("_", "-"))


def _by_its_letters(raw: bytes, sample: bytes) -> str | None:
    for codec, is_so in (("gb18030", is_chinese), ("cp1252", is_western)):
        if b"\x00" not in sample and is_so(sample.decode(codec, "replace")):
            with contextlib.suppress(UnicodeDecodeError):
                raw.decode(codec)
                return codec
    return None


def _looks_like(sample: bytes) -> str | None:
    """The codec by statistics; None when it is not to be told."""
    from charset_normalizer import from_bytes

    found = from_bytes(sample)
    best = found.best()
    if best is None:
        return None
    if best.encoding.startswith("utf_16"):
        is_sure = any(sign in str(best) for sign in _SIGNS)
        return best.encoding if is_sure else None
    if best.encoding in _CHINESE:
        return "gb18030"
    alike = {
        one.encoding
        for one in found
        if one.coherence == best.coherence and one.chaos <= best.chaos + _NEARLY_AS_CLEAN
    }
    return next((codec for codec in _LIKELY if codec in alike), best.encoding)


def _sample(raw: bytes, wrong_at: int) -> bytes:
    """The cells and lines with other letters than ASCII around the first that are no UTF-8, since
    English beside them says nothing of the encoding. From whole character to whole character.

    The bytes below 0x30 (space, line break, comma ...) are part of no other character in any
    encoding but UTF-16, which shows at the beginning of a file.
    """
    begin = wrong_at - _SAMPLE_BYTES // 2
    begin = _last_alone(raw, 0, begin) if begin > 0 else 0
    if b"\x00" in raw[begin : begin + _SAMPLE_BYTES]:
        return raw[begin : begin + _SAMPLE_BYTES]
    pieces, left = [], _SAMPLE_BYTES
    while left > 0 and (found := _OTHER_LETTER.search(raw, begin)):
        at = max(begin - 1, *(raw.rfind(sign, begin, found.start()) for sign in (b"\n", b'"'))) + 1
        closes = _PIECE_ENDS.search(raw, found.end())
        begin = closes.start() if closes else len(raw)
        end = begin if begin - at <= left else _last_alone(raw, at, at + left)
        pieces.append(raw[at:end])
        left -= len(pieces[-1]) + 1
    return b"\n".join(pieces)


def _last_alone(raw: bytes, begin: int, end: int) -> int:
    at = max(raw.rfind(byte, begin, end) for byte in (b"\n", b" ", b",", b'"'))
    return at if at > begin else end


def _refuse_damaged_utf8(raw: bytes, sample: bytes, wrong_at: int, name: str) -> None:
    """UTF-8 with a few wrong bytes would look like another encoding and come out as nonsense."""
    text = sample.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    right = sum(letter > "\x7f" for letter in text) - wrong
    if wrong and right > 20 * wrong:
        raise _not_throughout(raw, wrong_at, "utf_8", name)


def _not_throughout(raw: bytes, at: int, codec: str, name: str) -> UserError:
    line = raw.count(b"\n", 0, at) + 1
    return refusal(
        f"{name} looks like {_named(codec)}, but line {line} holds a byte that is not; "
        "open it in an editor, mend that line and save it as UTF-8.",
        f"{name} 看起来是 {_named(codec)} 编码，但第 {line} 行有不属于它的字节；"
        "请用编辑器打开，改好这一行并另存为 UTF-8。",
    )


def _no_text(name: str) -> UserError:
    return refusal(
        f"{name} is no text in any encoding known here, and no Parquet, Arrow or Excel file; "
        "save it as JSON, JSON Lines or CSV in UTF-8.",
        f"{name} 不是能识别的编码的文本，也不是 Parquet、Arrow 或 Excel 文件；"
        "请另存为 UTF-8 编码的 JSON、JSON Lines 或 CSV。",
    )
