"""Base and adapters answering together: one copy of the base, every voice with its own cache.

The voices take turns token by token, so that all of them stream; the adapter is switched on for
its own steps and off for the base's, which is right for every PEFT method.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from engine.chat.manner import manner_of
from engine.chat.sampling import checked, draw, processors
from engine.chat.tuned import Tuned
from engine.dataset.prompt import render
from engine.errors import UserError
from engine.hardware import Device, pick_device
from engine.models.adapter import base_of, read_card, same_base
from engine.models.load import Quantization, footprint_gib, load_base, load_tokenizer

if TYPE_CHECKING:
    from transformers import Cache, PreTrainedModel

BASE = "base"
_SNAPSHOT_SECONDS = 0.04


class Voices:
    """A loaded base with its adapters. `names` begins with "base"."""

    def __init__(self, model_name: str, device: Device, quantization: Quantization):
        self.model_name = model_name
        self.device = device
        self.quantization = quantization
        self.base: PreTrainedModel = load_base(model_name, device, quantization).eval()
        self.tokenizer, self.template_note = load_tokenizer(model_name)
        self.names = [BASE]
        self.tuned = Tuned(self.base, device, {})
        self.manners = {BASE: manner_of(self.tokenizer, None, {})}

    @property
    def footprint_gib(self) -> float:
        return footprint_gib(self.base) + self.tuned.footprint_gib

    @classmethod
    def load(
        cls, model_name: str, adapters: list[str], quantization: Quantization | None = None
    ) -> "Voices":
        """Raises UserError for a base or an adapter that cannot be loaded."""
        voices = cls(model_name, pick_device(), quantization or Quantization())
        folders = [Path(one) for one in adapters]
        names = [folder.name for folder in folders]  # every run calls its own "adapter"
        voices.use({f.name if names.count(f.name) == 1 else f.parent.name: f for f in folders})
        return voices

    def use(self, adapters: dict[str, Path]) -> None:
        """Replaces the adapters; the base stays. Raises UserError, and then has no adapter."""
        self.tuned.remove()
        self.tuned, self.names = Tuned(self.base, self.device, {}), [BASE]
        self.manners = {BASE: self.manners[BASE]}
        for folder in adapters.values():
            self._check(folder)
        self.tuned = Tuned(self.base, self.device, adapters)
        self.names += adapters
        for name, folder in adapters.items():
            self.manners[name] = manner_of(self.tokenizer, folder, read_card(folder))

    def answer(
        self,
        histories: dict[str, list[dict[str, str]]],
        stopping: Callable[[], bool] = lambda: False,
        own: dict[str, dict[str, float]] | None = None,
        **settings: float,
    ) -> Iterator[dict[str, dict[str, Any]]]:
        """Streams snapshots {voice: answer} about every 40 ms, the last one with all done.

        Each history ends with a user's turn; `own` holds the settings in which a voice differs
        from the others. Raises UserError for a voice that is not loaded, a
        setting out of range, or a conversation that does not fit the model.
        """
        speakers = [
            _Speaker(self, name, turns, checked(settings | (own or {}).get(name, {})))
            for name, turns in histories.items()
        ]
        shown = time.monotonic()
        while any(not speaker.done for speaker in speakers):
            for speaker in speakers:
                if not speaker.done:
                    speaker.step()
                if stopping():
                    speaker.stop()
            if time.monotonic() - shown > _SNAPSHOT_SECONDS:
                shown = time.monotonic()
                yield {speaker.name: speaker.snapshot() for speaker in speakers}
        yield {speaker.name: speaker.snapshot() for speaker in speakers}

    def _check(self, folder: Path) -> None:
        trained_on = base_of(folder)
        if trained_on and not same_base(trained_on, self.model_name):
            raise UserError(
                f"This adapter was trained on {trained_on}, not on {self.model_name}; load it with "
                f"{trained_on}.",
                f"这个适配器是在 {trained_on} 上训练的，不是 {self.model_name}；"
                f"请用 {trained_on} 载入。",
                field="adapter",
            )


class _Speaker:
    """One voice while it answers one prompt."""

    def __init__(self, voices: Voices, name: str, turns: list[dict], settings: dict[str, float]):
        if name not in voices.names:
            raise UserError(
                f"The voice {name} is not loaded; loaded are {', '.join(voices.names)}.",
                f"没有载入 {name} 这个声音；已载入 {'、'.join(voices.names)}。",
                field="adapter",
            )
        self.name = name
        self._tuned_as = None if name == BASE else name
        self.done = False
        self.stopped_by = ""
        self.checksum = ""
        self._voices = voices
        self._tokenizer, self._ends = voices.manners[name]
        self._settings = settings
        self.prompt = render(self._tokenizer, turns, add_generation_prompt=True).text
        self._prompt_ids = self._tokenizer(self.prompt, add_special_tokens=False)["input_ids"]
        self._room = self._free_room()
        self._new_ids: list[int] = []
        self._processors = processors(settings)
        self._random = torch.Generator(device=voices.base.device)
        self._random.manual_seed(int(settings["seed"]))
        self._cache: Cache | None = None  # made with the first step
        self._begin = self._end = time.monotonic()

    @torch.inference_mode()
    def step(self) -> None:
        """One forward pass and one token."""
        device = self._voices.base.device
        fresh = torch.tensor([self._new_ids[-1:] or self._prompt_ids], device=device)
        heard = {"input_ids": fresh, "past_key_values": self._cache}
        if self._cache is None:
            heard = self._voices.tuned.opening(self._tuned_as, fresh)
            self._cache = heard["past_key_values"]
        with self._voices.tuned.speaking(self._tuned_as) as model:
            output = model(**heard, use_cache=True, logits_to_keep=1)
        scores = output.logits[:, -1].float()
        if not self.checksum:
            self.checksum = hashlib.sha256(scores.cpu().numpy().tobytes()).hexdigest()[:8]
        ids = torch.tensor([self._prompt_ids + self._new_ids], device=device)
        scores = self._processors(ids, scores)
        token = draw(scores, self._settings["temperature"], self._random)
        if token in self._ends:
            self.stop("end")
            return
        self._new_ids.append(token)
        if len(self._new_ids) >= self._room:
            self.stop("length")

    def stop(self, why: str = "stop") -> None:
        if not self.done:
            self.done, self.stopped_by, self._end = True, why, time.monotonic()

    def snapshot(self) -> dict[str, Any]:
        """The answer so far; a character whose tokens are not all there yet is held back."""
        text = self._tokenizer.decode(self._new_ids, skip_special_tokens=True)
        seconds = (self._end if self.done else time.monotonic()) - self._begin
        return {
            "text": text if self.done else text.rstrip("\ufffd"),
            "done": self.done,
            "stopped_by": self.stopped_by,
            "tokens": len(self._new_ids),
            "tokens_per_second": round(len(self._new_ids) / seconds, 1) if seconds > 0 else 0.0,
            "prompt_tokens": len(self._prompt_ids),
            "prompt": self.prompt,
            "checksum": self.checksum,
        }

    def _free_room(self) -> int:
        window = getattr(self._voices.base.config, "max_position_embeddings", None)
        wanted = int(self._settings["max_new_tokens"])
        if not window:
            return wanted
        free = window - len(self._prompt_ids) - self._voices.tuned.virtual_tokens(self._tuned_as)
        if free < 1:
            raise UserError(
                f"The conversation has {len(self._prompt_ids)} tokens and {self._voices.model_name}"
                f" reads {window}; clear it, or undo some turns.",
                f"这段对话有 {len(self._prompt_ids)} 个 token，而 {self._voices.model_name} "
                f"最多读 {window} 个；请清空或撤回几轮。",
            )
        return min(wanted, free)
