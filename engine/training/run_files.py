"""The files of a run's folder, read and checked: what is damaged in them is left out.

Any of them may be torn, edited by hand or of a later version; no reader may break on that, and what
a person must know of it is a sentence that names the file.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from engine.config import TrainConfig, values_in
from engine.errors import Sentence, UserError
from engine.options.declare import field_names
from engine.training.kinds import (
    Kinds,
    each,
    has,
    is_count,
    is_figure,
    is_moment,
    is_number,
    is_pid,
    is_text,
    kept,
    maybe,
)
from engine.training.live_files import read_json, read_json_lines

ACTIVE = ("queued", "running", "stopping")
STATES = (*ACTIVE, "stopped", "finished", "failed")
_LONGEST_NAME = 60

_STATUS: Kinds = {
    "state": STATES.__contains__,
    "message": is_text,
    "message_zh": is_text,
    "owner": maybe(is_text),
    "pid": maybe(is_pid),
    "page": maybe(lambda page: each(is_number)(page) and len(page) == 2 and is_pid(page[0])),
    "gpu_ids": each(is_count),
    **dict.fromkeys(("step", "max_steps"), is_count),
    **dict.fromkeys(("created_at", "started_at", "updated_at", "turn_at", "loss_at"), is_moment),
    "seconds": is_number,
    **dict.fromkeys(("seconds_left", "tokens_per_second"), maybe(is_number)),
    **dict.fromkeys(("peak_gib", "predicted_gib", "loss", "eval_loss"), maybe(is_number)),
}
_MEMORY: Kinds = {"device": is_text, "own_gib": is_number, "peak_gib": is_number}
_DEVICE: Kinds = {
    "device": is_text,
    **dict.fromkeys(("now_gib", "reserved_gib", "peak_gib"), is_number),
}


def _is_memory(value: Any) -> bool:
    """Rows of older runs do not say it by device."""
    return has(_MEMORY)(value) and each(has(_DEVICE))(value.get("devices", []))


_METRICS: Kinds = {
    "step": is_count,
    "tokens": is_count,
    "seconds": is_number,
    "epoch": is_number,
    "tokens_per_second": maybe(is_number),
    **dict.fromkeys(("loss", "eval_loss", "learning_rate", "grad_norm"), maybe(is_figure)),
    "memory": _is_memory,
}
_SAMPLE: Kinds = {"step": is_count, "prompt": is_text, "answer": is_text}
_DROPPED: Kinds = {"reason": is_text, "reason_zh": is_text, "rows": is_count}
_FACTS: Kinds = {
    **dict.fromkeys(("file", "sha256"), is_text),
    **dict.fromkeys(("rows", "train_rows", "eval_rows", "truncated_rows"), is_count),
    **dict.fromkeys(("train_tokens", "learned_tokens"), is_count),
    "dropped": each(has(_DROPPED)),
}
_STATUS_DAMAGED = Sentence(
    "status.json is missing, damaged or of a later version, so how the run stands is not known. "
    "Resume goes on from its last checkpoint; an adapter that it has can be used.",
    "status.json 缺失、已损坏或来自更新的版本，因此不知道这次训练进行到哪里。"
    "点“继续训练”会从上一个检查点接着来；已有的适配器可以使用。",
)


def status(path: Path) -> tuple[dict[str, Any], Sentence | None]:
    """What can be read of status.json, and what is to be said of it when that is not all."""
    read = read_json(path / "status.json")
    found = kept(read, _STATUS)
    return found, None if "state" in found and found == read else _STATUS_DAMAGED


def name(path: Path) -> str:
    """What the run is called; its id where nothing is written."""
    file = path / "name"
    text = file.read_bytes().decode("utf-8", errors="replace") if file.is_file() else ""
    return short_name(text) or path.name


def short_name(text: str) -> str:
    """One line, not too long."""
    return " ".join(text.split())[:_LONGEST_NAME]


def metrics(path: Path) -> list[dict[str, Any]]:
    """One row a logged step. Values that are no numbers are left out, and so are rows without a
    step."""
    rows = (kept(row, _METRICS) for row in read_json_lines(path / "metrics.jsonl"))
    return [row for row in rows if "step" in row]


def samples(path: Path) -> list[dict[str, Any]]:
    """Answers, one a row, each with its step and its prompt."""
    return list(filter(has(_SAMPLE), read_json_lines(path / "samples.jsonl")))


def dataset_facts(path: Path) -> dict[str, Any]:
    """dataset.json; {} where it is not there or lacks something."""
    facts = read_json(path / "dataset.json")
    return facts if has(_FACTS)(facts) else {}


def config(path: Path) -> tuple[TrainConfig, Sentence | None]:
    """The options of a run; where config.yaml cannot be read whole, those that can be, and what is
    to be said of it."""
    file = path / "config.yaml"
    return _config(file, file.stat().st_mtime if file.is_file() else 0.0)


@lru_cache(maxsize=512)
def _config(file: Path, written_at: float) -> tuple[TrainConfig, Sentence | None]:
    """Written once, asked for at every tick of the page; `written_at` makes another file of it."""
    try:
        return _showable(TrainConfig.from_yaml(file)), None
    except UserError as error:
        why = error.sentence
    except (ValueError, OSError) as error:  # text that cannot be shown, a file that cannot be read
        why = Sentence(*(f"{type(error).__name__}: {error}",) * 2)
    return _what_can_be_read(file), Sentence(
        f"config.yaml is damaged or of a later version, so this run cannot be resumed. An adapter "
        f"that it has can be used and downloaded. ({why.en})",
        f"config.yaml 已损坏或来自更新的版本，因此这次训练无法继续。"
        f"已有的适配器可以使用和下载。（{why.zh}）",
    )


def _what_can_be_read(file: Path) -> TrainConfig:
    """No default may pass for what the run was made of: an unknown base and data are empty."""
    found = TrainConfig(model_name_or_path="", dataset="")
    try:
        values = values_in(file)
    except (UserError, OSError):  # `_config` says it
        return found
    for one in values.keys() & set(field_names(TrainConfig)):
        try:
            found = _showable(TrainConfig.from_dict(found.to_dict() | {one: values[one]}))
        except (UserError, ValueError):  # likewise
            continue
    return found


def _showable(config: TrainConfig) -> TrainConfig:
    """Raises ValueError for text that can be no path and cannot be shown: YAML can spell both."""
    values = config.to_dict()
    json.dumps(values, ensure_ascii=False).encode()
    if any("\0" in value for value in values.values() if isinstance(value, str)):
        raise ValueError("a character that no path can hold")
    return config
