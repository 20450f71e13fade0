"""The rows a run trains and validates on: read, split, encoded, packed. The estimate plans with the
same function, so that the steps foretold are the steps done."""

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.config import TrainConfig
from engine.dataset import opened
from engine.dataset.lengths import Lengths, measure
from engine.dataset.meaning.formats import Conversations, learnable, to_conversations
from engine.dataset.packing import Row, join, pack
from engine.dataset.reading.read import Table, read_table
from engine.dataset.split import split
from engine.dataset.tokens import IGNORED, Encoded
from engine.errors import Sentence, UserError
from engine.library import resolve

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

NOTHING_TO_LEARN = Sentence(
    "nothing to learn in it within the longest row", "在最大长度内没有可学的内容"
)


@dataclass(frozen=True, slots=True)
class Source:
    """A file in all its stages."""

    path: Path
    table: Table
    found: Conversations
    lengths: Lengths


@dataclass(frozen=True, slots=True)
class Plan:
    """Which rows share a sequence, by number; `facts` is what dataset.json says. The numbers of
    `evaluation` are those of the second file when there is one."""

    train: list[list[int]]
    evaluation: list[list[int]]
    lengths: np.ndarray  # tokens in each sequence to train on
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Sequences of rows, and the facts for dataset.json."""

    train: "Sequences"
    evaluation: "Sequences"
    facts: dict[str, Any]


class Rows:
    """Encoded rows at four bytes a token. `take` is handed to whoever encodes."""

    def __init__(self) -> None:
        self._rows: list[tuple[array, list[tuple[int, int]]]] = []

    def take(self, one: Encoded) -> None:
        self._rows.append((array("i", one.input_ids), one.ranges))

    def content(self, number: int) -> bytes:
        """The tokens, to tell whether two rows are one."""
        return self._rows[number][0].tobytes()

    def length(self, number: int) -> int:
        """In tokens."""
        return len(self._rows[number][0])

    def __getitem__(self, number: int) -> dict[str, np.ndarray]:
        ids, ranges = self._rows[number]
        input_ids = np.array(ids, dtype=np.int64)
        labels = np.full_like(input_ids, IGNORED)
        for first, last in ranges:
            labels[first:last] = input_ids[first:last]
        return {"input_ids": input_ids, "labels": labels}


class Sequences(Sequence):
    """Packs of rows, joined when they are asked for."""

    def __init__(self, rows: Rows, packs: list[list[int]]):
        self._rows, self._packs = rows, packs

    def __len__(self) -> int:
        return len(self._packs)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens in each sequence."""
        return np.array([sum(map(self._rows.length, one)) for one in self._packs])

    @property
    def longest_row(self) -> int:
        """Tokens in the longest row; 0 without any."""
        return max((self._rows.length(row) for one in self._packs for row in one), default=0)

    def contents(self) -> Iterator[bytes]:
        """Of each row; none is joined."""
        return (self._rows.content(row) for one in self._packs for row in one)

    def __getitem__(self, at: int) -> Row:
        return join([self._rows[number] for number in self._packs[at]])


def foresee(
    config: TrainConfig,
    tokenizer: "PreTrainedTokenizerBase",
    progress: Callable[[float], None] = lambda share: None,
) -> Plan:
    """The plan of a run that may be asked for again and again: what is known is kept.

    `progress` as in engine.dataset.opened. Raises UserError as `prepare` does.
    """

    def source(path: Path, is_second: bool) -> Source:
        table, speaker = opened.table(path), config.speaker
        mapping = _mapping(config, table, is_second)
        found = opened.conversations(path, mapping, speaker)
        lengths = opened.lengths(path, mapping, speaker, tokenizer, progress, **_options(config))
        return Source(path, table, found, lengths)

    return _plan(config, *_sources(config, source))


def prepare(config: TrainConfig, tokenizer: "PreTrainedTokenizerBase") -> Prepared:
    """Raises UserError (field "dataset", "mapping", "eval_dataset", "eval_size", "max_length")."""
    encoded: list[Rows] = []

    def source(path: Path, is_second: bool) -> Source:
        table = read_table(path)
        asked = _mapping(config, table, is_second), config.speaker
        found = learnable(to_conversations(table, *asked))
        encoded.append(Rows())
        each = encoded[-1].take
        lengths = measure(tokenizer, found.conversations, each=each, **_options(config))
        return Source(path, table, found, lengths)

    planned = _plan(config, *_sources(config, source))
    train, evaluation = planned.train, planned.evaluation
    return Prepared(Sequences(encoded[0], train), Sequences(encoded[-1], evaluation), planned.facts)


