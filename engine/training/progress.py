"""What a run tells the world while it trains: metrics.jsonl, status.json, samples.jsonl, stop."""

import contextlib
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from engine.config import TrainConfig
from engine.errors import UserError
from engine.models.adapter_state import can_switch_off
from engine.training import checkpoints, ranks, run_files, runs
from engine.training.answers import BASE
from engine.training.kinds import is_count
from engine.training.live_files import read_lines
from engine.training.memory import in_words, measured
from engine.training.once import greedy_answers

if TYPE_CHECKING:
    from engine.training.loop import PackedTrainer

_STATUS_EVERY_SECONDS = 0.5
_LINE_EVERY_SECONDS = 5
_LOSSES = {"loss": "loss", "eval_loss": "eval loss"}
_SAMPLE_TOKENS = 60


class Progress(TrainerCallback):
    """Writes one metrics row per logged step, a fresh status, and sees the stop file.

    `seconds_before` is the training time of earlier sessions of a resumed run, `keep` how many
    checkpoints are kept.
    """

    def __init__(self, path: Path, max_steps: int, seconds_before: float, keep: int):
        self.path = path
        self.max_steps = max_steps
        self.keep = keep
        self.seconds_before = seconds_before
        self.trainer: PackedTrainer | None = None  # set when the trainer exists
        self._begin = self._last_status = time.monotonic()
        self._last_line = 0.0
        self._first_step = 0
        self._tokens_at_begin = 0
        self._aside = 0.0  # seconds spent in evaluation and samples
        self._latest: dict[str, Any] = {}

    def on_train_begin(self, args, state, control, **kwargs):
        self._begin = time.monotonic()
        self._first_step = state.global_step
        self._tokens_at_begin = self.trainer.tokens_seen
        self._write_status(state, state="running")

    def on_step_end(self, args, state, control, **kwargs):
        if self.trainer.of_all(int(ranks.is_main() and (self.path / "stop").exists())):
            control.should_training_stop = control.should_save = True
        if state.global_step >= state.max_steps:
            control.should_log = True  # so that the curve reaches the end
        due = time.monotonic() - self._last_status > _STATUS_EVERY_SECONDS
        if due or control.should_training_stop:  # what is said of the last step stays
            self._write_status(state)

    def on_log(self, args, state, control, logs=None, **kwargs):
        row = {key: logs[key] for key in ("loss", "eval_loss", "learning_rate", "grad_norm")
               if key in logs}  # fmt: skip
        if not row:
            return
        for key in ("loss", "eval_loss"):
            if key in row and not math.isfinite(row[key]):
                raise UserError(
                    f"The {key} became {row[key]} at step {state.global_step}: the steps are too "
                    "large. Start again with a learning rate of a third.",
                    f"第 {state.global_step} 步的 {key} 变成了 {row[key]}：步子太大。"
                    "请把学习率降到三分之一再开始。",
                    field="learning_rate",
                )
        memory = measured(together=True)
        row |= {
            "step": state.global_step,
            "seconds": round(self._seconds(self.trainer.logged_at), 2),
            "epoch": round(state.epoch or 0, 4),
            "tokens": self.trainer.tokens_seen,
            "tokens_per_second": self._speed(),
            "memory": memory,
        }
        self._latest |= {k: row[k] for k in ("loss", "eval_loss") if k in row}
        if "loss" in row:  # neither an evaluation nor what a resumed run finds: see Run.settled
            self._latest["loss_at"] = time.time()
        self._latest |= {"tokens_per_second": self._speed(), "peak_gib": memory["peak_gib"]}
        if ranks.is_main():
            append_json_line(self.path / "metrics.jsonl", row)
            self._say(state, row)
            if "eval_loss" in row:
                print(in_words(memory), flush=True)
        self._write_status(state)

    def on_save(self, args, state, control, **kwargs):
        self.trainer.accelerator.wait_for_everyone()  # each process writes its random numbers
        if not ranks.is_main():
            return
        checkpoint = self.path / f"checkpoint-{state.global_step}"
        facts = {"tokens_seen": self.trainer.tokens_seen, "seconds": self.seconds}
        checkpoints.seal(checkpoint, facts)
        checkpoints.rotate(self.path, self.keep, state.best_model_checkpoint)

    def _say(self, state, row: dict[str, Any]) -> None:
        """How far it is, for the log and a shell; of a fast run not every step."""
        now = time.monotonic()
        if "eval_loss" not in row and now - self._last_line < _LINE_EVERY_SECONDS:
            return
        self._last_line = now
        losses = [f"{said} {row[key]:.3f}" for key, said in _LOSSES.items() if key in row]
        left = self._left(state)
        time_left = "" if left is None else f", {left:,.0f} s left"
        where = f"Step {state.global_step} of {self.max_steps}"
        with contextlib.suppress(OSError):  # nobody listens any more
            print(f"{where}: {', '.join(losses)}{time_left}", flush=True)

    def set_aside(self, seconds: float) -> None:
        """Time that must not count against the training speed."""
        self._aside += seconds

    @property
    def seconds(self) -> float:
        """Training time of all sessions of this run."""
        return self._seconds(time.monotonic())

    def _seconds(self, moment: float) -> float:
        return self.seconds_before + moment - self._begin

    def _speed(self) -> float | None:
        training = self.trainer.logged_at - self._begin - self._aside
        tokens = self.trainer.tokens_seen - self._tokens_at_begin
        return round(tokens / training, 1) if tokens and training > 0 else None

    def _left(self, state) -> float | None:
        """Seconds, as fast as this session has been; None before its first step."""
        done = state.global_step - self._first_step
        elapsed = time.monotonic() - self._begin
        return elapsed / done * (self.max_steps - state.global_step) if done else None

    def _write_status(self, at, **changes: Any) -> None:
        self._last_status = time.monotonic()
        if not ranks.is_main():
            return
        runs.write_status(
            self.path,
            step=at.global_step,
            max_steps=self.max_steps,
            seconds=round(self.seconds, 2),
            seconds_left=self._left(at),
            **self._latest,
            **changes,
        )


