"""Which modules of a model an adapter sits on: what a person wrote, checked against the model."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import UserError, first_line, quoted
from engine.models.old.names import ends_in, old_kind, todays_targets

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_NAME = re.compile(r"[\w.-]+")
_ATTENTION = re.compile(r"att", re.IGNORECASE)
# Mamba's kernels take the weight of this layer by themselves and would not ask an adapter on it, so
# PEFT refuses one in these families.
_MAMBA = ("mamba", "mamba2", "falcon_mamba", "falcon_h1", "nemotron_h")
_BEHIND_A_KERNEL = "out_proj"
_MATCHER = Path(__file__).with_name("expression_process.py")


def linear_layers(model: "PreTrainedModel") -> Iterator[tuple[str, "torch.nn.Module"]]:
    """The linear layers without the head, GPT-2's Conv1D among them, with their full names."""
    import torch
    from transformers.pytorch_utils import Conv1D

    head = model.get_output_embeddings()
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear | Conv1D) and module is not head:
            yield name, module


def _can_be_adapted(model: "PreTrainedModel") -> list[str]:
    """The full names of the linear layers that an adapter can sit on."""
    names = [name for name, _ in linear_layers(model)]
    if model.config.model_type not in _MAMBA:
        return names
    return [name for name in names if not ends_in(name, _BEHIND_A_KERNEL)]


def linear_names(model: "PreTrainedModel") -> list[str]:
    """The short names of the linear layers that an adapter can sit on."""
    return sorted({name.rsplit(".", 1)[-1] for name in _can_be_adapted(model)})


def target_modules(model: "PreTrainedModel", wanted: str) -> str | list[str]:
    """`lora_target_modules` as PEFT takes it: all-linear, a list of names, or an expression.

    Raises UserError (field "lora_target_modules") for what the model does not have.
    """
    wanted = wanted.strip()
    if wanted == "all-linear":
        return linear_names(model) if model.config.model_type in _MAMBA else wanted
    if wanted == "attention":
        return _attention(model)
    linear = _can_be_adapted(model)
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    if all(_NAME.fullmatch(name) for name in names):
        renamed = renamed_targets(model, wanted)
        names = list(dict.fromkeys(new for name in names for new in renamed.get(name, [name])))
        unknown = [name for name in names if not any(ends_in(full, name) for full in linear)]
        if unknown or not names:
            raise _no_module(model, ", ".join(unknown))
        return names
    return _expression(model, wanted, linear)


def renamed_targets(model: "PreTrainedModel", wanted: str) -> dict[str, list[str]]:
    """Of the names in `lora_target_modules`, those by which the old code of this model's family
    called its layers, with today's: {"c_proj": ["self_attn.o_proj", "mlp.down_proj"]}."""
    kind = old_kind(model.config.model_type)
    if not kind:
        return {}
    linear = [name for name, _ in linear_layers(model)]
    names = [name.strip() for name in wanted.split(",")]
    old = [name for name in names if name and not any(ends_in(full, name) for full in linear)]
    renamed = {name: todays_targets(kind, name) for name in old}
    return {name: new for name, new in renamed.items() if new}


def matching(model: "PreTrainedModel", wanted: str) -> list[str]:
    """The full names of the layers that `target_modules` stands for. Raises UserError."""
    linear = _can_be_adapted(model)
    targets = target_modules(model, wanted)
    if targets == "all-linear":
        return linear
    if isinstance(targets, str):
        return [name for name in linear if re.fullmatch(targets, name)]
    return [full for full in linear if any(ends_in(full, name) for name in targets)]


def in_attention(name: str) -> bool:
    """Whether the module of this full name is part of an attention: its parent is called so."""
    return bool(_ATTENTION.search(".".join(name.split(".")[-2:-1])))


def _expression(model: "PreTrainedModel", wanted: str, linear: list[str]) -> str:
    """PEFT matches it with the whole name of a module, as re.fullmatch does."""
    found = set(_matched(wanted, tuple(name for name, _ in model.named_modules())))
    if not found & set(linear):
        raise _no_module(model, wanted)
    other = sorted(found - set(linear))
    if other:
        said = quoted(wanted)
        raise UserError(
            f"{said} also matches {other[0] or 'the whole model'}, which is no linear layer; "
            r"let it end in layers' names, as .*\.(q_proj|v_proj) does.",
            f"{said} 还匹配到 {other[0] or '整个模型'}，它不是线性层；"
            r"请让表达式以层名结尾，如 .*\.(q_proj|v_proj)。",
            field="lora_target_modules",
        )
    return wanted


@lru_cache(maxsize=8)
def _matched(wanted: str, names: tuple[str, ...]) -> list[str]:
    """Those that the expression matches; PEFT and `matching` may then match them here. Raises
    UserError for what is no expression, or would hold up whoever matches it."""
    asked = json.dumps([wanted, names]).encode()
    done = subprocess.run([sys.executable, "-IS", _MATCHER], input=asked, capture_output=True)
    said = quoted(wanted)
    if done.returncode:
        raise UserError(
            f"{said} takes too long on the names of this model's modules; write it without a "
            r"repetition inside a repetition, as .*\.(q_proj|v_proj) is.",
            f"{said} 在这个模型的模块名上匹配太久；请不要在重复里再套重复，"
            r"例如写成 .*\.(q_proj|v_proj)。",
            field="lora_target_modules",
        )
    answer = json.loads(done.stdout)
    if "error" in answer:
        why = first_line(answer["error"])
        raise UserError(
            f"{said} is no regular expression ({why}); an example: "
            r".*\.(q_proj|v_proj). Or write names with commas between, or all-linear.",
            f"{said} 不是有效的正则表达式（{why}）；例如："
            r".*\.(q_proj|v_proj)。也可以写用逗号隔开的模块名，或 all-linear。",
            field="lora_target_modules",
        )
    return answer["found"]


def _attention(model: "PreTrainedModel") -> list[str]:
    """Their names with that of the attention before: an MLP may use the same short ones."""
    found = {".".join(n.split(".")[-2:]) for n in _can_be_adapted(model) if in_attention(n)}
    if not found:
        raise _no_module(model, "attention")
    return sorted(found)


def _no_module(model: "PreTrainedModel", wanted: str) -> UserError:
    names = linear_names(model)
    return UserError(
        f"No linear layer of this model fits {quoted(wanted)}. It has {', '.join(names)}; or write "
        "all-linear or attention.",
        f"这个模型没有与 {quoted(wanted)} 相符的线性层。它有 {'、'.join(names)}；"
        "也可写 all-linear 或 attention。",
        field="lora_target_modules",
    )
