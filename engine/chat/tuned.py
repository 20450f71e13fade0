"""What tuning left, on one copy of the base: which model speaks for each voice, and how it begins.

Three kinds: adapters within the base's layers, learned tokens before the prompt, and whole models.
"""

import contextlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from peft import PeftModel, load_peft_weights
from transformers import DynamicCache

from engine.chat.cache import growing_cache
from engine.chat.conversations import BASE
from engine.chat.fit import (
    in_words,
    refuse_broken,
    refuse_part,
    refuse_rewriting,
    refuse_unknown,
    sparing,
)
from engine.errors import UserError
from engine.hardware import GIB, Device, memory_now
from engine.models.adapter import method_of, only_task, weights
from engine.models.load import Quantization, footprint_gib, load_base, load_config
from engine.models.old.adapters import on_todays_modules
from engine.models.row_lora import RowLora, tell_apart
from engine.options.adapter import PROMPTS

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# How far a batch may be from one row at a time, as a share of the logits. Rounding to 16 bit at
# other places makes 0.05 with random weights; a voice that takes another's part makes 0.3 and more.
_NEAR = {torch.float32: 1e-4, torch.bfloat16: 0.1, torch.float16: 0.1}


class Tuned:
    """The tuned voices on a base, which people know as `called`. Raises UserError for what cannot
    be loaded, and then the base is as it was."""

    def __init__(
        self, base: "PreTrainedModel", device: Device, folders: dict[str, Path], called: str = ""
    ):
        self.base = base
        self.told_apart: list[str] = []
        self._device, self._called = device, called
        # PEFT wraps in many ways, also a wrapper in another: what was there undoes them all.
        self._parts = [(module, dict(module._modules)) for module in base.modules()]
        self._own = dict(base.named_parameters(remove_duplicate=False))
        self._takes = inspect.signature(base.forward).parameters
        # What the base calls what it has heard; Mamba keeps no keys and values.
        self.cache_name = "cache_params" if "cache_params" in self._takes else "past_key_values"
        self.rows: RowLora | None = None
        self._layers: PeftModel | None = None
        self._prompts: dict[str, PeftModel] = {}
        self._models: dict[str, PreTrainedModel] = {}
        _one_kind_of_layers(folders)
        try:
            for name, folder in folders.items():
                with in_words(name, folder, called):
                    self._add(name, folder)
            base.eval()
            within = [one for one in folders if one not in (*self._prompts, *self._models)]
            self._tell_apart(within)
        except BaseException:
            self.remove()
            raise

    def together(self, names: list[str]) -> list[list[str]]:
        """The names in groups that one batch can answer; a group of its own for each voice whose
        method cannot be told apart from row to row."""
        rows = [one for one in names if one == BASE or one in self.told_apart]
        groups = [[one] for one in names if one not in rows]
        return [rows, *groups] if rows else groups

    @property
    def tells_apart(self) -> bool:
        """Whether nothing lies in the base's layers that rows do not choose for themselves."""
        return self._layers is None or self.rows is not None

    def voices(self, names: list[str]) -> list[int]:
        """As the row-wise layers count them: 0 is the base."""
        within = self.told_apart
        return [
            0 if one == BASE or one in self._prompts else 1 + within.index(one) for one in names
        ]

    @contextlib.contextmanager
    def speaking(self, names: list[str]) -> Iterator["PreTrainedModel"]:
        """The model for a batch with these voices in its rows: a group of `together`, or one voice
        in all rows."""
        name = names[0]
        if name in self._models:
            yield self._models[name]
        elif self._layers is None:
            yield self.base
        elif self.rows:
            self.rows.take(self.voices(names))
            try:
                yield self.base
            finally:
                self.rows.take(None)
        elif all(one == BASE or one in self._prompts for one in names):
            with self._layers.disable_adapter():
                yield self.base
        else:
            if self._layers.active_adapter != _module_name(name):
                self._layers.set_adapter(_module_name(name))
            yield self.base

    def opening(self, name: str, input_ids: torch.Tensor) -> tuple[dict[str, Any], int]:
        """What the model hears first of prompts [rows, tokens], with a cache of their own, and how
        many learned tokens stand before each prompt or are in the cache already."""
        # What a GPU gains by writing in place, it does in a captured step.
        empty = growing_cache if input_ids.device.type == "cpu" else DynamicCache
        plain = {"input_ids": input_ids, self.cache_name: empty(config=self.base.config)}
        if name not in self._prompts:
            return plain, 0
        learned = self._prompts[name].get_prompt(batch_size=len(input_ids))
        virtual = self.virtual_tokens(name)
        if not isinstance(learned, torch.Tensor):
            return {"input_ids": input_ids, "past_key_values": learned}, virtual
        words = self.base.get_input_embeddings()(input_ids)
        embeds = torch.cat([learned.to(words.device, words.dtype), words], dim=1)
        return {"inputs_embeds": embeds, self.cache_name: plain[self.cache_name]}, virtual

    def positions(self, mask: torch.Tensor, length: int) -> dict[str, torch.Tensor]:
        """The places of the last `length` tokens where a mask [rows, tokens] has padding, for a
        model that is told them."""
        return self._told((mask.cumsum(-1) - 1).clamp(min=0)[:, -length:])

    def place(self, tokens: torch.Tensor, heard: int) -> dict[str, torch.Tensor]:
        """That of the next token of rows of which each has heard so many."""
        return self._told(torch.full_like(tokens[:, None], heard))

    def _told(self, positions: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"position_ids": positions} if "position_ids" in self._takes else {}

    def virtual_tokens(self, name: str) -> int:
        """How many places of the window the voice takes before the prompt."""
        tuned = self._prompts.get(name)
        return tuned.active_peft_config.num_virtual_tokens if tuned else 0

    @property
    def footprint_gib(self) -> float:
        """Of the whole models beside the base; adapters are small."""
        return sum(footprint_gib(model) for model in self._models.values())

    def remove(self) -> None:
        """Gives the base back as it was, also after PEFT failed half-way."""
        self._layers, self._prompts, self._models = None, {}, {}
        self.rows, self.told_apart = None, []
        for module, parts in self._parts:
            module._modules.clear()
            module._modules.update(parts)
        vars(self.base).pop("peft_config", None)  # else PEFT takes the next for one adapter more

    @torch.inference_mode()
    def _tell_apart(self, names: list[str]) -> None:
        """Rows are told apart only where it was seen that each answers as if it were alone: some
        models mix the rows of a batch within a layer."""
        if self._layers is None:
            return
        rows = tell_apart(self._layers, [_module_name(one) for one in names])
        if rows is None:
            return
        self.told_apart = names
        ids = torch.arange(3, 9, device=self.base.device).expand(1 + len(names), -1)
        alone = []
        for name in (BASE, *names):
            with self.speaking([name]) as model:
                alone.append(model(input_ids=ids[:1]).logits)
        alone, self.rows = torch.cat(alone).float(), rows
        try:
            with self.speaking([BASE, *names]) as model:
                apart = model(input_ids=ids).logits.float()
        except RuntimeError as error:
            print(f"Voices one after the other: {error}", flush=True)
            apart = torch.full_like(alone, torch.inf)
        if not (apart - alone).norm() <= _NEAR[self.base.dtype] * alone.norm():
            self.rows, self.told_apart = None, []

    def _add(self, name: str, folder: Path) -> None:
        method = method_of(folder)
        if method == "full":
            _check_room(name, folder, self._device)
            model = load_base(str(folder), self._device, Quantization()).eval()
            refuse_broken(name, model.parameters())
            self._models[name] = model
            return
        with on_todays_modules(folder, self.base) as here:
            refuse_rewriting(name, folder)
            weights = load_peft_weights(str(here), device="cpu")
            refuse_broken(name, weights.values())
            if method in PROMPTS:
                self._prompts[name] = self._wrapped(name, here).eval()
                only_task(self._prompts[name])
                return
            with sparing(name, self._own, weights):
                if self._layers is None:
                    self._layers = self._wrapped(name, here)
                # The first one's again: only this says what of it found no place.
                found = self._layers.load_adapter(here, adapter_name=_module_name(name))
        refuse_part(name, folder, self._called, len(weights), found)

    def _wrapped(self, name: str, folder: Path) -> PeftModel:
        return PeftModel.from_pretrained(
            self.base, folder, adapter_name=_module_name(name), is_trainable=False
        )


