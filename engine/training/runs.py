"""Runs as the page sees them: folders, read anew each time. No torch, no memory of its own.

A folder with a damaged file is a run all the same: it has failed, and its message names the file.
"""

import contextlib
import json
import os
import random
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import visitors
from engine.config import TrainConfig
from engine.errors import Sentence, UserError
from engine.places import runs_dir
from engine.training import checkpoints, line, living, run_files
from engine.training.live_files import read_json, tail
from engine.training.markdown import plain
from engine.training.run_files import ACTIVE

_ID = re.compile(r"[a-z]+-[a-z]+-[0-9a-f]{4}")
_MOODS = (
    "calm bright quiet brave gentle merry swift patient clever sunny mellow steady bold tidy warm "
    "silver amber mossy misty nimble humble jolly keen lively"
).split()
_ANIMALS = (
    "otter heron badger finch marten wren hare lynx robin beaver falcon newt plover stoat swan "
    "thrush vole curlew dormouse egret fox ibex kestrel magpie"
).split()
_PATIENCE_SECONDS = 60  # how long a queued run may have no process yet


@dataclass(frozen=True, slots=True)
class Run:
    """One run folder, with its status as derived from its files and whether its process lives."""

    id: str
    name: str
    path: Path
    config: TrainConfig
    state: str
    alive: bool
    message: Sentence
    step: int
    max_steps: int
    created_at: float  # epoch seconds
    started_at: float
    updated_at: float
    duration_seconds: float
    seconds_left: float | None
    tokens_per_second: float | None
    peak_gib: float | None
    last_loss: float | None
    last_eval_loss: float | None
    place: int  # in the line of those that wait, from 1; 0 when it does not wait
    gpu_ids: list[int]  # of engine.devices, while it trains or after; [] when not known
    predicted_gib: float | None  # on each of its devices, as foretold at its start
    settled: bool  # it has logged a step since its turn came: its memory is taken
    has_options: bool  # config.yaml can be read whole

    @property
    def has_adapter(self) -> bool:
        """Also when it is a whole model, as after full fine-tuning."""
        return any((self.path / "adapter").glob("*.safetensors"))

    def require_adapter(self) -> Path:
        """The adapter's folder. Raises UserError (field "adapter") while there is none."""
        if not self.has_adapter:
            raise UserError(
                f"{self.name} has no adapter yet; let it train to its end, or stop and keep it.",
                f"{self.name} 还没有适配器；请等训练结束，或选择停止并保留。",
                field="adapter",
            )
        return self.path / "adapter"

    @property
    def can_resume(self) -> bool:
        return not self.alive and self.state in ("stopped", "failed") and self.has_options

    def metrics(self) -> list[dict[str, Any]]:
        return run_files.metrics(self.path)

    def samples(self) -> list[dict[str, Any]]:
        return run_files.samples(self.path)

    def dataset_facts(self) -> dict[str, Any]:
        return run_files.dataset_facts(self.path)

    def placement(self) -> dict[str, str]:
        """Which part of the model lies on which device; "" is the whole model."""
        return read_json(self.path / "placement.json")

    def log_tail(self, lines: int = 30) -> str:
        return tail(self.path / "train.log", lines)


def get(run_id: str) -> Run:
    """Raises UserError for an id that is badly formed, unknown, or another visitor's."""
    path = runs_dir() / run_id if _ID.fullmatch(run_id or "") else None
    if path is None or not (_is_made(path) and _is_shown(path)):
        raise UserError(
            f"There is no run {run_id!r}; choose one on the Runs tab.",
            f"没有名为 {run_id!r} 的训练；请在“训练记录”页选择。",
            field="run",
        )
    return view(path)


def list_runs() -> list[Run]:
    """Those of who asks, newest first."""
    return [run for run in all_runs() if _is_shown(run.path)]


def all_runs() -> list[Run]:
    """Those of all visitors, newest first; of one moment, as copies are, in one order always."""
    if not runs_dir().is_dir():
        return []
    folders = [p for p in runs_dir().iterdir() if _ID.fullmatch(p.name)]
    views = []
    for path in folders:
        with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
            if _is_made(path):
                views.append(view(path))
    return sorted(views, key=lambda run: (run.created_at, run.id), reverse=True)


def _is_made(path: Path) -> bool:
    """A run that is being made has no config.yaml yet; one that has begun may have lost it."""
    has_options = os.path.isfile(path / "config.yaml")  # no error for a folder that is closed to us
    return has_options or status_of(path).get("state", "queued") != "queued"


def _is_shown(path: Path) -> bool:
    return visitors.may_see(status_of(path).get("owner"))


