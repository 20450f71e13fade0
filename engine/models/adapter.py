"""The adapter: put on a base, counted before the start, saved, and read back from disk."""

import dataclasses
import functools
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.config import TrainConfig
from engine.errors import Sentence, UserError, first_line
from engine.models.folder import refuse_programs
from engine.models.load import load_tokenizer, locate
from engine.models.methods import check_start, check_widths, peft_config
from engine.models.sources.names import is_elsewhere
from engine.options.adapter import CHANGES_THE_BASE
from engine.places import DATA_DIR, SPROUT, on_disk

# In this order; an adapter of earlier days may lie in torch's own format.
_WEIGHTS = ("adapter_model.safetensors", "model*.safetensors", "adapter_model.bin")

if TYPE_CHECKING:
    import torch
    from peft import PeftConfig, PeftModel
    from transformers import PreTrainedModel


def attach(
    model: "PreTrainedModel", config: TrainConfig, total_step: int = 0
) -> "PeftModel | PreTrainedModel":
    """Puts a fresh adapter on the base, which PEFT keeps in float32 so that small steps are not
    rounded away; for full fine-tuning the base itself, all of it trained. `total_step` as in
    `peft_config`.

    Raises UserError, with the field, for what this model does not have or a method cannot do.
    """
    if config.peft_type == "full":
        return model.requires_grad_(True)
    wanted = peft_config(model, config, total_step)
    try:
        tuned = _attached(model, wanted, config)
    except (ValueError, TypeError) as error:
        raise _refused(config.peft_type, first_line(error)) from error
    only_task(tuned)
    # Else PEFT asks at every save, also the Hub, how large the base's vocabulary was, and takes
    # that of an old layout for an embedding that has grown.
    tuned.save_pretrained = functools.partial(tuned.save_pretrained, save_embedding_layers=False)
    return tuned


# What LoRA cannot do to the weights of experts, by the option that PEFT names.
_NOT_ON_EXPERTS = {
    "lora_dropout": ("set the dropout to 0", "请把 Dropout 设为 0"),
    "use_dora": ("switch DoRA off", "请关掉 DoRA"),
}


def _refused(method: str, why: str) -> UserError:
    field = next((name for name in _NOT_ON_EXPERTS if name in why), None)
    if method != "lora" or not field:
        hint = Sentence("Choose lora.", "请改用 lora。")
        if method == "lora":
            hint = Sentence("Write attention as target modules.", "请把作用的模块设为 attention。")
        return UserError(
            f"{method} cannot be put on this model: {why} {hint.en}",
            f"{method} 不能用于这个模型：{why} {hint.zh}",
            field="peft_type",
        )
    en, zh = _NOT_ON_EXPERTS[field]
    return UserError(
        f"This model has experts, whose weights LoRA does not take with {field}; {en}, or write "
        "attention as target modules.",
        f"这个模型有专家层，LoRA 作用于它们的权重时不支持 {field}；{zh}，"
        "或把作用的模块设为 attention。",
        field=field,
    )


def _attached(model: "PreTrainedModel", wanted: "PeftConfig", config: TrainConfig) -> "PeftModel":
    """A prompt that begins as a text is cut by a tokenizer that PEFT reads by itself. It could not
    read that of an old layout, so for that moment it is given one of today's."""
    from peft import get_peft_model

    named = getattr(wanted, "tokenizer_name_or_path", None)
    if not named:
        return get_peft_model(model, wanted)
    with tempfile.TemporaryDirectory(prefix="greenroom-") as folder:
        load_tokenizer(config.model_name_or_path)[0].save_pretrained(folder)
        wanted.tokenizer_name_or_path = folder
        tuned = get_peft_model(model, wanted)
    tuned.active_peft_config.tokenizer_name_or_path = named
    return tuned


