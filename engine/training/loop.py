"""The loop is Transformers' Trainer; its steps are cut here into micro-steps that fit."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.compiler import set_stance
from torch.distributed.tensor import DTensor
from transformers import Trainer

from engine.dataset.packing import Row, count_trained
from engine.dataset.tokens import IGNORED
from engine.errors import is_out_of_memory
from engine.models.sharing import is_shared
from engine.training.averaging import average_gradients, begin_equal
from engine.training.halved import Halved
from engine.training.micro_steps import Batch, Layout
from engine.training.noise import noisy
from engine.transfers import Arriving


class Step:
    """The sequences of one optimiser step on one device, opaque to whoever moves tensors."""

    def __init__(self, rows: list[Row]):
        self.rows = rows

    @classmethod
    def collate(cls, rows: list[Row]) -> dict[str, "Step"]:
        return {"step": cls(rows)}


class PackedTrainer(Trainer):
    """Trainer whose batch is a whole optimiser step of sequences.

    The step's loss is that of all its trained tokens, however it is cut: `layout` says into which
    micro-steps, and when memory runs out they are halved and the step, or the evaluation, is taken
    anew. Several processes speak with each other before and after their micro-steps alone, so that
    each halves its own; where they share a model, every layer of which they call together, Halved
    is raised instead. `tokens_seen` counts real tokens, no padding. `has_loss_head`: the model
    answers with the summed loss.
    `logs_late`: the numbers of a plain step, not evaluated, saved or the last, are read and logged
    while the device computes the next, which else would wait for that. `logged_at`
    (time.monotonic()) is when the step that is logged had ended.
    `optimizer`: where it is not the Trainer's own. `noise` is NEFTune's alpha, for training alone.
    """

    def __init__(
        self,
        *args,
        layout: Layout,
        has_loss_head: bool,
        logs_late: bool = False,
        optimizer: torch.optim.Optimizer | None = None,
        noise: float = 0.0,
        **kwargs,
    ):
        super().__init__(*args, data_collator=Step.collate, **kwargs)
        self.optimizer = optimizer  # it would not take one where the model is shared out
        self._shared = is_shared(self.model)
        if self._shared and hasattr(self.model, "peft_config"):
            # An adapter is whole in each process: its checkpoints are those of DDP.
            self.is_fsdp_enabled = False
        elif self.args.world_size > 1 and not self._shared:
            # Else it would be put into torch's DDP, whose buckets are one more copy of all
            # gradients, though they are averaged here.
            self.accelerator.prepare_model = partial(
                self.accelerator.prepare_model, evaluation_mode=True
            )
            begin_equal(self.model)
        self.layout, self.has_loss_head, self.logs_late = layout, has_loss_head, logs_late
        self.noise = noise
        self.tokens_seen = 0
        self.logged_at = 0.0
        self._waiting_log: Callable[[], None] | None = None

    def training_step(
        self, model, inputs: dict[str, Step], num_items_in_batch=None
    ) -> torch.Tensor:
        model.train()
        rows = inputs["step"].rows
        trained = self.of_all(sum(count_trained(one) for one in rows))
        loss = self._fitting(rows, lambda: self._gradients(rows, trained))
        if self.args.world_size > 1:
            average_gradients(self.model)
        self._log_now()
        self.tokens_seen += self.of_all(sum(len(one["input_ids"]) for one in rows))
        return self.of_all(loss) / trained

    def _fitting(self, rows: list[Row], attempt: Callable[[], torch.Tensor]) -> torch.Tensor:
        """What `attempt` makes of `rows`; it is made anew with half of a micro-step as often as
        memory runs out."""
        while True:
            try:
                return attempt()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or not self.layout.halve(rows):
                    raise
            if self._shared:
                raise Halved(self.layout.capacity)
            self.model.zero_grad(set_to_none=True)
            torch.cuda.empty_cache()
            print(
                f"Memory ran out: from here on {self.layout.capacity} tokens a micro-step, the "
                "step and its batch stay as they are.",
                flush=True,
            )

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        self.logged_at = time.monotonic()
        super().log(logs)

    def _maybe_log_save_evaluate(self, tr_loss, grad_norm, *args, **kwargs) -> None:
        now = self.control
        plain = not (now.should_save or now.should_evaluate or now.should_training_stop)
        if self.logs_late and now.should_log and plain:
            self._log_later(tr_loss, grad_norm, kwargs["learning_rate"])
        super()._maybe_log_save_evaluate(tr_loss, grad_norm, *args, **kwargs)

    def _log_later(self, tr_loss: torch.Tensor, grad_norm: torch.Tensor, rate: float) -> None:
        """What Trainer would wait for. `tr_loss` is a sum since the last log, from 0 on anew."""
        self.control.should_log = False
        steps = self.state.global_step - self._globalstep_last_logged
        self._globalstep_last_logged = self.state.global_step
        loss, norm = Arriving(tr_loss.clone()), Arriving(_whole(grad_norm))
        tr_loss.zero_()

        def log() -> None:
            total, grad_norm = float(loss.read()), float(norm.read())
            self._total_loss_scalar += total
            self.log({"loss": total / steps, "grad_norm": grad_norm, "learning_rate": rate})

        self._waiting_log = log

    def _log_now(self) -> None:
        log, self._waiting_log = self._waiting_log, None
        if log:
            log()

    def _gradients(self, rows: list[Row], trained: int) -> torch.Tensor:
        """Adds up this process's gradients of a step's mean loss over `trained` tokens of all;
        returns its summed loss, detached."""
        total = torch.zeros((), device=self.args.device)
        for part in self._parts(rows):
            batch = self.layout.batch(part, self.args.device)
            # A shape of its own is not worth a program of its own.
            with (
                nullcontext() if batch.is_usual else set_stance("force_eager"),
                noisy(self.model, self.noise, batch.inputs["position_ids"]),
            ):
                loss = self._loss_sum(batch)
            # The gradients of several devices are averaged, not added.
            self.accelerator.backward(loss * (self.args.world_size / trained))
            total += loss.detach()
        return total

    def _loss_sum(self, batch: Batch) -> torch.Tensor:
        """On the Trainer's own device; a model that is spread over several ends on another."""
        with self.accelerator.autocast():  # Accelerate leaves a shared model without
            if self.has_loss_head:
                loss = self.model(**batch.inputs, targets=batch.targets, at=batch.at)
                return loss.to(self.args.device)
            model = self.model if torch.is_grad_enabled() else _measured(self.model)
            output = model(**batch.inputs, labels=batch.labels)
        if not len(batch.targets):  # the mean of nothing is no number
            return (output.logits.sum() * 0).to(self.args.device)
        return (output.loss * len(batch.targets)).to(self.args.device)

    def _parts(self, rows: list[Row]) -> list[list[Row]]:
        """Of a shared model equally many on every device: each joins in the others' layers."""
        parts = self.layout.cut(rows)
        if not self._shared:
            return parts
        most = int(self.accelerator.reduce(self._tensor(len(parts)), "max"))
        return parts + [[_nothing(parts[0][0])] for _ in range(most - len(parts))]

    def of_all(self, value: Any) -> Any:
        """The sum over all devices."""
        if self.args.world_size == 1:
            return value
        if isinstance(value, torch.Tensor):
            return self.accelerator.reduce(value, "sum")
        return int(self.accelerator.reduce(self._tensor(value), "sum"))

    def agreed(self, mine: bool) -> bool:
        """Whether this process says so, or any of those that have to call the model together."""
        return bool(self.of_all(int(mine))) if self._shared else mine

    def _tensor(self, number: int) -> torch.Tensor:
        return torch.tensor(number, device=self.args.device)

    @torch.no_grad()
    @set_stance("force_eager")
    def loss_over(self, rows: list[Row], before_each: Callable[[], None] = lambda: None) -> float:
        """The summed loss of the trained tokens of `rows`, in one process by itself; where the
        model is shared out, in all of them, with the same rows."""

        def attempt() -> torch.Tensor:
            return self._over(self.layout.cut(rows), before_each)

        return float(self._fitting(rows, attempt))

    def _over(
        self, parts: list[list[Row]], before_each: Callable[[], None] = lambda: None
    ) -> torch.Tensor:
        """Their summed loss."""
        total = torch.zeros((), device=self.args.device)
        for part in parts:
            before_each()
            total += self._loss_sum(self.layout.batch(part, self.args.device))
        return total

    @torch.no_grad()
    @set_stance("force_eager")
    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix="eval") -> dict:
        """The mean loss over all trained tokens that are held out."""
        rows = list(self.eval_dataset)
        mine = rows[self.args.process_index :: self.args.world_size] or [_nothing(rows[0])]
        self.model.eval()
        loss = self._fitting(mine, lambda: self._over(self._parts(mine)))
        tokens = sum(count_trained(one) for one in mine)
        self.model.train()
        metrics = {"eval_loss": float(self.of_all(loss) / self.of_all(tokens))}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def floating_point_ops(self, inputs) -> int:
        return 0  # tokens are what is counted here


def _measured(model):
    """AdaLoRA adds to its loss, and to the base's, how far its matrices are from orthogonal: that
    is trained, and nothing that was learned."""
    adds = hasattr(getattr(model, "base_model", None), "rankallocator")
    return model.get_base_model() if adds else model


def _whole(grad_norm: torch.Tensor) -> torch.Tensor:
    """Of a model that is shared out each process has a part of the norm."""
    return grad_norm.full_tensor() if isinstance(grad_norm, DTensor) else grad_norm


def _nothing(row: Row) -> Row:
    """As long as `row`, with nothing to learn."""
    return row | {"labels": np.full_like(row["labels"], IGNORED)}
