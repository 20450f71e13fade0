"""Reads a SentencePiece vocabulary file (`*.model`) without the library that wrote it.

The file is one protocol buffer message, ModelProto in sentencepiece_model.proto of that project.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from engine.errors import UserError

_PIECES, _TRAINER, _NORMALIZER = 1, 2, 3  # fields of ModelProto
_UNIGRAM = 1


class Kind(IntEnum):
    """What a piece is, numbered as in the file."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text; its id is its place in the file. In a Unigram model `score` is its log
    probability, in BPE minus its rank."""

    text: str
    score: float
    kind: Kind


@dataclass(frozen=True, slots=True)
class Pieces:
    """A vocabulary: `charsmap` is the table of its normalizer, empty when text stays as it is."""

    pieces: list[Piece]
    is_unigram: bool
    charsmap: bytes


def read_pieces(file: Path) -> Pieces:
    """Raises UserError (field "model_name_or_path") for a file that is missing, broken or of
    another sort."""
    try:
        message = file.read_bytes()
    except OSError as error:
        raise _wrong(file, "it cannot be opened", "无法打开") from error
    try:
        found = _model(message)
    except (ValueError, LookupError, TypeError, AttributeError, struct.error) as error:
        raise _wrong(file, "it is broken or of another sort", "它已损坏或不是这种文件") from error
    if not found.pieces:
        raise _wrong(file, "it holds no pieces", "里面没有词表")
    return found


def _model(message: bytes) -> Pieces:
    pieces, trainer, normalizer = [], {}, {}
    for field, value in _fields(message):
        if field == _PIECES:
            pieces.append(_piece(dict(_fields(value))))
        elif field == _TRAINER:
            trainer = dict(_fields(value))
        elif field == _NORMALIZER:
            normalizer = dict(_fields(value))
    return Pieces(
        pieces,
        is_unigram=trainer.get(3, _UNIGRAM) == _UNIGRAM,
        charsmap=normalizer.get(2, b""),
    )


def _piece(fields: dict[int, int | bytes]) -> Piece:
    (score,) = struct.unpack("<f", fields.get(2, bytes(4)))
    return Piece(fields[1].decode(), score, Kind(fields.get(3, Kind.NORMAL)))


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of each field. Raises ValueError or IndexError for what is none."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        match key & 7:
            case 0:  # a number; the others are bytes: eight, as many as are said, four
                value, at = _varint(message, at)
                yield key >> 3, value
                continue
            case 1:
                size = 8
            case 2:
                size, at = _varint(message, at)
            case 5:
                size = 4
            case other:
                raise ValueError(f"wire type {other}")
        if at + size > len(message):
            raise ValueError("cut off")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """The number that begins at `at`, seven bits a byte, and where it ends."""
    number = shift = 0
    while True:
        byte = message[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
        if shift > 63:
            raise ValueError("a number of more than 64 bits")


def _wrong(file: Path, en: str, zh: str) -> UserError:
    return UserError(
        f"{file.name} is not a vocabulary that can be read: {en}. Copy it anew from where the "
        "model was published.",
        f"词表文件 {file.name} 无法读取：{zh}。请从模型发布处重新复制。",
        field="model_name_or_path",
    )
