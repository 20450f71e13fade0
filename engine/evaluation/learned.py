"""Did it learn? Base and adapter measured on the same rows when a run ends; learned.json.

What it may cost is bounded: TOKENS of training rows, as many held-out ones and the general text
(some 1,000) are read twice without gradients, and PROMPTS questions answered twice in ANSWER_TOKENS
tokens: six seconds of processor time for sprout (2026-11-21).
"""

import json
import math
import random
import time
import traceback
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.dataset.packing import Row, alone, count_trained
from engine.dataset.tokens import IGNORED, encode_all
from engine.evaluation.verdict import verdict
from engine.models.adapter_state import can_switch_off, update_norms
from engine.places import DATA_DIR
from engine.training import ranks, run_files, runs
from engine.training.checkpoints import write_whole
from engine.training.once import greedy_ids

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from engine.config import TrainConfig
    from engine.training.data import Prepared, Sequences

TOKENS = 4096  # of training rows, and of held-out rows; at least one sequence of each
PROMPTS = 8
ANSWER_TOKENS = 24
LONGEST_PROMPT = 1024
TEXT_PROMPT = 16  # tokens of a plain text, or of a row learned whole, that stand for a question


# Of sequences their summed loss; calls `before_each` forward.
LossOver = Callable[..., float]


class GivenUp(Exception):
    """The person asked to stop while it was measured."""


def look_back(
    path: Path,
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    config: "TrainConfig",
    prepared: "Prepared",
    loss_over: LossOver,
    agreed: Callable[[bool], bool] = bool,
) -> None:
    """Measures and writes learned.json. The run is over and saved: whatever goes wrong here is said
    in the log and in the card, and harms nothing. Processes that share a model measure together;
    `agreed` makes one decision of theirs."""
    begin, asked = time.monotonic(), _stop_asked_at(path)

    def go_on() -> None:
        if agreed(_stop_asked_at(path) != asked):
            raise GivenUp

    step = runs.status_of(path).get("step", 0)
    was_training = model.training
    model.eval()
    try:
        card = measure(model, tokenizer, config, prepared, loss_over, go_on)
        card["best"] = _best(path, config.load_best_model_at_end)
        card["verdict"] = verdict(card)
        _say(f"Did it learn? {card['verdict']}, {time.monotonic() - begin:.1f} s")
    except GivenUp:
        _say("Did it learn? Not measured to its end: a stop was asked for.")
        return
    except Exception as error:
        traceback.print_exc()
        card = {"failed": f"{type(error).__name__}: {error}"}
    finally:
        model.train(was_training)
    if ranks.is_main():
        write_whole(path / "learned.json", json.dumps({"step": step} | card, ensure_ascii=False))


def _say(words: str) -> None:
    if ranks.is_main():
        print(words, flush=True)


def measure(
    model, tokenizer, config: "TrainConfig", prepared: "Prepared", loss_over: LossOver, go_on
) -> dict[str, Any]:
    """Losses in nats a token, weighted by tokens; None for what cannot be measured.

    `go_on` is called before each forward and raises to give up.
    """
    switches = can_switch_off(model)
    off = model.disable_adapter if switches else None
    losses = partial(_losses, off, partial(loss_over, before_each=go_on))
    train = _some(prepared.train, config.seed)
    held_out = _some(prepared.evaluation, config.seed)
    unseen = losses(held_out)
    if unseen:
        unseen["known"] = _known(held_out, prepared.train)
    norms = update_norms(model)
    guess = {"guess": round(math.log(len(tokenizer)), 4)}  # of whoever knows nothing
    return {
        "train": losses(train),
        "held_out": unseen,
        "general": losses(_general(tokenizer)) | guess,
        "answers": _answers(model, off, tokenizer, held_out or train, config.seed, go_on),
        "modules": {"count": len(norms), "zero": [name for name, n in norms.items() if n == 0]}
        if norms
        else None,
    }


def _some(sequences, seed: int) -> list[dict[str, list[int]]]:
    """Sequences in a seeded order until TOKENS are reached; the first one always."""
    chosen, tokens = [], 0
    for at in random.Random(seed).sample(range(len(sequences)), len(sequences)):
        one = sequences[at]
        if chosen and tokens + len(one["input_ids"]) > TOKENS:
            break
        chosen.append(one)
        tokens += len(one["input_ids"])
    return chosen