def only_task(tuned: "PeftModel") -> None:
    """A dataset is one task: multitask prompts are asked for the first when none is named."""
    import torch

    def first(module, inputs):
        indices, tasks = inputs
        if tasks is None:
            tasks = torch.zeros(len(indices), dtype=torch.long, device=indices.device)
        return indices, tasks

    for encoder in getattr(tuned, "prompt_encoder", {}).values():
        if hasattr(encoder, "prefix_task_cols"):
            encoder.register_forward_pre_hook(first)


def trainable_parameters(model: "PreTrainedModel", config: TrainConfig) -> int:
    """How many parameters are trained; works on a model on the meta device. Raises UserError,
    also where the layers are too narrow for the method."""
    check_widths(model, config)
    plain = {"init_lora_weights": "default", "prompt_tuning_init_text": ""}  # no weight is read
    tuned = attach(model, dataclasses.replace(config, **plain))
    if config.peft_type == "lora":
        check_start(tuned, config.init_lora_weights)
    return sum(
        parameter.numel()
        for name, parameter in tuned.named_parameters()
        # AdaLoRA's rank numbers are never trained, but on the meta device PEFT says they are.
        if parameter.requires_grad and ".ranknum." not in name
    )


def first_state(
    model: "PeftModel | PreTrainedModel", config: TrainConfig
) -> dict[str, "torch.Tensor"]:
    """What `save` needs to know of an adapter that has just been attached; {} for most."""
    from peft import get_peft_model_state_dict

    if config.peft_type != "lora" or config.init_lora_weights not in CHANGES_THE_BASE:
        return {}
    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    return {name: tensor.detach().cpu().clone() for name, tensor in state.items()}


def save(
    model: "PeftModel | PreTrainedModel",
    folder: Path,
    first: dict[str, "torch.Tensor"],
    state: dict[str, "torch.Tensor"] | None = None,
) -> None:
    """Writes the adapter so that it fits the unchanged base; after full fine-tuning the model.
    `state` is the model's own where it had to be gathered from several processes.

    An adapter that began by changing the base becomes a LoRA of twice its rank (PEFT's
    `path_initial_model_for_weight_conversion`).
    """
    from safetensors.torch import save_file

    if not first:
        model.save_pretrained(folder, state_dict=state)
        return
    with tempfile.TemporaryDirectory(prefix="greenroom-") as before:
        save_file(first, Path(before) / "adapter_model.safetensors")
        model.save_pretrained(folder, path_initial_model_for_weight_conversion=before)


def name_base(folder: Path, model_name_or_path: str) -> None:
    """Calls the base by its own name, where PEFT has written the folder of this machine's cache;
    that folder during the training spares PEFT a question to the Hub at each checkpoint."""
    if not is_elsewhere(model_name_or_path):
        return
    for file in (folder / "adapter_config.json", folder / "README.md"):
        if file.is_file():
            text = file.read_text(encoding="utf-8")
            text = text.replace(locate(model_name_or_path), model_name_or_path)
            file.write_text(text, encoding="utf-8")


def weights(folder: Path) -> list[Path]:
    """The files that hold an adapter, or a fully tuned model, in a run's folder; [] for none."""
    found = (sorted(folder.glob(name)) for name in _WEIGHTS)
    return next((files for files in found if files), [])


def method_of(folder: Path) -> str:
    """The method of an adapter's folder as in `peft_type`; "full" for a whole model. Raises
    UserError (field "adapter") for a broken adapter_config.json."""
    file = folder / "adapter_config.json"
    if not file.is_file():
        return "full"
    named = read_json(file).get("peft_type")
    if not isinstance(named, str) or not named:
        raise _broken(file, "it names no peft_type", "里面没有写 peft_type")
    return named.lower()


