"""An export from beginning to end: checked beforehand, made beside, checked, put in its place."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.dataset.tokens import end_of_turn_ids
from engine.errors import Sentence, UserError, is_out_of_memory
from engine.export import plan
from engine.export.card import write_card
from engine.export.check import Heard, compare, in_words
from engine.export.made import FACTS, FAILED, clear
from engine.export.merge import merge
from engine.export.plan import Needs, precision
from engine.export.source import Source, tokenizer_of
from engine.hardware import GIB
from engine.models.load import Quantization, load_base
from engine.training import checkpoints

_PRECISIONS = {"f16": "float16", "bf16": "bfloat16", "q8_0": "q8_0"}


def export(
    source: Source, to: str, out: Path, dtype: str = "auto", quantization: str = "q8_0"
) -> Iterator[dict[str, Any]]:
    """Writes the merged model (`to` "merged") or a GGUF with its Modelfile ("gguf") into `out`.

    Yields {"doing": planning | loading | listening | merging | writing | reading | checking,
    "gib", "of_gib"} and at last {"result": facts}, what export.json holds: state ("done" or "failed
    check"), to, precision, gib, path, check and its words. What failed its check lies in
    OUT-failed-check; OUT is as it was before. Raises UserError, and then nothing is left behind.
    """
    _check_out(out)
    yield {"doing": "planning"}
    if reason := plan.refusal(source, to):
        raise UserError(*reason, field="to")
    wanted = plan.needs(source, to, dtype, quantization)
    plan.check_room(wanted, out)
    fresh, parts = out.with_name(out.name + ".new"), out.with_name(out.name + ".parts")
    clear(out)
    try:
        fresh.mkdir(parents=True)
        if to == "gguf":
            facts = yield from _gguf(source, fresh, parts, wanted, quantization)
        else:
            facts = yield from _merged(source, fresh, wanted)
        yield {"result": _keep(source, fresh, out, facts)}
    except UserError:
        raise
    except Exception as error:
        raise _explained(error, out) from error
    finally:
        clear(out)


def _merged(source: Source, fresh: Path, wanted: Needs) -> Iterator[dict[str, Any]]:
    tokenizer = tokenizer_of(source)
    heard = yield from merge(source, tokenizer, fresh, wanted)
    yield {"doing": "checking"}
    model = load_base(str(fresh), wanted.device, Quantization()).eval()
    stored = precision(wanted.dtype)
    return {"to": "merged", "precision": stored} | _checked(heard, model, tokenizer, stored, wanted)


def _gguf(
    source: Source, fresh: Path, parts: Path, wanted: Needs, quantization: str
) -> Iterator[dict[str, Any]]:
    """Through a merged model beside it, whose shards are read one tensor at a time."""
    from transformers import GenerationConfig

    from engine.export import gguf_file
    from engine.export.ollama import modelfile
    from engine.models.load import load_config

    tokenizer = tokenizer_of(source)
    heard = yield from merge(source, tokenizer, parts, wanted)
    config, generating = load_config(str(parts)), GenerationConfig.from_pretrained(parts)
    name = re.sub(r"[^\w.-]+", "-", source.name).strip(".-") or "model"
    file = fresh / f"{name}-{quantization.upper()}.gguf"
    yield from gguf_file.write(parts, file, config, tokenizer, quantization, source.name)
    shutil.rmtree(parts)
    window = config.max_position_embeddings
    ends = end_of_turn_ids(tokenizer, generating)
    text = modelfile(tokenizer, file.name, source.system_prompt, window, ends)
    (fresh / "Modelfile").write_text(text, encoding="utf-8")
    yield {"doing": "reading"}
    model = gguf_file.read(file, config, wanted.device)
    model.generation_config = generating  # the file names two ends at most
    yield {"doing": "checking"}
    stored = _PRECISIONS[quantization]
    made = {"to": "gguf", "precision": quantization, "file": file.name}
    return made | _checked(heard, model, tokenizer, stored, wanted)


def _checked(heard: Heard, model, tokenizer, stored: str, wanted: Needs) -> dict[str, Any]:
    precisions = (stored, precision(wanted.dtype), precision(wanted.device.dtype))
    result = compare(heard, model, tokenizer, precisions)
    return {"check": result, "said": in_words(result)._asdict()}


def _keep(source: Source, fresh: Path, out: Path, facts: dict[str, Any]) -> dict[str, Any]:
    passed = facts["check"]["passed"]
    place = out if passed else out.with_name(out.name + FAILED)
    write_card(fresh, source, facts["to"], facts)
    size = sum(one.stat().st_size for one in fresh.iterdir()) / GIB
    facts = facts | {
        "state": "done" if passed else "failed check",
        "name": source.name,
        "gib": size,
        "path": str(place),
        "made_at": time.time(),
    }
    text = json.dumps(facts, ensure_ascii=False, indent=1)
    (fresh / FACTS).write_text(text, encoding="utf-8")
    checkpoints.put_in_place(fresh, place)
    return facts


def _check_out(out: Path) -> None:
    """Only an export of ours is ever replaced."""
    taken = out.exists() and not (out / FACTS).is_file()
    if taken and (out.is_file() or any(out.iterdir())):
        raise UserError(
            f"{out} is there already and was not written by an export; choose another place.",
            f"{out} 已经存在，而且不是导出的结果；请换一个位置。",
            field="out",
        )


def _explained(error: Exception, out: Path) -> Exception:
    """A full disk and spent memory in a sentence; all else as it is."""
    if checkpoints.is_full_disk(error):
        words = Sentence(
            f"The disk with {out.parent} is full, so nothing was exported; free some room and try "
            "again.",
            f"{out.parent} 所在的磁盘已满，没有导出任何东西；请腾出空间再试。",
        )
        return UserError(*words, field="out")
    if is_out_of_memory(error):
        words = Sentence(
            "Memory ran out, so nothing was exported; unload the chat, wait for runs to end, or "
            "merge on a larger machine. The adapter can leave as it is.",
            "内存不足，没有导出任何东西；请卸载对话、等训练结束，或换内存更大的机器合并。"
            "适配器本身可以直接导出。",
        )
        return UserError(*words)
    return error