def _module_name(voice: str) -> str:
    """PEFT calls modules after its adapters. Torch allows no dot there, of which a path has some,
    and no name of its own containers' methods, such as keys."""
    return "voice_" + voice.replace(".", "\u2024")


def _one_kind_of_layers(folders: dict[str, Path]) -> None:
    """PEFT cannot put two methods into the same layers and tell them apart again."""
    methods = {name: method_of(folder) for name, folder in folders.items()}
    for name, method in methods.items():
        refuse_unknown(name, method)
    within = {n: m for n, m in methods.items() if m not in PROMPTS and m != "full"}
    if len(set(within.values())) < 2:
        return
    said = ", ".join(f"{name} ({method})" for name, method in within.items())
    raise UserError(
        f"Adapters of different methods cannot speak on one base at once: {said}. Choose those of "
        "one method, and the others after them.",
        f"不同方法的适配器不能同时装在一个底座上：{said}。请先选同一种方法的，再换其他的。",
        field="adapter",
    )


def _check_room(name: str, folder: Path, device: Device) -> None:
    """A fully tuned model is a second model beside its base."""
    stored = load_config(str(folder)).dtype.itemsize
    size = sum(file.stat().st_size for file in weights(folder)) * device.dtype.itemsize / stored
    free = memory_now()[0].free_gib
    if size / GIB > free:
        raise UserError(
            f"{name} is a whole model of {size / GIB:.1f} GiB and {free:.1f} GiB are free beside "
            "the base; unload the chat and load that model by its folder as the base.",
            f"{name} 是一个完整模型，需要 {size / GIB:.1f} GiB，底座之外只剩 {free:.1f} GiB；"
            "请先卸载对话，再把它的文件夹作为底座载入。",
            field="adapter",
        )
