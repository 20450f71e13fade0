"""Small vocabularies of ChatGLM, as the protocol buffers that its tokenizers are read from."""

import struct

from engine.models.old.pieces import Kind, Piece

NORMAL, UNKNOWN, CONTROL, DEFINED, BYTE = (
    Kind.NORMAL,
    Kind.UNKNOWN,
    Kind.CONTROL,
    Kind.USER_DEFINED,
    Kind.BYTE,
)
BYTES = [Piece(f"<0x{number:02X}>", 0.0, BYTE) for number in range(256)]


def varint(number):
    head, rest = number & 0x7F, number >> 7
    return bytes([head | 0x80]) + varint(rest) if rest else bytes([head])


def counted(field, value):
    return varint(field << 3 | 2) + varint(len(value)) + value


def model(pieces, *, unigram, charsmap=b""):
    """The file of a vocabulary, with a field that no reader knows."""
    whole = b""
    for text, score, kind in ((one.text, one.score, one.kind) for one in pieces):
        number = varint(2 << 3 | 5) + struct.pack("<f", score)
        whole += counted(1, counted(1, text.encode()) + number + varint(3 << 3) + varint(kind))
    whole += counted(2, varint(3 << 3) + varint(1 if unigram else 2))
    whole += counted(3, counted(1, b"own") + counted(2, charsmap))
    return whole + varint(99 << 3 | 1) + bytes(8)


UNIGRAM = [
    Piece("<unk>", 0.0, UNKNOWN),
    Piece("<s>", 0.0, CONTROL),
    Piece("</s>", 0.0, CONTROL),
    Piece("<pad>", 0.0, CONTROL),
    Piece("<n>", 0.0, DEFINED),
    *(Piece(text, -9.0, NORMAL) for text in "▁abcdefghijklmnopqrstuvwxyz<>[]:/012"),
    *(Piece(text, -8.0, NORMAL) for text in ["MASK", "Round", "问", "：", "答", "▁ab"]),
    Piece("▁", -2.0, NORMAL),
]
UNIGRAM = list({one.text: one for one in UNIGRAM}.values())
UNIGRAM += [
    Piece(name, 0.0, CONTROL) for name in ("[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>")
]
UNIGRAM += [Piece("<|tab|>", 0.0, DEFINED)]
UNIGRAM += [Piece(f"<|blank_{count}|>", 0.0, DEFINED) for count in range(2, 81)]
UNIGRAM += BYTES

WORDS = ["pe", "op", "le", "eop", "ople", "▁pe", "▁people", "▁h", "▁hi", "so", "sop", "▁you"]
LETTERS = "▁abcdefghijklmnopqrstuvwxyz<>[]|:\n0123问答：，"
BPE = [
    Piece("<unk>", 0.0, UNKNOWN),
    Piece("<s>", 0.0, CONTROL),
    Piece("</s>", 0.0, CONTROL),
    *BYTES,
    *(Piece(text, -float(rank), NORMAL) for rank, text in enumerate(WORDS)),
    *(Piece(text, -100.0 - rank, NORMAL) for rank, text in enumerate(LETTERS)),
]
