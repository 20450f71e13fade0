"""A base model and its tokenizer: found, checked, loaded plain, in 8-bit or in 4-bit."""

import os
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.config import TrainConfig
from engine.dataset.prompt import with_template
from engine.errors import Sentence, UserError, first_line, is_out_of_memory
from engine.hardware import GIB, Device
from engine.models.folder import bin_files, check_folder, refuse_programs
from engine.models.old.conversion import load_native
from engine.models.old.recognise import Old, know_saved_port, recognise
from engine.models.sources.names import is_elsewhere, wrong
from engine.places import DATA_DIR, SPROUT

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Quantization:
    """How the frozen base is stored; all off means in the device's own precision."""

    load_in_4bit: bool = False
    load_in_8bit: bool = False
    bnb_4bit_quant_type: str = "nf4"
    bnb_4bit_use_double_quant: bool = True

    @property
    def name(self) -> str:
        if self.load_in_4bit:
            return f"4-bit {self.bnb_4bit_quant_type}"
        return "8-bit" if self.load_in_8bit else ""


def locate(model_name_or_path: str, weights: bool = False) -> str:
    """The folder on this machine that a model's name stands for. What is not here of a model of the
    Hub or of ModelScope is fetched first: config and tokenizer, with `weights` all of it.

    Raises UserError (its field).
    """
    name = str(model_name_or_path).strip()
    if name == SPROUT:
        return str(DATA_DIR / SPROUT)
    if not is_elsewhere(name):
        folder = Path(name).expanduser()
        check_folder(folder)
        return str(folder)
    from engine.models.sources.fetch import folder_here

    return str(folder_here(name, weights))


def _found(model_name_or_path: str, weights: bool = False) -> tuple[str, Old | None]:
    """Where the model is, and what it is when it has an old layout."""
    place = locate(model_name_or_path, weights)
    _guarded(lambda: know_saved_port(place), model_name_or_path)
    return place, _guarded(lambda: recognise(place), model_name_or_path)


def load_config(model_name_or_path: str) -> Any:
    """The model's Transformers config. Raises UserError when it cannot be had or is not known."""
    from transformers import AutoConfig

    place, old = _found(model_name_or_path)
    return _guarded(
        lambda: (
            old.native_config()
            if old
            else AutoConfig.from_pretrained(place, trust_remote_code=False)
        ),
        model_name_or_path,
    )


