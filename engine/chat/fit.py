"""An adapter's files against the base that they are put on: what is wrong with them, in words."""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from peft import PeftType
from safetensors import SafetensorError

from engine.errors import Sentence, UserError, first_line, is_out_of_memory
from engine.models.adapter import base_of, read_json, same_base
from engine.models.adapter_state import STARTS_THAT_KEEP_THE_BASE


@contextlib.contextmanager
def in_words(name: str, folder: Path, base: str) -> Iterator[None]:
    """What reading an adapter and putting it on raises, as a UserError. It was written by anybody,
    and PEFT stumbles over it in many ways; too little memory is no fault of its."""
    try:
        yield
    except UserError:
        raise
    except SafetensorError as error:
        raise _damaged(name, error) from error
    except Exception as error:
        if is_out_of_memory(error):
            raise
        said = _in_short(error)
        raise _does_not_fit(name, folder, base, Sentence(said, said)) from error


def refuse_unknown(name: str, method: str) -> None:
    """Raises UserError for a method that PEFT does not have."""
    if method == "full" or method.upper() in PeftType.__members__:
        return
    raise UserError(
        f"{name} was made with the method {method.upper()}, which is unknown here. Check peft_type "
        "in its adapter_config.json; a newer method needs a newer PEFT.",
        f"{name} 使用的方法 {method.upper()} 在这里无法识别。"
        "请检查 adapter_config.json 里的 peft_type；较新的方法需要更新 PEFT。",
        field="adapter",
    )


def refuse_broken(name: str, tensors: Iterable[torch.Tensor]) -> None:
    """A single NaN would silence every voice of the batch. Raises UserError."""
    if all(tensor.isfinite().all() for tensor in tensors):
        return
    raise UserError(
        f"{name} cannot speak: some of its weights are not numbers (NaN or infinite), as after a "
        "run that diverged. Choose an earlier checkpoint, or train again with a lower "
        "learning_rate.",
        f"{name} 无法发声：它的权重里有不是数字的值（NaN 或无穷大），多半是训练发散了。"
        "请选更早的检查点，或降低 learning_rate 重新训练。",
        field="adapter",
    )


@contextlib.contextmanager
def sparing(name: str, own: dict[str, torch.nn.Parameter], keys: Iterable[str]) -> Iterator[None]:
    """While an adapter of these keys is put on a base of `own` weights: what it overwrites of them
    is put back, and it is refused with a UserError."""
    plain = {key.removeprefix("base_model.model.").replace(".base_layer.", ".") for key in keys}
    kept = [(own[key], own[key].detach().to("cpu", copy=True)) for key in plain & own.keys()]
    changed = []
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, before in kept:
                if not torch.equal(weight.cpu(), before):
                    changed.append(weight)
                    weight.copy_(before)
    if changed:
        raise _rewrites(name, f"{len(changed)} tensors", f"{len(changed)} 个张量")


def refuse_rewriting(name: str, folder: Path) -> None:
    """Raises UserError for an adapter at whose start PEFT rewrites the weights under it."""
    start = read_json(folder / "adapter_config.json").get("init_lora_weights")
    if isinstance(start, str) and start not in STARTS_THAT_KEEP_THE_BASE:
        raise _rewrites(name, f"init_lora_weights {start}", f"init_lora_weights {start}")


def _rewrites(name: str, en: str, zh: str) -> UserError:
    return UserError(
        f"The adapter {name} rewrites weights of the base itself ({en}), as trained biases do, so "
        "the base could not speak beside it. Merge it into its base (PEFT's merge_and_unload) and "
        "load what comes out as a base of its own.",
        f"适配器 {name} 会改写底座自身的权重（{zh}），例如训练过的偏置，底座就无法与它同台发声。"
        "请先把它合并进底座（PEFT 的 merge_and_unload），再把合并后的模型作为底座载入。",
        field="adapter",
    )


def refuse_part(name: str, folder: Path, base: str, had: int, found: Any) -> None:
    """Raises UserError for an adapter that PEFT put on without some of its tensors, or with some
    that are as they were before training. `had`: how many its file has; `found`: what PEFT says."""
    # One that all layers have in common is listed as missing in each.
    missing = [key for key in found.missing_keys if "vblora_vector_bank" not in key]
    homeless = found.unexpected_keys
    if not missing and not homeless:
        return
    why = Sentence(
        f"of its {had} tensors {len(homeless)} have no place in it, and {len(missing)} that belong "
        "there are missing",
        f"它的 {had} 个张量中有 {len(homeless)} 个没有位置，另外缺少 {len(missing)} 个",
    )
    raise _does_not_fit(name, folder, base, why)


def _damaged(name: str, error: SafetensorError) -> UserError:
    first = first_line(error)
    return UserError(
        f"The weights of the adapter {name} cannot be read ({first}): the file is cut off or "
        "damaged. Copy the adapter anew.",
        f"无法读取适配器 {name} 的权重（{first}）：文件不完整或已损坏，请重新复制适配器。",
        field="adapter",
    )


def _in_short(error: Exception) -> str:
    first = first_line(" ".join(str(error).split())).rstrip(".: ")
    if isinstance(error, ValueError | RuntimeError | OSError):
        return first
    return f"{type(error).__name__}: {first}"  # else too short to understand


def _does_not_fit(name: str, folder: Path, base: str, why: Sentence) -> UserError:
    """With both names, where the adapter says its base's and that is another."""
    trained_on = base_of(folder)
    mend = Sentence(
        "Its files may be damaged or changed; copy the adapter anew.",
        "它的文件可能已损坏或被改动，请重新复制适配器。",
    )
    if trained_on and not same_base(trained_on, base):
        mend = Sentence(
            f"It was trained on {trained_on}; load it with that.",
            f"它是在 {trained_on} 上训练的，请用那个底座载入。",
        )
    return UserError(
        f"The adapter {name} does not fit {base}: {why.en}. {mend.en}",
        f"适配器 {name} 与 {base} 不相配：{why.zh}。{mend.zh}",
        field="adapter",
    )