def steps(config: TrainConfig, sequences: int, processes: int = 1) -> int:
    """Optimiser steps of a run over this many sequences an epoch; each process takes a batch."""
    if config.max_steps:
        return config.max_steps
    batch = config.per_device_train_batch_size * config.gradient_accumulation_steps * processes
    return max(1, round(config.num_train_epochs * -(-sequences // batch)))


def _options(config: TrainConfig) -> dict[str, Any]:
    return {
        "max_length": config.max_length,
        "loss_on": config.loss_on,
        "system_prompt": config.system_prompt,
    }


def _sources(config: TrainConfig, source: Callable) -> tuple[Source, Source | None]:
    """The file to train on, and the second file when there is one."""
    training = source(resolve(config.dataset), is_second=False)
    if not config.eval_dataset:
        return training, None
    try:
        return training, source(resolve(config.eval_dataset), is_second=True)
    except UserError as error:
        raise UserError(*error.sentence, field="eval_dataset") from error


def _mapping(config: TrainConfig, table: Table, is_second: bool) -> str:
    return opened.for_second(config.mapping, table.columns) if is_second else config.mapping


def _plan(config: TrainConfig, source: Source, second: Source | None) -> Plan:
    usable = set((source.lengths.trained > 0).nonzero()[0].tolist())
    if not usable:
        raise UserError(
            f"No row has anything to learn within {config.max_length} tokens; raise "
            '"Longest row, tokens" (max_length).',
            f"在 {config.max_length} 个 token 内没有可学的内容，"
            "请调大“最长一条（token）”（max_length）。",
            field="max_length",
        )
    held_out = second or source
    if second:
        train, evaluation = sorted(usable), (second.lengths.trained > 0).nonzero()[0].tolist()
    else:
        parts = split(source.found, config.eval_size, config.seed, source.table.splits)
        train, evaluation = ([i for i in part if i in usable] for part in parts)
    if not train:
        raise UserError(
            "All rows are held back for validation; none is left to train on. Lower eval_size.",
            "所有数据都留作验证，没有剩下可训练的。请调小验证集。",
            field="eval_size",
        )
    packs = _packs(config, source.lengths, train)
    kept = source.lengths.total - source.lengths.lost
    facts = _facts(config, source, second, train) | {"eval_rows": len(evaluation)}
    return Plan(
        packs,
        _packs(config, held_out.lengths, evaluation),
        np.array([kept[pack].sum() for pack in packs]),
        facts,
    )


def _packs(config: TrainConfig, lengths: Lengths, rows: list[int]) -> list[list[int]]:
    if not config.packing:
        return [[row] for row in rows]
    kept = (lengths.total - lengths.lost)[rows].tolist()
    return [[rows[i] for i in sorted(one)] for one in pack(kept, config.max_length)]


def _facts(
    config: TrainConfig, source: Source, second: Source | None, train: list[int]
) -> dict[str, Any]:
    found, lengths = source.found, source.lengths
    reasons = Counter(reason for _, reason in found.dropped)
    dropped = [{"reason": r.en, "reason_zh": r.zh, "rows": n} for r, n in reasons.items()]
    empty = int((lengths.trained == 0).sum())
    if empty:
        reason = NOTHING_TO_LEARN
        dropped.append({"reason": reason.en, "reason_zh": reason.zh, "rows": empty})
    kept = lengths.total - lengths.lost
    return {
        "source": str(config.dataset),
        "file": source.path.name,
        "sha256": opened.sha256(source.path),
        "eval_file": second.path.name if second else "",
        "eval_sha256": opened.sha256(second.path) if second else "",
        "format": found.format,
        "mapping": found.mapping,
        "speaker": config.speaker,
        "rows": len(source.table.rows),
        "dropped": dropped,
        "train_rows": len(train),
        "train_tokens": int(kept[train].sum()),
        "learned_tokens": int(lengths.trained[train].sum()),
        "truncated_rows": int((lengths.lost > 0).sum()),
    }
