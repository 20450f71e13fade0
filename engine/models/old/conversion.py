"""An old checkpoint read straight into a native class: its weights renamed, fused ones split."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from engine.errors import UserError
from engine.models.old.names import PARTS, PLACES
from engine.models.old.recognise import Old

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def reads_old(kind: str) -> Callable[[type["PreTrainedModel"]], type["PreTrainedModel"]]:
    """Lets the `from_pretrained` of a subclass of a native class take checkpoints of the old kind,
    also into 8 and 4 bits. It is for loading: `load_native` leaves the native class."""
    from transformers.conversion_mapping import register_checkpoint_conversion_mapping

    def reading(cls: type["PreTrainedModel"]) -> type["PreTrainedModel"]:
        cls._keys_to_ignore_on_load_unexpected = [r"rotary_(pos_)?emb\.inv_freq$"]
        register_checkpoint_conversion_mapping(cls.__name__, _transforms(kind))
        return cls

    return reading


def load_native(old: Old, **how: Any) -> "PreTrainedModel":
    """The model of an old folder; from there on nothing of it is old, saving included. `how` is as
    for from_pretrained. Raises UserError where weights are missing or are none of the model's."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, GenerationConfig

    config = old.native_config()
    model, report = old.model_class().from_pretrained(
        old.folder,
        config=config,
        generation_config=GenerationConfig.from_model_config(config),
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # told with the others below
        **how,
    )
    odd = {why: report[f"{why}_keys"] for why in ("missing", "unexpected", "mismatched")}
    if any(odd.values()):
        raise _unfit(old, odd)
    model.__class__ = MODEL_FOR_CAUSAL_LM_MAPPING[type(model.config)]
    model._weight_conversions = None  # else Transformers would save the old layout
    return model


def _transforms(kind: str) -> list[Any]:
    from transformers.core_model_loading import Split, WeightConverter, WeightRenaming

    renamed = [
        WeightRenaming(rf"^{re.escape(old)}\.", f"{new}.") for old, new in PLACES[kind].items()
    ]
    split = []
    for old, new in PARTS[kind].items():
        if len(new) == 1:
            renamed.append(WeightRenaming(rf"\.{re.escape(old)}\.", f".{new[0]}."))
            continue
        for tensor in ("weight", "bias"):
            targets = [f".{one}.{tensor}" for one in new]
            split.append(WeightConverter(rf"\.{re.escape(old)}\.{tensor}$", targets, [Split(0)]))
    return renamed + split


def _unfit(old: Old, odd: dict[str, Any]) -> UserError:
    said = "; ".join(f"{why} {sorted(map(str, keys))[0]}" for why, keys in odd.items() if keys)
    return UserError(
        f"The weights in {old.folder} are not those of its config.json: {said}. Copy the model "
        "anew, or take it as it was first published.",
        f"{old.folder} 里的权重与 config.json 不符：{said}。请重新复制模型，或使用最初发布的版本。",
        field="model_name_or_path",
    )
