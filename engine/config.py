"""The options of a run, as one: from here come form, YAML, flags, API names and checks."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from engine import devices, fast_yaml
from engine.errors import Sentence, UserError
from engine.options.adapter import Adapter
from engine.options.basic import Basic
from engine.options.combinations import impossible
from engine.options.data import Data
from engine.options.declare import (
    check_once,
    coerce,
    field_names,
    matters,
    out_of_range,
    unknown_option,
)
from engine.options.devices import Devices
from engine.options.memory import Memory
from engine.options.saving import Saving
from engine.options.schedule import Schedule
from engine.places import DATA_DIR, SPROUT

GROUPS = {
    "basic": Sentence("Plain", "常用"),
    "adapter": Sentence("Adapter", "适配器"),
    "data": Sentence("Data", "数据"),
    "schedule": Sentence("Schedule and optimiser", "训练进程与优化器"),
    "memory": Sentence("Memory and precision", "显存与精度"),
    "devices": Sentence("Devices", "设备"),
    "saving": Sentence("Logging and saving", "记录与保存"),
}


# A dataclass takes its fields from its last base first.
@dataclass(kw_only=True)
class TrainConfig(Saving, Devices, Memory, Schedule, Data, Adapter, Basic):
    """What a training run is made of. Names as in Transformers, PEFT and TRL."""

    def problems(self) -> dict[str, Sentence]:
        """What cannot work, by field: ranges, choices, and combinations. Empty when all is well;
        an option that has no meaning beside the others, and is not seen, may hold anything."""
        found = {}
        for one in dataclasses.fields(self):
            wrong = out_of_range(one, getattr(self, one.name))
            if wrong and matters(one, vars(self)):
                found[one.name] = wrong
        if wrong := devices.problem(self.gpu_ids):
            found["gpu_ids"] = wrong
        return impossible(self) | found

    @property
    def keeps_float32_weights(self) -> bool:
        """Where all weights are trained, unless another precision was chosen: bfloat16 rounds
        small steps away. The computing is done in the device's own precision all the same."""
        return self.peft_type == "full" and self.dtype == "auto"

    def changed(self, than: "TrainConfig") -> list[str]:
        """Names of the fields that differ from another configuration."""
        return [n for n in field_names(TrainConfig) if getattr(self, n) != getattr(than, n)]

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def to_yaml(self) -> str:
        text = yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True)
        if fast_yaml.read(text) != self.to_dict():  # PyYAML loses some rare line breaks
            return yaml.safe_dump(self.to_dict(), sort_keys=False)
        return text

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainConfig":
        """Coerces each value to its field's type. Raises UserError, with the field."""
        known = cls.__dataclass_fields__
        for name in values:
            if name not in known:
                raise unknown_option(name, cls)
        return cls(**{name: coerce(known[name], value) for name, value in values.items()})

    @classmethod
    def from_yaml(cls, path: Path) -> "TrainConfig":
        """Raises UserError for a file that is missing, no YAML mapping, or of unknown options."""
        return cls.from_dict(values_in(path))


def values_in(path: Path) -> dict[str, Any]:
    """What a YAML file says of the options. Raises UserError when it is missing or no mapping."""
    try:
        text = path.read_text(encoding="utf-8")
        values = fast_yaml.read(text)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} cannot be read ({type(error).__name__}); give the path of a YAML file.",
            f"无法读取 {path}，请给出一个 YAML 文件的路径。",
        ) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UserError(
            f"{path} is not valid YAML: {error}".replace("\n", " "),
            f"{path} 不是有效的 YAML，请检查格式。",
        ) from error
    if not isinstance(values, dict):
        raise UserError(
            f"{path} holds no options; write lines such as 'learning_rate: 2e-4'.",
            f"{path} 里没有选项，请写成“learning_rate: 2e-4”这样的行。",
        )
    check_once(fast_yaml.keys(text))
    return values


def default_config(model_name_or_path: str = SPROUT) -> TrainConfig:
    """The form's first values for a base: sprout has its recipe in data/, others the defaults."""
    if model_name_or_path == SPROUT:
        return TrainConfig.from_dict(values_in(DATA_DIR / "recipes" / "sprout.yaml")["options"])
    return TrainConfig(model_name_or_path=model_name_or_path)
