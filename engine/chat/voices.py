"""Base and adapters answering together: one copy of the base, every voice with its own cache.

The voices take turns token by token, so that all of them stream; the adapter is switched on for
its own steps and off for the base's, which is right for every PEFT method.
"""

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import SafetensorError
from transformers import DynamicCache

from engine.chat.sampling import checked, draw, processors
from engine.dataset.prompt import render
from engine.dataset.tokens import end_of_turn_ids
from engine.errors import UserError
from engine.hardware import Device, pick_device
from engine.models.adapter import read_card
from engine.models.load import Quantization, footprint_gib, load_base, load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

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
        self.footprint_gib = footprint_gib(self.base)
        self.names = [BASE]
        self._tuned: PeftModel | None = None

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
        if self._tuned is not None:
            self.base = self._tuned.unload()
            self._tuned = None
        self.names = [BASE]
        for folder in adapters.values():
            self._check(folder)
        for name, folder in adapters.items():
            try:
                if self._tuned is None:
                    self._tuned = PeftModel.from_pretrained(
                        self.base, folder, adapter_name=name, is_trainable=False
                    )
                else:
                    self._tuned.load_adapter(folder, adapter_name=name)
            except (ValueError, RuntimeError, OSError, KeyError, SafetensorError) as error:
                self._strip()
                first = str(error).strip().split("\n")[0][:160]
                raise UserError(
                    f"The adapter {name} does not fit {self.model_name}: {first}",
                    f"适配器 {name} 与 {self.model_name} 不相配：{first}",
                    field="adapter",
                ) from error
            self.names.append(name)
        (self._tuned or self.base).eval()

    def answer(
        self,
        histories: dict[str, list[dict[str, str]]],
        stopping: Callable[[], bool] = lambda: False,
        **settings: float,
    ) -> Iterator[dict[str, dict[str, Any]]]:
        """Streams snapshots {voice: answer} about every 40 ms, the last one with all done.

        Each history ends with a user's turn. Raises UserError for a voice that is not loaded, a
        setting out of range, or a conversation that does not fit the model.
        """
        settings = checked(settings)
        speakers = [_Speaker(self, name, turns, settings) for name, turns in histories.items()]
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

    @contextlib.contextmanager
    def speaking(self, name: str) -> Iterator["PreTrainedModel | PeftModel"]:
        """The model as this voice: the base with its adapter on, or with none."""
        if self._tuned is None:
            yield self.base
        elif name == BASE:
            with self._tuned.disable_adapter():
                yield self._tuned
        else:
            if self._tuned.active_adapter != name:
                self._tuned.set_adapter(name)
            yield self._tuned

    def _strip(self) -> None:
        """Takes out of the base what PEFT left there when it failed half-way."""
        self._tuned, self.names = None, [BASE]
        for name, module in list(self.base.named_modules()):
            if isinstance(module, BaseTunerLayer):
                self.base.set_submodule(name, module.get_base_layer())

    def _check(self, folder: Path) -> None:
        trained_on = read_card(folder).get("base_model", self.model_name)
        if trained_on != self.model_name:
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
        self.done = False
        self.stopped_by = ""
        self.checksum = ""
        self._voices = voices
        self._tokenizer: PreTrainedTokenizerBase = voices.tokenizer
        self._settings = settings
        self._ends = end_of_turn_ids(self._tokenizer)
        self.prompt = render(self._tokenizer, turns, add_generation_prompt=True).text
        self._prompt_ids = self._tokenizer(self.prompt, add_special_tokens=False)["input_ids"]
        self._room = self._free_room()
        self._new_ids: list[int] = []
        self._processors = processors(settings)
        self._random = torch.Generator(device=voices.base.device)
        self._random.manual_seed(int(settings["seed"]))
        self._cache = DynamicCache(config=voices.base.config)
        self._begin = self._end = time.monotonic()

    @torch.inference_mode()
    def step(self) -> None:
        """One forward pass and one token."""
        device = self._voices.base.device
        fresh = self._new_ids[-1:] or self._prompt_ids
        with self._voices.speaking(self.name) as model:
            output = model(
                input_ids=torch.tensor([fresh], device=device),
                past_key_values=self._cache,
                use_cache=True,
                logits_to_keep=1,
            )
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
        free = window - len(self._prompt_ids)
        if free < 1:
            raise UserError(
                f"The conversation has {len(self._prompt_ids)} tokens and {self._voices.model_name}"
                f" reads {window}; clear it, or undo some turns.",
                f"这段对话有 {len(self._prompt_ids)} 个 token，而 {self._voices.model_name} "
                f"最多读 {window} 个；请清空或撤回几轮。",
            )
        return min(wanted, free)
