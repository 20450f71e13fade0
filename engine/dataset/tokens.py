"""What the loss sees: the one function that turns a conversation into input_ids and labels.

The preview colours its output and the trainer trains on its output; there is no second one.
"""

import itertools
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.dataset.prompt import render_all, with_system
from engine.dataset.token_bytes import token_bytes, token_offsets, token_ranges

if TYPE_CHECKING:
    import numpy
    from tokenizers import Encoding, Tokenizer
    from transformers import GenerationConfig, PreTrainedTokenizerBase

IGNORED = -100
_ROWS_A_BATCH = 500
_changing = threading.Lock()


@dataclass(frozen=True, slots=True)
class Encoded:
    """One row as tokens. `input_ids` and `labels` are what is trained on (cut to max_length);
    `all_ids`, `total` (their number) and `offsets` (characters in `text`) are of the whole row, so
    are `ranges`, the (first, last + 1) tokens that are learned; `end_ids` end a turn. `sizes` are
    the bytes of each id, where the encoding does not know its offsets."""

    text: str
    ranges: list[tuple[int, int]]
    max_length: int
    end_ids: frozenset[int]
    encoding: "Encoding"
    sizes: "numpy.ndarray | None"

    @property
    def all_ids(self) -> list[int]:
        return self.encoding.ids

    @property
    def total(self) -> int:
        return len(self.encoding)

    @property
    def input_ids(self) -> list[int]:
        return self.all_ids[: self.max_length]

    @property
    def labels(self) -> list[int]:
        ids = self.all_ids
        labels = [IGNORED] * len(ids)
        for first, last in self.ranges:
            labels[first:last] = ids[first:last]
        return labels[: self.max_length]

    @property
    def offsets(self) -> list[tuple[int, int]]:
        if self.sizes is None:
            return self.encoding.offsets
        return token_offsets(self.text, self.all_ids, self.sizes)

    @property
    def learned(self) -> int:
        most = self.max_length
        return sum(min(last, most) - min(first, most) for first, last in self.ranges)

    @property
    def lost(self) -> int:
        return max(0, self.total - self.max_length)

    @property
    def end_is_learned(self) -> bool:
        ids = self.input_ids
        return not all(self.end_ids.isdisjoint(ids[first:last]) for first, last in self.ranges)


def encode_all(
    tokenizer: "PreTrainedTokenizerBase",
    conversations: Iterable[dict[str, Any]],
    *,
    max_length: int,
    loss_on: str = "answers",
    system_prompt: str = "",
) -> Iterator[Encoded]:
    """`conversations` as in formats.py; `loss_on` is answers, last_answer or everything.

    The tokenizer works on one batch (without the GIL) while the next is rendered.
    """
    backend = tokenizer.backend_tokenizer
    _cut_nothing(backend)
    end_ids = end_of_turn_ids(tokenizer)
    sizes = token_bytes(tokenizer)
    encode_batch = backend.encode_batch if sizes is None else backend.encode_batch_fast

    def finished(read, job) -> Iterator[Encoded]:
        encodings, ranges, known = _with_ranges(backend, read, job.result(), sizes)
        for (text, _), some, encoding in zip(read, ranges, encodings, strict=True):
            yield Encoded(text, some, max_length, end_ids, encoding, known)

    rows, ahead = iter(conversations), None
    with ThreadPoolExecutor(1) as pool:
        while some := list(itertools.islice(rows, _ROWS_A_BATCH)):
            read = _texts_and_spans(tokenizer, some, loss_on, system_prompt)
            job = pool.submit(encode_batch, [t for t, _ in read], add_special_tokens=False)
            if ahead:
                yield from finished(*ahead)
            ahead = read, job
        if ahead:
            yield from finished(*ahead)


def _cut_nothing(backend: "Tokenizer") -> None:
    """A tokenizer.json may ask for truncation and padding. It is changed only where it does: while
    another thread encodes, tokenizers refuses any change."""
    with _changing:
        if backend.truncation:
            backend.no_truncation()
        if backend.padding:
            backend.no_padding()


def encode(
    tokenizer: "PreTrainedTokenizerBase", conversation: dict[str, Any], **options: Any
) -> Encoded:
    """`encode_all` of one conversation."""
    (encoded,) = encode_all(tokenizer, [conversation], **options)
    return encoded


