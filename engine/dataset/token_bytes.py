"""Where the tokens of a byte-level tokenizer begin, told by the bytes that each of them stands for.

`tokenizers` says it as well, but then encodes a third slower: it notes of every byte in which
character it stands, and copies the letters of every token.
"""

import json
from functools import lru_cache
from itertools import accumulate, chain
from typing import TYPE_CHECKING
from unicodedata import is_normalized

if TYPE_CHECKING:
    import numpy
    from tokenizers import Encoding, Tokenizer
    from transformers import PreTrainedTokenizerBase

Span = tuple[int, int]
_CUTTING = {"ByteLevel", "Split", "Digits", "Punctuation"}


def token_bytes(tokenizer: "PreTrainedTokenizerBase") -> "numpy.ndarray | None":
    """How many bytes of a text each id stands for; None where tokens may stand for other text than
    theirs, or are said to begin behind the space that they hold."""
    return _token_bytes(tokenizer, len(tokenizer))


@lru_cache(maxsize=4)
def _token_bytes(tokenizer: "PreTrainedTokenizerBase", vocabulary: int) -> "numpy.ndarray | None":
    import numpy

    backend = tokenizer.backend_tokenizer
    if not _writes_bytes(backend):
        return None
    letters = backend.get_vocab(with_added_tokens=True)  # one of them is one byte
    sizes = numpy.zeros(max(letters.values(), default=0) + 1, dtype=numpy.int64)
    sizes[list(letters.values())] = [len(token) for token in letters]
    for number, token in backend.get_added_tokens_decoder().items():
        sizes[number] = len(token.content.encode())
    return sizes


def _writes_bytes(backend: "Tokenizer") -> bool:
    from tokenizers.models import BPE
    from tokenizers.normalizers import NFC

    model = backend.model
    if not isinstance(model, BPE) or model.unk_token or backend.pre_tokenizer is None:
        return False
    if model.continuing_subword_prefix or model.end_of_word_suffix:
        return False
    if not isinstance(backend.normalizer, NFC | None):
        return False
    cut, finish = _parts(backend.pre_tokenizer), _parts(backend.post_processor)
    kinds = {one["type"] for one in cut}
    changes = any(one.get("add_prefix_space") for one in cut)
    trims = any(one.get("trim_offsets") for one in finish)
    return "ByteLevel" in kinds and kinds <= _CUTTING and not (changes or trims)


def _parts(step) -> list[dict]:
    """What a step of a tokenizer consists of, as tokenizer.json describes it."""
    if step is None:
        return []
    said = json.loads(step.__getstate__())
    return said.get("pretokenizers") or said.get("processors") or [said]


def token_ranges(
    read: list[tuple[str, list[Span]]], encodings: list["Encoding"], sizes: "numpy.ndarray"
) -> list[list[Span]] | None:
    """For each text and its spans of characters, the (first, last + 1) tokens that begin within;
    None where the tokens of a text are not its very bytes: some are left out, or parts of letters
    may have been joined, perhaps to as many bytes."""
    import numpy

    counts = [0, *map(len, encodings)]
    ids = chain.from_iterable(one.ids for one in encodings)
    begins = numpy.zeros(sum(counts) + 1, dtype=numpy.int64)
    numpy.cumsum(sizes[numpy.fromiter(ids, numpy.int64, len(begins) - 1)], out=begins[1:])
    tokens = list(accumulate(counts))  # before each text
    before = list(accumulate((_length(text) for text, _ in read), initial=0))
    if begins[tokens].tolist() != before:
        return None
    if not all(is_normalized("NFC", text) for text, _ in read):
        return None
    places = [
        start + _length(text[:at])
        for (text, spans), start in zip(read, before, strict=False)
        for at in chain.from_iterable(spans)
    ]
    found = iter(numpy.searchsorted(begins, places).tolist())
    return [
        [(next(found) - first, next(found) - first) for _ in spans]
        for (_, spans), first in zip(read, tokens, strict=False)
    ]


def token_offsets(text: str, ids: list[int], sizes: "numpy.ndarray") -> list[Span]:
    """The (first, last + 1) characters of each token; one that is a part of a character has all of
    it."""
    import numpy

    character = numpy.repeat(numpy.arange(len(text)), [_length(one) for one in text])  # of a byte
    lengths = sizes[numpy.array(ids, dtype=numpy.int64)]
    ends = numpy.cumsum(lengths)
    firsts, lasts = character[ends - lengths], character[ends - 1]
    return list(zip(firsts.tolist(), (lasts + 1).tolist(), strict=True))


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
