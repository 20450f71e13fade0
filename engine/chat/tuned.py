"""What tuning left, on one copy of the base: which model speaks for each voice, and how it begins.

Three kinds: adapters within the base's layers, learned tokens before the prompt, and whole models.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from peft import PeftModel
from peft.tuners.adaption_prompt.layer import AdaptedAttention
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import SafetensorError
from transformers import DynamicCache

from engine.errors import UserError
from engine.hardware import GIB, Device, memory_now
from engine.models.adapter import method_of, only_task, weights
from engine.models.load import Quantization, footprint_gib, load_base, load_config
from engine.options.adapter import PROMPTS

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Tuned:
    """The tuned voices on a base. Raises UserError for what cannot be loaded, and then the base is
    as it was."""

    def __init__(self, base: "PreTrainedModel", device: Device, folders: dict[str, Path]):
        self.base = base
        self._device = device
        self._layers: PeftModel | None = None
        self._prompts: dict[str, PeftModel] = {}
        self._models: dict[str, PreTrainedModel] = {}
        _one_kind_of_layers(folders)
        for name, folder in folders.items():
            try:
                self._add(name, folder)
            except UserError:
                self.remove()
                raise
            except (ValueError, RuntimeError, OSError, KeyError, SafetensorError) as error:
                self.remove()
                first = str(error).strip().split("\n")[0][:160]
                raise UserError(
                    f"The adapter {name} does not fit {base.name_or_path}: {first}",
                    f"适配器 {name} 与 {base.name_or_path} 不相配：{first}",
                    field="adapter",
                ) from error
        base.eval()

    @contextlib.contextmanager
    def speaking(self, name: str | None) -> Iterator["PreTrainedModel"]:
        """The model as this voice; None is the base itself."""
        if name in self._models:
            yield self._models[name]
        elif self._layers is None:
            yield self.base
        elif name is None or name in self._prompts:
            with self._layers.disable_adapter():
                yield self.base
        else:
            if self._layers.active_adapter != _module_name(name):
                self._layers.set_adapter(_module_name(name))
            yield self.base

    def opening(self, name: str | None, input_ids: torch.Tensor) -> dict[str, Any]:
        """What the model hears first of a prompt [1, tokens], with a cache of the voice's own:
        learned tokens stand before the prompt's, or are in the cache already."""
        plain = {"input_ids": input_ids, "past_key_values": DynamicCache(config=self.base.config)}
        if name not in self._prompts:
            return plain
        learned = self._prompts[name].get_prompt(batch_size=1)
        if not isinstance(learned, torch.Tensor):
            return {"input_ids": input_ids, "past_key_values": learned}
        words = self.base.get_input_embeddings()(input_ids)
        embeds = torch.cat([learned.to(words.device, words.dtype), words], dim=1)
        return {"inputs_embeds": embeds, "past_key_values": plain["past_key_values"]}

    def virtual_tokens(self, name: str | None) -> int:
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
        for name, module in list(self.base.named_modules()):
            if isinstance(module, BaseTunerLayer):
                self.base.set_submodule(name, module.get_base_layer())
            elif isinstance(module, AdaptedAttention):
                self.base.set_submodule(name, module.model)
        vars(self.base).pop("peft_config", None)  # else PEFT takes the next for one adapter more

    def _add(self, name: str, folder: Path) -> None:
        method = method_of(folder)
        if method == "full":
            _check_room(name, folder, self._device)
            self._models[name] = load_base(str(folder), self._device, Quantization()).eval()
        elif method in PROMPTS or self._layers is None:
            tuned = PeftModel.from_pretrained(
                self.base, folder, adapter_name=_module_name(name), is_trainable=False
            )
            only_task(tuned)
            if method in PROMPTS:
                self._prompts[name] = tuned.eval()
            else:
                self._layers = tuned
        else:
            self._layers.load_adapter(folder, adapter_name=_module_name(name))


def _module_name(voice: str) -> str:
    """PEFT calls modules after its adapters, and torch allows no dot there; a path has some."""
    return voice.replace(".", "\u2024")


def _one_kind_of_layers(folders: dict[str, Path]) -> None:
    """PEFT cannot put two methods into the same layers and tell them apart again."""
    methods = {name: method_of(folder) for name, folder in folders.items()}
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
