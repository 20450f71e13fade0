"""The adapter merged into its unquantised base, written as a plain Transformers model."""

import gc
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.dataset.tokens import end_of_turn_ids
from engine.errors import UserError, first_line
from engine.export.check import listen, logits_along
from engine.export.plan import Needs
from engine.export.prompts import prompts_for
from engine.export.source import Source
from engine.hardware import GIB
from engine.models.load import Quantization, load_base

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SHARD = "4GB"
_LOOK_SECONDS = 0.3

Progress = Iterator[dict[str, Any]]


def merge(
    source: Source, tokenizer: "PreTrainedTokenizerBase", folder: Path, wanted: Needs
) -> Iterator[dict[str, Any]]:
    """Writes model, tokenizer, template and generation config into `folder`. Yields
    {"doing": loading | listening | merging | writing, ...} and returns what the tuned model and its
    base said, a `Heard`. Raises UserError."""
    yield {"doing": "loading"}
    model, heard = yield from _tuned(source, tokenizer, wanted)
    model.to(wanted.dtype)
    model.config.use_cache = True
    _give_ends(model, tokenizer)
    total = sum(one.numel() * one.element_size() for one in model.parameters()) / GIB
    yield from followed(
        lambda: model.save_pretrained(folder, max_shard_size=SHARD),
        lambda: {"doing": "writing", "gib": size_gib(folder), "of_gib": total},
    )
    tokenizer.save_pretrained(folder)
    return heard


def _tuned(source: Source, tokenizer, wanted: Needs) -> Iterator[dict[str, Any]]:
    """The tuned model without an adapter in it, and what was heard before."""
    prompts = prompts_for(source)
    if source.method == "full":
        base = _load(source.base, wanted)
        tuned = _load(str(source.folder), wanted)
    else:
        base, tuned = None, _with_adapter(source, wanted)
    yield {"doing": "listening"}
    heard = listen(tuned, tokenizer, prompts)
    if base is None:
        with tuned.disable_adapter():
            said = logits_along(tuned, heard.prompts, heard.answers)
        yield {"doing": "merging"}
        tuned = tuned.merge_and_unload(safe_merge=True)
    else:
        said = logits_along(base, heard.prompts, heard.answers)
    del base
    gc.collect()
    return tuned, replace(heard, base=said)


def _load(name: str, wanted: Needs) -> "PreTrainedModel":
    return load_base(name, wanted.device, Quantization()).eval()


def _with_adapter(source: Source, wanted: Needs):
    from peft import PeftModel
    from safetensors import SafetensorError

    base = _load(source.base, wanted)
    try:
        return PeftModel.from_pretrained(base, source.folder, is_trainable=False).eval()
    except (ValueError, RuntimeError, OSError, KeyError, SafetensorError) as error:
        first = first_line(error)
        raise UserError(
            f"The adapter {source.name} does not fit {source.base}: {first}",
            f"适配器 {source.name} 与 {source.base} 不相配：{first}",
            field="adapter",
        ) from error


def _give_ends(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> None:
    """Plain `generate` must stop where the voice was taught to, and the config must be writable:
    some checkpoints carry a temperature beside greedy decoding, which is refused on saving."""
    config = model.generation_config
    ends = sorted(end_of_turn_ids(tokenizer, config))
    config.eos_token_id = ends[0] if len(ends) == 1 else ends
    if config.pad_token_id is None:
        config.pad_token_id = tokenizer.pad_token_id
    try:
        config.validate(strict=True)
    except ValueError:
        config.do_sample = True


def followed(work, look) -> Progress:
    """Does `work` on a thread and yields `look()` until it is done. Raises what it raised."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # raised below, in the thread that waits
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive():
        yield look()
        thread.join(_LOOK_SECONDS)
    for error in errors:
        raise error


def size_gib(folder: Path) -> float:
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file()) / GIB
