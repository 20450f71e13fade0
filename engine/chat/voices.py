"""Base and adapters answering together on one copy of the base.

Voices whose rows can be told apart are one batch; the others take turns with it, token by token,
so that all of them stream.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.chat.batch import Batch
from engine.chat.captured import Captured
from engine.chat.graph import can_capture
from engine.chat.manner import Manner, manner_of
from engine.chat.sampling import checked
from engine.chat.speaker import Speaker
from engine.chat.tuned import BASE, Tuned
from engine.dataset.tokens import end_of_turn_ids
from engine.errors import Sentence, UserError
from engine.hardware import Device, pick_device
from engine.models import few_rows
from engine.models.adapter import base_of, is_own, read_card, same_base
from engine.models.load import Quantization, footprint_gib, load_base, load_tokenizer
from engine.models.positions import turning_point, window_of
from engine.models.row_lora import read_frozen

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_SNAPSHOT_SECONDS = 0.04
_CAPACITY = 4096  # tokens of a captured cache; a longer conversation is decoded step by step


class Voices:
    """A loaded base with its adapters. `names` begins with "base"."""

    def __init__(self, model_name: str, device: Device, quantization: Quantization):
        self.model_name = model_name
        self.device = device
        self.quantization = quantization
        self.base: PreTrainedModel = load_base(model_name, device, quantization).eval()
        read_frozen(self.base)
        self.tokenizer, self.template_note = load_tokenizer(model_name)
        self.names = [BASE]
        self.tuned = Tuned(self.base, device, {})
        ends = end_of_turn_ids(self.tokenizer, self.base.generation_config)
        self.manners = {BASE: Manner(self.tokenizer, ends, "")}
        self.notes: list[Sentence] = []  # on the adapters
        self._untouched = self._heard()
        self.base_check = {"same": True, "difference": 0.0}
        self._captured: Captured | None = None

    @property
    def footprint_gib(self) -> float:
        return footprint_gib(self.base) + self.tuned.footprint_gib

    @classmethod
    def load(
        cls, model_name: str, adapters: list[str], quantization: Quantization | None = None
    ) -> "Voices":
        """Raises UserError for a base or an adapter that cannot be loaded."""
        voices = cls(model_name, pick_device(), quantization or Quantization())
        voices.use(_named(list(dict.fromkeys(Path(one).resolve() for one in adapters))))
        return voices

    def use(self, adapters: dict[str, Path]) -> None:
        """Replaces the adapters; the base stays. Raises UserError, and then has no adapter."""
        self.settle()
        self.tuned.remove()
        self.tuned, self.names = Tuned(self.base, self.device, {}), [BASE]
        self.manners, self.notes = {BASE: self.manners[BASE]}, []
        found = [self._check(name, one) for name, one in adapters.items()]
        manners = {
            name: manner_of(self.manners[BASE], folder, read_card(folder))
            for name, folder in adapters.items()
        }
        self.tuned = Tuned(self.base, self.device, adapters, self.model_name)
        self.notes = [note for note in found if note]
        self.manners |= manners
        self.names += adapters
        self._warm()
        difference = (self._heard() - self._untouched).abs().max().item()
        self.base_check = {"same": difference == 0, "difference": difference}

    def settle(self) -> None:
        """Waits for what is being captured: until then it holds the base and reads its layers."""
        if self._captured:
            self._captured.wait()

    def _warm(self) -> None:
        """Makes decoding fast on a GPU, of voices that are told apart by rows; a step that was
        captured with other adapters of the same shapes serves these too."""
        if not (self.tuned.tells_apart and can_capture(self.base)):
            self._captured = None
            return
        rows = min(1 + len(self.tuned.told_apart), few_rows.MOST_ROWS)
        if self._captured and self._captured.serves(self.tuned.rows, rows):
            return
        capacity = min(window_of(self.base.config) or _CAPACITY, _CAPACITY) + 2
        self._captured = None  # gives the old one's memory back
        self._captured = Captured(self.base, self.tuned.rows, rows, capacity).start()

    def _heard(self) -> "torch.Tensor":
        """The base's own logits for a few tokens."""
        import torch

        ids = torch.arange(3, 11, device=self.base.device)[None]
        with torch.inference_mode(), self.tuned.speaking([BASE]) as model:
            return model(input_ids=ids).logits.float()

    def answer(
        self,
        histories: dict[str, list[dict[str, str]]],
        stopping: Callable[[], bool] = lambda: False,
        own: dict[str, dict[str, float]] | None = None,
        **settings: float,
    ) -> Iterator[dict[str, dict[str, Any]]]:
        """Streams snapshots {voice: answer} about every 40 ms, the last one with all done.

        Each history ends with a user's turn; `own` holds the settings in which a voice differs
        from the others. `captured` says of an answer whether it was decoded through the captured
        step. Raises UserError for a voice that is not loaded, a setting out of range, or a
        conversation that does not fit the model.
        """
        speakers = {
            name: self.speaker(name, turns, checked(settings | (own or {}).get(name, {})))
            for name, turns in histories.items()
        }
        groups = self.groups(list(speakers.values()))
        batches = self._batches(groups)
        how = {
            one.name: {
                "together": len(groups) == 1,
                "captured": batch.captured,
                "adapter": "" if one.name == BASE else one.name,
            }
            for group, batch in zip(groups, batches, strict=True)
            for one in group
        }

        def snapshots() -> dict[str, dict[str, Any]]:
            return {name: one.snapshot() | how[name] for name, one in speakers.items()}

        shown = time.monotonic()
        while any(not batch.done for batch in batches):
            for batch in batches:
                if not batch.done:
                    batch.step()
            if stopping():
                for speaker in speakers.values():
                    speaker.stop()
            if time.monotonic() - shown > _SNAPSHOT_SECONDS:
                shown = time.monotonic()
                yield snapshots()
        yield snapshots()

    def groups(self, speakers: list[Speaker]) -> list[list[Speaker]]:
        """Those whom one batch can answer, each as if it were alone."""
        names = list(dict.fromkeys(one.name for one in speakers))
        together = [[s for s in speakers if s.name in some] for some in self.tuned.together(names)]
        turn = turning_point(self.base.config)
        if turn is None:
            return together
        groups = []
        for some in together:  # who may pass that point would turn the others too
            near = [one for one in some if len(one.prompt_ids) + one.room <= turn]
            groups += [near] * bool(near) + [[one] for one in some if one not in near]
        return groups

    def _batches(self, groups: list[list[Speaker]]) -> list[Batch]:
        """They take turns, token by token, so one at most goes through the captured step: its cache
        is one."""
        batches: list[Batch] = []
        for group in groups:
            taken = any(one.captured for one in batches)
            batches.append(Batch(self.tuned, group) if taken else self._batch(group))
        return batches

    def _batch(self, speakers: list[Speaker]) -> Batch:
        # Rows end side by side, and who has ended goes on beside the others.
        tokens = max(len(one.prompt_ids) for one in speakers) + max(one.room for one in speakers)
        step = self._step_for(speakers)
        ready = step and step.ready(len(speakers), tokens + 2)
        return Batch(self.tuned, speakers, step if ready else None)

    def batch_of_many(self, speakers: list[Speaker]) -> Batch:
        """As many rows as one likes; captured by itself, unless it was seen that the model cannot
        be."""
        step = self._step_for(speakers)
        return Batch(self.tuned, speakers, to_capture=bool(step and not step.failed))

    def _step_for(self, speakers: list[Speaker]) -> Captured | None:
        """What is captured with the adapters that are on, for rows that are told apart."""
        if self._captured is None or self._captured.lora is not self.tuned.rows:
            return None  # others were to be put on, and could not
        apart = all(one.name in (BASE, *self.tuned.told_apart) for one in speakers)
        return self._captured if apart else None

    def speaker(self, name: str, turns: list[dict[str, str]], settings: dict) -> Speaker:
        """A voice that is about to answer. Raises UserError for one that is not loaded, or a
        conversation that does not fit the model."""
        if name not in self.names:
            raise UserError(
                f"The voice {name} is not loaded; loaded are {', '.join(self.names)}.",
                f"没有载入 {name} 这个声音；已载入 {'、'.join(self.names)}。",
                field="adapter",
            )
        window = window_of(self.base.config)
        window = window and window - self.tuned.virtual_tokens(name)
        return Speaker(name, turns, settings, self.manners[name], self.base.device, window)

    def tokenizer_of(self, name: str) -> "PreTrainedTokenizerBase":
        """The base's, with the chat template that the adapter was trained in."""
        return self.manners[name].tokenizer

    def _check(self, name: str, folder: Path) -> Sentence | None:
        """What is to be said where the base may be another than the adapter was trained on. Raises
        UserError where it is."""
        trained_on = base_of(folder)
        if not trained_on or same_base(trained_on, self.model_name):
            return None
        if not is_own(folder) and Path(self.model_name).is_dir():
            # One made elsewhere names its base as it was called there; PEFT sees its shapes.
            return Sentence(
                f"{name} says it was trained on {trained_on} and speaks on {self.model_name} here. "
                "It fits, but if that is another model, its answers are not what was trained.",
                f"{name} 写明是在 {trained_on} 上训练的，这里装在 {self.model_name} 上。"
                "形状相配，但若不是同一个模型，它的回答就不是训练的结果。",
            )
        raise UserError(
            f"This adapter was trained on {trained_on}, not on {self.model_name}; load it with "
            f"{trained_on}.",
            f"这个适配器是在 {trained_on} 上训练的，不是 {self.model_name}；"
            f"请用 {trained_on} 载入。",
            field="adapter",
        )


def _named(folders: list[Path]) -> dict[str, Path]:
    """Each folder under as short an end of its path as tells it from the others and the base."""
    lengths = [1] * len(folders)
    while True:
        names = [_end(folder, length) for folder, length in zip(folders, lengths, strict=True)]
        taken = [name == BASE or names.count(name) > 1 for name in names]
        if not any(taken):
            return dict(zip(names, folders, strict=True))
        lengths = [length + one for length, one in zip(lengths, taken, strict=True)]


def _end(folder: Path, length: int) -> str:
    """Every run calls its own "adapter": a longer name does without it. One of the Hub lies in
    models--owner--name/snapshots/commit of its cache."""
    if folder.parent.name == "snapshots":
        folder = Path(*folder.parent.parent.name.split("--")[1:])
    parts = folder.parts[-length:]
    return "/".join(parts[:-1] if length > 1 and folder.name == "adapter" else parts)