def _texts_and_spans(
    tokenizer, conversations: list[dict[str, Any]], loss_on: str, system_prompt: str
) -> list[tuple[str, list[tuple[int, int]]]]:
    """What is read of each, and the characters of it that are learned."""
    spoken = [one for one in conversations if "messages" in one]
    rendered = iter(
        render_all(
            tokenizer,
            [(with_system(one["messages"], system_prompt), one.get("tools")) for one in spoken],
        )
    )
    read = []
    for one in conversations:
        if "text" in one:
            text = one["text"] + (tokenizer.eos_token or "")
            read.append((text, [(0, len(text))]))
            continue
        text, answers = next(rendered)
        whole = [(0, len(text))]
        spans = {"answers": answers, "last_answer": answers[-1:], "everything": whole}[loss_on]
        read.append((text, spans))
    return read


def _with_ranges(
    backend: "Tokenizer",
    read: list[tuple[str, list[tuple[int, int]]]],
    encodings: list["Encoding"],
    sizes: "numpy.ndarray | None",
) -> tuple[list["Encoding"], list[list[tuple[int, int]]], "numpy.ndarray | None"]:
    """The encodings, the tokens of each that are learned, and `sizes` where these told them; where
    they cannot, the texts are encoded again, with offsets.

    A row's first token is never learned: nothing stands before it from which to predict it, and in
    a packed row its predecessor belongs to somebody else.
    """
    found = None
    if sizes is not None and (found := token_ranges(read, encodings, sizes)) is None:
        texts = [text for text, _ in read]
        encodings, sizes = backend.encode_batch(texts, add_special_tokens=False), None
    if found is None:
        found = [
            [_tokens_of(span, encoding, len(text)) for span in spans]
            for (text, spans), encoding in zip(read, encodings, strict=True)
        ]
    ranges = [[(max(1, first), max(1, last)) for first, last in some] for some in found]
    return encodings, ranges, sizes


def _tokens_of(span: tuple[int, int], encoding: "Encoding", length: int) -> tuple[int, int]:
    """The tokens that begin within a span of characters, as (first, last + 1)."""
    first, last = (_first_from(at, encoding, length) for at in span)
    return first, last


def _first_from(at: int, encoding: "Encoding", length: int) -> int:
    """The first token that begins at this character or after it."""
    while at < length:
        token = encoding.char_to_token(at)
        if token is not None:
            return token + (encoding.token_to_chars(token)[0] < at)
        at += 1  # white space that belongs to no token's offsets
    return len(encoding)


def end_of_turn_ids(
    tokenizer: "PreTrainedTokenizerBase", generation_config: "GenerationConfig | None" = None
) -> frozenset[int]:
    """Ids of the tokens that end an answer: eos, the end-of-turn marks in common use, and those,
    one or several, that end what the model generates."""
    marks = ("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>", "<|user|>")
    ids = {tokenizer.convert_tokens_to_ids(mark) for mark in marks}
    ids = (ids | {tokenizer.eos_token_id}) - {tokenizer.unk_token_id}
    said = generation_config.eos_token_id if generation_config else None
    return frozenset((ids | set(said if isinstance(said, list) else [said])) - {None})


def segments(encoded: Encoded) -> list[tuple[str, str]]:
    """The row's text in pieces that tile it, each with its mark: learned, end (of turn, learned),
    read (only) or cut (off). A character of several tokens takes the mark of its first."""
    marks = ["read"] * len(encoded.text)
    labels, offsets = encoded.labels, encoded.offsets
    for i in reversed(range(len(offsets))):
        start, end = offsets[i]
        marks[start:end] = [_mark(i, labels, encoded.end_ids)] * (end - start)
    pieces: list[tuple[str, str]] = []
    begin = 0
    for at in range(1, len(marks) + 1):
        if at == len(marks) or marks[at] != marks[begin]:
            pieces.append((encoded.text[begin:at], marks[begin]))
            begin = at
    return pieces


def _mark(i: int, labels: list[int], end_ids: frozenset[int]) -> str:
    if i >= len(labels):
        return "cut"
    if labels[i] == IGNORED:
        return "read"
    return "end" if labels[i] in end_ids else "learned"
