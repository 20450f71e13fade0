"""The text chunks of a PNG, in which Tavern cards travel: read whatever comes, written anew.

Pillow reads them too, but silently passes over what is broken; here that is a sentence.
"""

import struct
import zlib
from collections.abc import Iterator

from engine.errors import UserError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LONGEST_TEXT = 6 * 2**20  # bytes of one text, unpacked; base64 of the longest card
_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")


def texts(png: bytes) -> dict[str, str]:
    """Keyword (in small letters) -> text, the first of each. Raises UserError (field "card") for
    what is no PNG, cut off, or broken where a text lies."""
    found: dict[str, str] = {}
    for kind, body in _chunks(png):
        if kind in _TEXT_CHUNKS:
            keyword, text = _read(kind, body)
            found.setdefault(keyword.lower(), text)
    return found


def with_texts(png: bytes, added: dict[str, str]) -> bytes:
    """The picture with just these tEXt chunks (Latin-1), before its end."""
    out = [SIGNATURE]
    for kind, body in _chunks(png):
        if kind == b"IEND":
            out += [_chunk(b"tEXt", f"{k}\0{v}".encode("latin-1")) for k, v in added.items()]
        if kind not in _TEXT_CHUNKS:
            out.append(_chunk(kind, body))
    return b"".join(out)


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not png.startswith(SIGNATURE):
        raise UserError(
            "This file is no PNG, whatever its name says; save the card as PNG again.",
            "这个文件不是 PNG（不管文件名怎么写），请重新保存为 PNG。",
            field="card",
        )
    at, kind = len(SIGNATURE), b""
    while at < len(png) and kind != b"IEND":
        head = png[at : at + 8]
        length = struct.unpack(">I", head[:4])[0] if len(head) == 8 else len(png)
        body, check = png[at + 8 : at + 8 + length], png[at + 8 + length : at + 12 + length]
        if len(check) < 4:
            raise _broken("it is cut off", "文件不完整")
        kind = head[4:]
        if kind in _TEXT_CHUNKS and zlib.crc32(kind + body) != struct.unpack(">I", check)[0]:
            raise _broken("its text was damaged on the way", "其中的文字在传输中损坏")
        yield kind, body
        at += 12 + length
    if kind != b"IEND":
        raise _broken("it is cut off", "文件不完整")


def _read(kind: bytes, body: bytes) -> tuple[str, str]:
    keyword, _, rest = body.partition(b"\0")
    packed = kind == b"zTXt"
    if kind == b"zTXt":
        rest = rest[1:]
    if kind == b"iTXt":
        packed, rest = rest[:1] == b"\x01", rest[2:]
        rest = rest.partition(b"\0")[2].partition(b"\0")[2]  # language and translated keyword
    if packed:
        rest = _unpacked(rest)
    if len(rest) > LONGEST_TEXT:
        raise _broken("its text is too long", "其中的文字太长")
    encoding = "utf-8" if kind == b"iTXt" else "latin-1"
    return keyword.decode("latin-1"), rest.decode(encoding, "replace")


def _unpacked(data: bytes) -> bytes:
    """A few bytes may unpack to gigabytes: no more than one too many is unpacked."""
    try:
        return zlib.decompressobj().decompress(data, LONGEST_TEXT + 1)
    except zlib.error as error:
        raise _broken("its text cannot be unpacked", "其中的文字无法解压") from error


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _broken(en: str, zh: str) -> UserError:
    return UserError(
        f"This PNG cannot be read as a card: {en}. Get the original file; programs that shrink "
        "pictures often take the card out.",
        f"无法从这张 PNG 读取角色卡：{zh}。请使用原始文件；压缩图片的程序常常会把卡片内容去掉。",
        field="card",
    )