def load_tokenizer(
    model_name_or_path: str, chat_template: str = "model"
) -> tuple["PreTrainedTokenizerBase", Sentence | None]:
    """A fast tokenizer with a chat template and a pad token, and a word where it had to be given
    a template, or where an old model was read otherwise. Raises UserError."""
    from transformers import AutoTokenizer

    place, old = _found(model_name_or_path)
    if old and chat_template != "model":
        raise UserError(
            f"{model_name_or_path} marks where its answers begin with tokens of its own template; "
            "set the chat template to model.",
            f"{model_name_or_path} 用自己模板里的 token 标出回答从哪里开始；"
            "请把对话模板设为 model。",
            field="chat_template",
        )
    if old:
        return _guarded(old.load_tokenizer, model_name_or_path), old.note
    tokenizer = _guarded(
        lambda: AutoTokenizer.from_pretrained(place, trust_remote_code=False), model_name_or_path
    )
    if not tokenizer.is_fast:
        raise wrong(
            f"{model_name_or_path} has no fast tokenizer (tokenizer.json), which is needed to show "
            "what the model learns; choose a model that has one.",
            f"{model_name_or_path} 没有快速分词器（tokenizer.json），无法显示模型学到什么；"
            "请换一个有的模型。",
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer, with_template(tokenizer, chat_template)


@lru_cache(maxsize=2)
def kept_tokenizer(model_name_or_path: str, chat_template: str):
    """As load_tokenizer; the same object for the same base, so that its rows stay known."""
    return load_tokenizer(model_name_or_path, chat_template)


def load_base(
    model_name_or_path: str,
    device: Device,
    quantization: Quantization,
    device_map: str = "single",
    to_share: bool = False,
) -> "PreTrainedModel":
    """The causal language model on `device`, or with a `device_map` of Accelerate's spread over
    all GPUs; with `to_share` as `engine.models.sharing` wants it. Safetensors are read, or .bin as
    weights only; an old layout as its native class; no code of the model's author is run. Raises
    UserError."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # standard error is for sentences
    # On a Hopper or later it takes masked attention, and plans 50 ms for each length that is new to
    # it: for every token of an answer in a batch.
    torch.backends.cuda.enable_cudnn_sdp(False)
    place, old = _found(model_name_or_path, weights=True)
    in_bin = bin_files(Path(place))
    refuse_programs(in_bin)
    how = dict(
        dtype=device.dtype,
        device_map=_device_map(device, device_map, to_share and not quantization.name),
        quantization_config=_bitsandbytes(quantization, device, to_share),
        use_safetensors=not in_bin,
        weights_only=True,
        trust_remote_code=False,
    )
    model = _guarded(
        lambda: (
            load_native(old, **how) if old else AutoModelForCausalLM.from_pretrained(place, **how)
        ),
        model_name_or_path,
    )
    if quantization.load_in_4bit and device.type == "cpu":
        _keep_differentiable(model)
    if device_map != "single" and not hasattr(model, "hf_device_map"):
        model.to(device.type)  # one card holds all of it: the one where a run's rows go
    return model


def empty_model(model_name_or_path: str) -> "PreTrainedModel":
    """The model on the meta device: its modules and shapes, no weight. Raises UserError."""
    import torch
    from transformers import AutoModelForCausalLM

    known = load_config(model_name_or_path)
    with torch.device("meta"):
        return _guarded(lambda: AutoModelForCausalLM.from_config(known), model_name_or_path)


def weights_device(config: TrainConfig, device: Device) -> Device:
    """The device with the precision in which the base's weights lie."""
    import torch

    if config.keeps_float32_weights:
        return replace(device, dtype=torch.float32)
    return device


def _device_map(device: Device, wanted: str, to_share: bool) -> str | dict[str, int | str]:
    """What is to be shared out waits in RAM, so that no card has to hold all of it; quantising it
    there would take half an hour."""
    if device.type == "cpu" or to_share:
        return {"": "cpu"}
    return {"": int(os.environ.get("LOCAL_RANK", 0))} if wanted == "single" else wanted


def placement(model: "PreTrainedModel") -> dict[str, str]:
    """Which part of the model lies where: {module: device}, "" for all of it. Raises UserError
    (field "device_map") when a part of it found no room on the GPUs, where it cannot be trained."""
    found = getattr(model, "hf_device_map", None) or {"": model.device}
    named = {part: f"cuda:{at}" if isinstance(at, int) else str(at) for part, at in found.items()}
    outside = [part for part, at in named.items() if at in ("cpu", "disk")]
    if outside and len(outside) < len(named):
        raise UserError(
            f"{len(outside)} parts of the model found no room on the GPUs, {outside[0]} first, and "
            "cannot be trained elsewhere; take a 4-bit base, a smaller model, or more GPUs.",
            f"模型有 {len(outside)} 个部分在显卡上放不下（从 {outside[0]} 起），放在别处无法训练；"
            "请使用 4 比特底座、更小的模型或更多显卡。",
            field="device_map",
        )
    return named


def footprint_gib(model: "PreTrainedModel") -> float:
    return model.get_memory_footprint() / GIB


def _bitsandbytes(quantization: Quantization, device: Device, to_share: bool) -> Any:
    if not quantization.name:
        return None
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=quantization.load_in_4bit,
        load_in_8bit=quantization.load_in_8bit,
        bnb_4bit_quant_type=quantization.bnb_4bit_quant_type,
        bnb_4bit_use_double_quant=quantization.bnb_4bit_use_double_quant,
        bnb_4bit_compute_dtype=device.dtype,
        # FSDP shares out floating weights only; bitsandbytes can keep its bytes in such a type.
        bnb_4bit_quant_storage=device.dtype if to_share else None,
    )


def _keep_differentiable(model: "PreTrainedModel") -> None:
    """bitsandbytes 0.50 repacks 4-bit weights on CPUs with avx512_bf16 at the first forward in
    eval mode, into a kernel without autograd: gradients would be silently wrong from then on."""
    from bitsandbytes.nn import Linear4bit

    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False


def _guarded(load: Any, name: str) -> Any:
    """Runs a Transformers loader; its many exceptions become one sentence each."""
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError

    odd = (OSError, ValueError, KeyError, ImportError, SafetensorError, StrictDataclassError)
    # Of a config that says less, or other things, than its model's class asks of it.
    unfit = (AttributeError, TypeError, ArithmeticError)
    try:
        return load()
    except (*odd, *unfit, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        first = first_line(error)
        raise wrong(
            f"{name} cannot be loaded as a causal language model: {first}",
            f"{name} 无法作为因果语言模型载入：{first}",
        ) from error
