"""What the loss sees: the one function that turns a conversation into input_ids and labels.

The preview colours its output and the trainer trains on its output; there is no second one.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.dataset.prompt import render, with_system

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100


@dataclass(frozen=True, slots=True)
class Encoded:
    """One row as tokens. `input_ids` and `labels` are what is trained on (cut to max_length);
    `all_ids` and `offsets` (characters in `text`) are of the whole row, `end_ids` end a turn."""

    text: str
    input_ids: list[int]
    labels: list[int]
    all_ids: list[int]
    offsets: list[tuple[int, int]]
    end_ids: frozenset[int]

    @property
    def learned(self) -> int:
        return sum(label != IGNORED for label in self.labels)

    @property
    def lost(self) -> int:
        return len(self.all_ids) - len(self.input_ids)

    @property
    def end_is_learned(self) -> bool:
        return any(label in self.end_ids for label in self.labels)


def encode(
    tokenizer: "PreTrainedTokenizerBase",
    conversation: dict[str, Any],
    *,
    max_length: int,
    loss_on: str = "answers",
    system_prompt: str = "",
) -> Encoded:
    """`conversation` as in formats.py; `loss_on` is answers, last_answer or everything.

    The first token is never learned: nothing stands before it from which to predict it, and in a
    packed row its predecessor belongs to somebody else.
    """
    end_ids = end_of_turn_ids(tokenizer)
    if "text" in conversation:
        text = conversation["text"] + (tokenizer.eos_token or "")
        spans = [(0, len(text))]
    else:
        rendered = render(tokenizer, with_system(conversation["messages"], system_prompt))
        text, spans = rendered.text, rendered.answers
        if loss_on == "last_answer":
            spans = spans[-1:]
        elif loss_on == "everything":
            spans = [(0, len(text))]
    batch = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids, offsets = batch["input_ids"], batch["offset_mapping"]
    labels = _labels(ids, offsets, spans)
    return Encoded(text, ids[:max_length], labels[:max_length], ids, offsets, end_ids)


def end_of_turn_ids(tokenizer: "PreTrainedTokenizerBase") -> frozenset[int]:
    """Ids of the tokens that end an answer: eos, and the end-of-turn marks in common use."""
    marks = ("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>", "<|user|>")
    ids = {tokenizer.convert_tokens_to_ids(mark) for mark in marks}
    return frozenset((ids | {tokenizer.eos_token_id}) - {None, tokenizer.unk_token_id})


def segments(encoded: Encoded) -> list[tuple[str, str]]:
    """The row's text in pieces that tile it, each with its mark: learned, end (of turn, learned),
    read (only) or cut (off). A character of several tokens takes the mark of its first."""
    marks = ["read"] * len(encoded.text)
    for i in reversed(range(len(encoded.all_ids))):
        start, end = encoded.offsets[i]
        marks[start:end] = [_mark(encoded, i)] * (end - start)
    pieces: list[tuple[str, str]] = []
    begin = 0
    for at in range(1, len(marks) + 1):
        if at == len(marks) or marks[at] != marks[begin]:
            pieces.append((encoded.text[begin:at], marks[begin]))
            begin = at
    return pieces


def _mark(encoded: Encoded, i: int) -> str:
    if i >= len(encoded.input_ids):
        return "cut"
    if encoded.labels[i] == IGNORED:
        return "read"
    return "end" if encoded.labels[i] in encoded.end_ids else "learned"


def _labels(ids, offsets, spans) -> list[int]:
    labels = [IGNORED] * len(ids)
    at = 0
    for i, (start, _) in enumerate(offsets):
        while at < len(spans) and start >= spans[at][1]:
            at += 1
        if at < len(spans) and start >= spans[at][0]:
            labels[i] = ids[i]
    if labels:
        labels[0] = IGNORED
    return labels
