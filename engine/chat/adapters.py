"""Whose adapter may speak: a run's, that of a checkpoint it kept, any PEFT folder's or Hub id's.

A voice is known by what it was chosen as: `RUN_ID`, `RUN_ID/checkpoint-40`, `/a/folder` or
`owner/name`. Ids and paths from outside are checked here.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from engine.errors import UserError, first_line
from engine.models.adapter import method_of, read_card, read_json, require_base, same_base
from engine.options.adapter import CHANGES_THE_BASE
from engine.training import checkpoints, runs
from engine.training.runs import Run

_RUN = re.compile(r"([a-z]+-[a-z]+-[0-9a-f]{4})(?:/(checkpoint-\d{1,9}))?")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
# Of a Hub adapter: no other format, nothing of its subfolders, no program.
_FILES = (
    *("adapter_config.json", "adapter_model.safetensors", "greenroom.json", "tokenizer.json"),
    *("tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"),
)


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter on this machine. `run` is the run that it comes from, None for one from
    elsewhere; `step` that of a checkpoint, 0 for what a run ended with."""

    voice: str
    folder: Path
    base: str
    system_prompt: str
    method: str  # as one writes it: LoRA, DoRA, IA3 ...
    load_in_4bit: bool = False
    load_in_8bit: bool = False
    run: Run | None = None
    step: int = 0

    @property
    def name(self) -> str:
        """For people; the step is said beside it."""
        return self.run.name if self.run else self.voice.rstrip("/").rsplit("/", 1)[-1]


def known() -> list[tuple[str, str, int]]:
    """(voice, run's name, step) of every run that has an adapter, newest first, step 0, each
    followed by the checkpoints that it kept, the latest first."""
    found = []
    for run in runs.list_runs():
        if run.has_adapter:
            found.append((run.id, run.name, 0))
        kept = [] if _is_not_saved_whole(run) else checkpoints.sealed(run.path)
        for one in reversed(kept):
            found.append((f"{run.id}/{one.name}", run.name, checkpoints.step_of(one)))
    return found


def find(voice: str) -> Adapter:
    """The adapter behind a voice; one of the Hub is fetched when it is not here yet. Raises
    UserError (field "adapter")."""
    of_a_run = _RUN.fullmatch(voice)
    if of_a_run:
        return _of_run(voice, runs.get(of_a_run[1]), of_a_run[2])
    folder = Path(os.path.expanduser(voice))  # no error for an unknown person's home
    if folder.is_absolute():
        return _from_elsewhere(voice, folder)
    if _HUB_ID.fullmatch(voice):
        return _from_elsewhere(voice, fetched(voice))
    raise _wrong(
        f"There is no run {voice!r}, and it is neither a folder with an adapter (write its whole "
        "path) nor a Hub id such as owner/name; check its spelling.",
        f"没有名为 {voice!r} 的训练；它也不是装有适配器的文件夹（请写完整路径），"
        "也不是 owner/name 这样的 Hub 名字，请检查写法。",
    )


def common_base(adapters: list[Adapter]) -> tuple[str, bool, bool]:
    """(model_name_or_path, load_in_4bit, load_in_8bit) that these speak on: the first one's.
    Raises UserError, with both names, for adapters of different bases."""
    first, *others = adapters
    for other in others:
        if not same_base(first.base, other.base):
            raise _wrong(
                f"{first.name} was trained on {first.base} and {other.name} on {other.base}; only "
                "voices of one base can speak together. Remove one of the two.",
                f"{first.name} 的底座是 {first.base}，{other.name} 的底座是 {other.base}；"
                "只有同一个底座的声音才能同台，请去掉其中一个。",
            )
    return first.base, first.load_in_4bit, first.load_in_8bit


def is_here(voice: str) -> bool:
    """Whether `find` can answer without asking the Hub."""
    asks_the_hub = not _RUN.fullmatch(voice) and _HUB_ID.fullmatch(voice)
    return not asks_the_hub or _cached(voice) is not None


def fetched(hub_id: str) -> Path:
    """The folder of a Hub adapter, fetched unless it is here: safetensors and JSON, and the chat
    template. Raises UserError."""
    from huggingface_hub import snapshot_download

    folder = _cached(hub_id)
    if folder:
        return folder
    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(_FILES)))
    except Exception as error:  # the Hub's own errors are many, and of several libraries
        why = f"{type(error).__name__}: {first_line(error)}"
        raise _wrong(
            f"The adapter {hub_id} could not be fetched from the Hugging Face Hub ({why}). Check "
            "its name and the network; a private or gated one needs HF_TOKEN.",
            f"无法从 Hugging Face Hub 获取适配器 {hub_id}（{why}）。"
            "请检查名字和网络；私有或需授权的要设置 HF_TOKEN。",
        ) from error


def _cached(hub_id: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(hub_id, name) for name in _FILES[:2]]
    return Path(found[0]).parent if all(isinstance(one, str) for one in found) else None


def _of_run(voice: str, run: Run, checkpoint: str | None) -> Adapter:
    folder = run.path / checkpoint if checkpoint else run.require_adapter()
    if checkpoint and _is_not_saved_whole(run):
        raise _wrong(
            f"The checkpoints of {run.name} do not fit the unchanged base, because it was begun "
            f"with {run.config.init_lora_weights}; only what it ends with does. Choose {run.name}.",
            f"{run.name} 以 {run.config.init_lora_weights} 开始，检查点与原底座不相配，"
            f"只有最后的适配器可以使用。请选择 {run.name}。",
        )
    if checkpoint and folder not in checkpoints.sealed(run.path):
        raise _wrong(
            f"{run.name} does not keep {checkpoint} (any more); choose another of its steps.",
            f"{run.name} 没有（或已不再保留）{checkpoint}，请换一个步数。",
        )
    config = run.config
    return Adapter(
        voice,
        folder,
        config.model_name_or_path,
        config.system_prompt,
        _method(folder),
        config.load_in_4bit,
        config.load_in_8bit,
        run,
        checkpoints.step_of(folder) if checkpoint else 0,
    )


def _from_elsewhere(voice: str, folder: Path) -> Adapter:
    card = read_card(folder)  # that anybody may have written
    base = require_base(folder, voice)
    trained, told = card.get("config"), card.get("system_prompt")
    trained = trained if isinstance(trained, dict) else {}
    return Adapter(
        voice,
        folder,
        base,
        told if isinstance(told, str) else "",
        _method(folder),
        trained.get("load_in_4bit") is True,
        trained.get("load_in_8bit") is True,
    )


def _is_not_saved_whole(run: Run) -> bool:
    """Its checkpoints fit the base that its first weights were taken from, see
    `engine.models.adapter.save`."""
    return run.config.peft_type == "lora" and run.config.init_lora_weights in CHANGES_THE_BASE


def _method(folder: Path) -> str:
    method = method_of(folder)
    if method == "full":
        return method
    config = read_json(folder / "adapter_config.json")
    if config.get("use_dora"):
        return "DoRA"
    return "LoRA" if method == "lora" else config["peft_type"]


def _wrong(en: str, zh: str) -> UserError:
    return UserError(en, zh, field="adapter")
