"""The rows a run trains and validates on: read, split, encoded, packed. Estimate and training use
the same rows, so that the steps foretold are the steps done."""

import hashlib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.config import TrainConfig
from engine.dataset.formats import Conversations, to_conversations
from engine.dataset.packing import join, pack
from engine.dataset.read import read_table
from engine.dataset.tokens import Encoded, encode
from engine.errors import Sentence, UserError
from engine.library import resolve

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

NOTHING_TO_LEARN = Sentence(
    "nothing to learn in it within the longest row", "在最大长度内没有可学的内容"
)
_FEWEST_FOR_EVAL = 10


@dataclass(frozen=True, slots=True)
class Prepared:
    """Sequences of {input_ids, labels, position_ids}, and the facts for dataset.json."""

    train: list[dict[str, list[int]]]
    evaluation: list[dict[str, list[int]]]
    facts: dict[str, Any]


def prepare(config: TrainConfig, tokenizer: "PreTrainedTokenizerBase") -> Prepared:
    """Raises UserError (field "dataset" or "max_length") when nothing is left to train on."""
    path = resolve(config.dataset)
    table = read_table(path)
    found = to_conversations(table.rows, table.columns)
    encoded = [
        encode(
            tokenizer,
            conversation,
            max_length=config.max_length,
            loss_on=config.loss_on,
            system_prompt=config.system_prompt,
        )
        for conversation in found.conversations
    ]
    usable = [row for row in encoded if row.learned]
    if not usable:
        raise UserError(
            f"No row has anything to learn within {config.max_length} tokens; choose a longer "
            "longest row.",
            f"在 {config.max_length} 个 token 内没有可学的内容，请把最长一条调大。",
            field="max_length",
        )
    train, evaluation = _split(usable, config)
    facts = _facts(config, path, found, encoded, train, evaluation)
    return Prepared(_sequences(train, config), _sequences(evaluation, config), facts)


def steps(config: TrainConfig, sequences: int) -> int:
    """Optimiser steps of a run over this many sequences an epoch."""
    if config.max_steps:
        return config.max_steps
    batch = config.per_device_train_batch_size * config.gradient_accumulation_steps
    return max(1, round(config.num_train_epochs * -(-sequences // batch)))


def _split(rows: list[Encoded], config: TrainConfig) -> tuple[list[Encoded], list[Encoded]]:
    """The same seed always keeps the same rows back."""
    order = list(range(len(rows)))
    random.Random(config.seed).shuffle(order)
    kept_back = round(len(rows) * config.eval_size) if len(rows) >= _FEWEST_FOR_EVAL else 0
    chosen = set(order[:kept_back])
    train = [row for i, row in enumerate(rows) if i not in chosen]
    return train, [row for i, row in enumerate(rows) if i in chosen]


def _sequences(rows: list[Encoded], config: TrainConfig) -> list[dict[str, list[int]]]:
    items = [{"input_ids": row.input_ids, "labels": row.labels} for row in rows]
    if not config.packing:
        return [join([item]) for item in items]
    bins = pack([len(item["input_ids"]) for item in items], config.max_length)
    return [join([items[i] for i in sorted(one)]) for one in bins]


def _facts(config, path, found: Conversations, encoded, train, evaluation) -> dict[str, Any]:
    dropped = [{"reason": r.en, "reason_zh": r.zh, "rows": n} for r, n in found.dropped.items()]
    empty = sum(not row.learned for row in encoded)
    if empty:
        reason = NOTHING_TO_LEARN
        dropped.append({"reason": reason.en, "reason_zh": reason.zh, "rows": empty})
    return {
        "source": str(config.dataset),
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "format": found.format,
        "rows": len(found.conversations) + sum(found.dropped.values()),
        "dropped": dropped,
        "train_rows": len(train),
        "eval_rows": len(evaluation),
        "train_tokens": sum(len(row.input_ids) for row in train),
        "learned_tokens": sum(row.learned for row in train),
        "truncated_rows": sum(row.lost > 0 for row in encoded),
    }