def _known(held_out: list[Row], train: "Sequences") -> int:
    """How many of these rows are trained on too: the same tokens."""
    asked = Counter(array("i", ids).tobytes() for one in held_out for ids, _ in _rows_of(one))
    return sum(asked[one] for one in {one for one in train.contents() if one in asked})


def _general(tokenizer) -> list[Row]:
    """Everyday text that no run trains on, in English and Chinese, learned whole."""
    lines = (DATA_DIR / "general.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [{"text": json.loads(line)["text"]} for line in lines]
    return [alone(one) for one in encode_all(tokenizer, texts, max_length=LONGEST_PROMPT)]


def _losses(off, loss_over, sequences) -> dict[str, Any] | None:
    """{rows, tokens learned, base, adapter}; None without sequences."""
    if not sequences:
        return None
    learned = sum(map(count_trained, sequences))

    def loss(context) -> float:
        with context():
            return round(loss_over(sequences) / learned, 4)

    return {
        "rows": sum(int((one["position_ids"] == 0).sum()) for one in sequences),
        "tokens": learned,
        "base": loss(off) if off else None,
        "adapter": loss(nullcontext),
    }


def _answers(model, off, tokenizer, sequences, seed: int, go_on) -> dict[str, int] | None:
    """How many greedy answers to prompts of the data are no longer the base's."""
    if not off:
        return None
    found = [prompt for one in sequences for prompt in _prompts(one)]
    found = [list(one) for one in dict.fromkeys(map(tuple, found)) if len(one) <= LONGEST_PROMPT]
    chosen = random.Random(seed).sample(found, min(PROMPTS, len(found)))
    if not chosen:
        return None
    go_on()
    with off():
        base = greedy_ids(model, tokenizer, chosen, ANSWER_TOKENS)
    go_on()
    tuned = greedy_ids(model, tokenizer, chosen, ANSWER_TOKENS)
    changed = sum(one != other for one, other in zip(base, tuned, strict=True))
    return {"asked": len(chosen), "changed": changed}


def _prompts(sequence: Row) -> Iterator[list[int]]:
    """What stands before the first learned token of each row of a sequence."""
    for ids, labels in _rows_of(sequence):
        learned = [at for at, label in enumerate(labels) if label != IGNORED]
        if learned:
            yield ids[: learned[0] if learned[0] > 1 else TEXT_PROMPT]


def _rows_of(sequence: Row) -> Iterator[tuple[list[int], list[int]]]:
    """Tokens and labels of each row of a sequence."""
    ids, labels, positions = (sequence[n].tolist() for n in ("input_ids", "labels", "position_ids"))
    starts = [at for at, position in enumerate(positions) if position == 0]
    for start, end in zip(starts, [*starts[1:], len(ids)], strict=True):
        yield ids[start:end], labels[start:end]


def _best(path: Path, is_adapter: bool) -> dict[str, Any] | None:
    """The eval loss of the start (the base's), where it was lowest later and at last, and the
    checkpoint of that step if it is kept. `is_adapter`: the model of that step is what was saved,
    and so what was measured."""
    rows = run_files.metrics(path)
    evals = [(row["eval_loss"], row["step"]) for row in rows if row.get("eval_loss") is not None]
    after = [one for one in evals if one[1] > 0]
    if not after:
        return None
    loss, step = min(after)
    before, (last_loss, last_step) = [one for one in evals if one[1] == 0], after[-1]
    kept = (path / f"checkpoint-{step}" / "complete.json").is_file()
    return {
        "first_eval_loss": round(before[0][0], 4) if before else None,
        "step": step,
        "eval_loss": round(loss, 4),
        "last_step": last_step,
        "last_eval_loss": round(last_loss, 4),
        "checkpoint": f"checkpoint-{step}" if kept else "",
        "is_adapter": is_adapter,
    }


def _stop_asked_at(path: Path) -> int:
    """When the stop file was last touched, 0 without one: a stopped run has it already."""
    file = path / "stop"
    return file.stat().st_mtime_ns if file.exists() else 0