def read_card(folder: Path) -> dict[str, Any]:
    """The adapter's greenroom.json, {} for one made elsewhere. Raises UserError for a folder that
    is no adapter, whose adapter_config.json is broken, or whose weights are missing or could be
    programs."""
    if not folder.is_dir():
        raise UserError(
            f"There is no folder {folder}; check its spelling.",
            f"没有 {folder} 这个文件夹，请检查写法。",
            field="adapter",
        )
    ours = ("greenroom.json", "complete.json")  # of a run's end, of a checkpoint
    is_model = (folder / "config.json").is_file() and any((folder / n).is_file() for n in ours)
    if not is_model and not (folder / "adapter_config.json").is_file():
        raise UserError(
            f"{folder.name} holds no adapter (no adapter_config.json); choose a folder that has "
            "one, or train the run first.",
            f"{folder.name} 里没有适配器（缺少 adapter_config.json），请选择有它的文件夹，"
            "或先完成训练。",
        )
    method_of(folder)
    files = weights(folder)
    if not files:
        raise UserError(
            f"{folder.name} holds no weights (adapter_model.safetensors or .bin); copy the adapter "
            "anew.",
            f"{folder.name} 里没有权重（adapter_model.safetensors 或 .bin），请重新复制适配器。",
        )
    refuse_programs([file for file in files if file.suffix == ".bin"], field="adapter")
    card = folder / "greenroom.json"
    return read_json(card) if card.is_file() else {}


def config_of_run(folder: Path) -> TrainConfig | None:
    """What a checkpoint was trained with: it lies in the folder of its run. None for what is no
    checkpoint. Raises UserError for a config.yaml that cannot be read."""
    file = folder.parent / "config.yaml"
    is_checkpoint = (folder / "complete.json").is_file() and file.is_file()
    return TrainConfig.from_yaml(file) if is_checkpoint else None


def read_json(file: Path) -> dict[str, Any]:
    """One of an adapter's files. Raises UserError (field "adapter") for a broken one."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _broken(file, str(error), str(error)) from error
    if not isinstance(value, dict):
        raise _broken(file, "it holds no object", "里面不是一个对象")
    return value


def _broken(file: Path, en: str, zh: str) -> UserError:
    return UserError(
        f"{file.name} in {file.parent} is broken ({en}); copy the adapter anew.",
        f"{file.parent} 里的 {file.name} 已损坏（{zh}），请重新复制适配器。",
        field="adapter",
    )


def base_of(folder: Path) -> str:
    """The base that an adapter was trained on, as its greenroom.json, a checkpoint's run, or else
    PEFT's file names it; "" where none does. Raises UserError as `read_card`."""
    file, key = folder / "greenroom.json", "base_model"
    if key not in read_card(folder):
        trained = config_of_run(folder)
        if trained:  # PEFT has written the folder of this machine's cache
            return trained.model_name_or_path
        file, key = folder / "adapter_config.json", "base_model_name_or_path"
    named = (read_json(file).get(key) if file.is_file() else None) or ""
    if not isinstance(named, str):
        raise _broken(file, f"its {key} is no name", f"{key} 不是名字")
    return named


def require_base(folder: Path, name: str) -> str:
    """As `base_of`, of an adapter that a person calls `name`. Raises UserError (field "adapter")
    where nothing names its base."""
    base = base_of(folder)
    if not base:
        raise UserError(
            f"{name} does not say which base it was trained on; write it into its "
            "adapter_config.json as base_model_name_or_path.",
            f"{name} 没有写明在哪个底座上训练；"
            "请在它的 adapter_config.json 里填写 base_model_name_or_path。",
            field="adapter",
        )
    return base


def is_own(folder: Path) -> bool:
    """Whether an adapter was made here, so that it names its base as it is named here."""
    return (folder / "greenroom.json").is_file()


def same_base(one: str, other: str) -> bool:
    """Whether two names stand for one model: sprout and its folder do."""
    return _place(one) == _place(other)


def _place(model_name_or_path: str) -> str:
    if model_name_or_path == SPROUT:
        return str((DATA_DIR / SPROUT).resolve())
    folder = on_disk(model_name_or_path)
    return str(folder.resolve()) if folder and folder.is_dir() else model_name_or_path