class Samples(TrainerCallback):
    """Answers the fixed questions at the start, at every evaluation (where nothing is held back,
    when one would be due) and at the end, greedily: no randomness is used up. The base answers
    once, at the start, where the adapter can be switched off; its rows say "voice": "base". Where
    processes share a model, all of them answer and one writes.
    """

    def __init__(self, path: Path, config: TrainConfig, tokenizer, progress: Progress):
        self.path = path
        self.tokenizer = tokenizer
        self.progress = progress
        self.system_prompt = config.system_prompt
        self.prompts = [p.strip() for p in config.sample_prompts.split("\n") if p.strip()]

    def on_train_begin(self, args, state, control, model=None, **kwargs):
        begin = time.monotonic()
        if can_switch_off(model) and self._lacks(lambda row: row.get("voice") == BASE):
            with model.disable_adapter():
                self._answer(model, 0, voice=BASE)
        self.progress.set_aside(time.monotonic() - begin)
        if state.global_step == 0:
            self.on_evaluate(args, state, control, model)

    def on_step_end(self, args, state, control, model=None, **kwargs):
        if args.eval_strategy == "no" and state.global_step % args.eval_steps == 0:
            self.on_evaluate(args, state, control, model)

    def on_evaluate(self, args, state, control, model=None, **kwargs):
        step, begin = state.global_step, time.monotonic()
        if self._lacks(lambda row: row["step"] == step and row.get("voice") != BASE):
            self._answer(model, step)
        self.progress.set_aside(time.monotonic() - begin)

    def on_train_end(self, args, state, control, model=None, **kwargs):
        if args.load_best_model_at_end and state.best_model_checkpoint:
            return  # the weights are those of the best step again, which has been answered
        self.on_evaluate(args, state, control, model)

    def _lacks(self, wanted: Callable[[dict[str, Any]], bool]) -> bool:
        """Whether no row is such a one. The process that writes the file knows."""
        lacks = ranks.is_main() and not any(map(wanted, run_files.samples(self.path)))
        return self.progress.trainer.agreed(lacks)

    def _answer(self, model, step: int, **marks: str) -> None:
        answers = greedy_answers(
            model, self.tokenizer, self.prompts, self.system_prompt, max_new_tokens=_SAMPLE_TOKENS
        )
        if ranks.is_main():
            for prompt, answer in zip(self.prompts, answers, strict=True):
                row = {"step": step, "prompt": prompt, "answer": answer}
                append_json_line(self.path / "samples.jsonl", row | marks)


def append_json_line(path: Path, row: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")


def cut_after(path: Path, step: int) -> int:
    """Forgets rows beyond a step, so that a resumed curve continues where its checkpoint stood.
    Returns how many lines could not be read: they are forgotten too."""
    lines = read_lines(path)
    rows = [row for row in lines if row and is_count(row.get("step"))]
    kept = [row for row in rows if row["step"] <= step]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept)
    fresh = path.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
    return len(lines) - len(rows)