def create(config: TrainConfig, predicted_gib: float | None = None) -> Path:
    """A new folder, queued. Its name is readable, its id is not taken."""
    for _ in range(1000):
        name = f"{random.choice(_MOODS)}-{random.choice(_ANIMALS)}"
        path = runs_dir() / f"{name}-{random.randrange(16**4):04x}"
        if not path.exists():
            break
    path.mkdir(parents=True)
    (path / "name").write_text(name, encoding="utf-8")
    owner = {"owner": visitors.asking()} if visitors.asking() else {}
    about = {"created_at": time.time(), "predicted_gib": predicted_gib}
    write_status(path, state="queued", **about, **owner)
    (path / "config.yaml").write_text(config.to_yaml(), encoding="utf-8")
    return path


def report(run_id: str, language: str = "en") -> str:
    """The report as written at the end of a run, under the name that the run has now; "" before
    that. Old runs have an English one."""
    run = get(run_id)
    names = ("report.zh.md", "report.md") if language.startswith("zh") else ("report.md",)
    found = [run.path / name for name in names if (run.path / name).is_file()]
    text = found[0].read_text(encoding="utf-8", errors="replace") if found else ""
    heading, *body = text.split("\n")
    return "\n".join([f"# {plain(run.name)}", *body]) if heading.startswith("# ") else text


def write_status(path: Path, **changes: Any) -> None:
    """Replaces status.json atomically; what is not named keeps its value."""
    status = status_of(path) | changes | {"updated_at": time.time()}
    fresh = path / "status.json.new"
    fresh.write_text(json.dumps(status, ensure_ascii=False), encoding="utf-8")
    os.replace(fresh, path / "status.json")


def status_of(path: Path) -> dict[str, Any]:
    """What can be read of status.json; {} when it is not there."""
    return run_files.status(path)[0]


def waiting(home: Path) -> list[str]:
    """Ids of the runs that wait for a device, next one first."""
    return [one for one in line.read(home) if _waits(status_of(home / one), one)]


def _waits(status: dict[str, Any], run_id: str) -> bool:
    """A run just made or resumed has no process yet; it gets a little time for it."""
    if status.get("state") != "queued":
        return False
    if status.get("pid"):
        return living.is_alive(status, run_id)
    return time.time() - status.get("updated_at", 0.0) < _PATIENCE_SECONDS


def view(path: Path) -> Run:
    """A run by its folder. Raises FileNotFoundError when there is none."""
    status, status_damage = run_files.status(path)
    config, config_damage = run_files.config(path)
    waits = _waits(status, path.name)
    alive = waits or living.is_alive(status, path.name)
    state = status.get("state", "running" if alive else "failed")
    message = Sentence(status.get("message", ""), status.get("message_zh", ""))
    if damage := config_damage or status_damage:  # who cannot be resumed is not told to
        state, message = state if alive else "failed", damage
    elif state in ACTIVE:
        if not alive:
            state, message = "failed", _why_it_died(path, state)
        elif (path / "stop").exists():
            state = "stopping"
    line_now = waiting(path.parent) if state == "queued" else []
    return Run(
        id=path.name,
        name=run_files.name(path),
        path=path,
        config=config,
        state=state,
        alive=alive,
        message=message,
        created_at=status.get("created_at", path.stat().st_mtime),
        started_at=status.get("started_at", status.get("created_at", 0.0)),
        updated_at=status.get("updated_at", 0.0),
        step=status.get("step", 0),
        max_steps=status.get("max_steps", 0),
        duration_seconds=status.get("seconds", 0.0),
        seconds_left=status.get("seconds_left") if alive else None,
        tokens_per_second=status.get("tokens_per_second"),
        peak_gib=status.get("peak_gib"),
        last_loss=status.get("loss"),
        last_eval_loss=status.get("eval_loss"),
        place=1 + line_now.index(path.name) if path.name in line_now else 0,
        gpu_ids=status.get("gpu_ids", []),
        predicted_gib=status.get("predicted_gib"),
        settled=status.get("loss_at", 0.0) > status.get("turn_at", 0.0),
        has_options=not config_damage,
    )


_LEFT_WAITING = Sentence(
    "Its process ended while it waited for a device; the machine may have been restarted. Resume "
    "puts it at the end of the line.",
    "它在排队等待设备时，进程结束了，可能是机器重启过。点“继续训练”会重新排到队尾。",
)


def _why_it_died(path: Path, state: str) -> Sentence:
    if checkpoints.left_by_full_disk(path):
        return checkpoints.full_disk(path)
    if state == "queued":
        return _LEFT_WAITING
    last = tail(path / "train.log", 3) or "(the log is empty)"
    return Sentence(
        f"Its process ended without a word; memory may have run out. Resume it from its last "
        f"checkpoint. The log ends: {last}",
        f"训练进程突然结束，可能是内存不足。可以从上一个检查点继续。日志末尾：{last}",
    )
