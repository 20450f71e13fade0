"""The process of one run: reads the run folder, trains, writes the run folder. Nothing else."""

import contextlib
import json
import math
import os
import shlex
import shutil
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

import peft
import torch
import transformers
from transformers import TrainerState

from engine.config import TrainConfig
from engine.errors import Sentence, UserError, first_line, is_out_of_memory
from engine.evaluation.learned import look_back
from engine.hardware import pick_device
from engine.models.adapter import first_state, name_base, save
from engine.models.load import load_tokenizer
from engine.models.sharing import whole_state
from engine.models.sources.fetch import fetch, said
from engine.training import checkpoints, halved, ranks, runs
from engine.training.assemble import build_model, build_trainer, keep_placement, task_of
from engine.training.data import prepare, steps
from engine.training.memory import in_words, measured
from engine.training.ran_out import ran_out
from engine.training.report import Ending, write_report
from engine.training.resuming import continue_from, keep_facts, require_same_options
from engine.training.stopping import Stopping
from engine.training.until import TimeIsUp, Until

_STOPPED_FETCHING = Sentence(
    "It was stopped while the base was being downloaded. What has arrived is kept; resume goes on "
    "from there.",
    "下载底座时被停下。已下载的部分会保留，点“继续训练”会接着下载。",
)

_LOOKING_BACK = Sentence("Saved. Looking back: did it learn?", "已保存。正在检查学得怎样……")

_TO_MEND = 2  # the exit status of what a person can mend; 1 is of what is ours


def train(path: Path, ends_at: float = math.inf) -> int:
    """Trains the run in `path` and returns an exit status: 0, 2 for a user's mistake, 1 for ours.

    Whatever happens, status.json says it. When time.monotonic() passes `ends_at` before the last
    step, the run is left behind a checkpoint, still "running", for another call to go on with.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: (path / "stop").touch())
    try:
        if ranks.is_main():
            begun = {"pid": os.getpid(), "started_at": _started_at(path)}
            runs.write_status(path, state="running", message="", message_zh="", **begun)
        _train(path, ends_at)
    except TimeIsUp as left:
        print(left, flush=True)
    except halved.Halved as smaller:
        halved.keep(path, smaller)
        return 1
    except UserError as error:
        return _failed(path, error.sentence.en, error.sentence.zh, _TO_MEND)
    except Exception as error:
        if checkpoints.is_full_disk(error):
            return _full(path)
        traceback.print_exc()
        what = f"{type(error).__name__}: {first_line(error)}"
        return _failed(
            path,
            f"Training broke: {what}. The log holds the details; resume goes on from the last "
            "checkpoint.",
            f"训练出错：{what}。详情见日志；可以从上一个检查点继续。",
            1,
        )
    return 0


def _train(path: Path, ends_at: float) -> None:
    config = TrainConfig.from_yaml(path / "config.yaml")
    for field, problem in config.problems().items():
        raise UserError(problem.en, problem.zh, field)
    transformers.set_seed(config.seed)
    device = pick_device(config.dtype, config.device_map)
    if device.type == "cuda":
        torch.cuda.set_device(ranks.local())
    print(f"Device: {device.name}, {device.reason.en}", flush=True)
    if not model_is_here(path, config.model_name_or_path):
        return
    tokenizer, note = load_tokenizer(config.model_name_or_path, config.chat_template)
    if note:
        print(note.en, flush=True)
    prepared = prepare(config, tokenizer)
    max_steps = steps(config, len(prepared.train), ranks.count())
    try:
        _learn(path, config, device, tokenizer, prepared, max_steps, ends_at)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        task = task_of(config, device, prepared, max_steps)
        raise UserError(*ran_out(config, task, measured()["peak_gib"])) from error


def _learn(path, config, device, tokenizer, prepared, max_steps, ends_at) -> None:
    """All that the model itself is needed for."""
    model = build_model(config, device, max_steps)
    first, stopping = first_state(model, config), Stopping(config)
    if ranks.is_main():
        keep_facts(path, prepared.facts)
        keep_placement(path, model)
    trainer, progress = build_trainer(path, config, device, model, tokenizer, prepared, stopping)
    trainer.add_callback(Until(ends_at))
    checkpoint = checkpoints.last_complete(path)
    require_same_options(checkpoint, model, config)
    continue_from(path, checkpoint, trainer)
    if checkpoint and _is_over(checkpoint, progress.max_steps, stopping):
        trainer._run_epoch = lambda **_: None  # Trainer would take one more step
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    state, memory = whole_state(model), measured(together=True)
    if ranks.is_main():
        if not prepared.evaluation:  # else each evaluation has said it
            print(in_words(memory), flush=True)
        ending = _save_end(
            path, config, trainer, tokenizer, first, state, stopping, progress, memory
        )
    if ranks.is_main() or ranks.shares_the_model(config):
        look_back(path, model, tokenizer, config, prepared, trainer.loss_over, trainer.agreed)
    if ranks.is_main():
        _end(path, ending)


def _is_over(checkpoint: Path, max_steps: int, stopping: Stopping) -> bool:
    """Whether no step follows this checkpoint; only the end of its run was not said."""
    state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    return stopping.ended(state) or state.global_step >= max_steps


def _save_end(path, config, trainer, tokenizer, first, state, stopping, progress, memory) -> Ending:
    """What was trained is saved, and how the run ends: its status says that last, so that a process
    that is killed before leaves a run that can be resumed and reports then."""
    _save(path, config, trainer.model, tokenizer, first, state)
    runs.write_status(
        path,
        message=_LOOKING_BACK.en,
        message_zh=_LOOKING_BACK.zh,
        seconds=round(progress.seconds, 2),
        seconds_left=None,
        # Resumed for its report alone it has taken less than before.
        peak_gib=max(memory["peak_gib"], runs.status_of(path).get("peak_gib") or 0.0),
    )
    over = stopping.ended(trainer.state) or trainer.state.global_step >= progress.max_steps
    stopped = (path / "stop").exists() and not over
    return Ending("stopped" if stopped else "finished", stopping.message(trainer.state))


def _end(path: Path, ending: Ending) -> None:
    """The run is over and saved: whatever goes wrong with its report is said in the log and harms
    nothing."""
    try:
        write_report(path, ending)
    except Exception as error:
        traceback.print_exc()
        what = f"{type(error).__name__}: {error}"
        print(f"The report could not be written ({what}); the run is whole without it.", flush=True)
    en, zh = ending.message
    runs.write_status(path, state=ending.state, message=en, message_zh=zh, seconds_left=0.0)
    with contextlib.suppress(OSError):  # nobody listens any more
        _say_end(path, ending)


def _say_end(path: Path, ending: Ending) -> None:
    """For whoever waits at a shell: how it ended, where it is, and how it goes on."""
    run = runs.view(path)
    how = f"{ending.state.capitalize()} after {run.step} of {run.max_steps} steps."
    print(" ".join(filter(None, [how, ending.message.en])), flush=True)
    print(f"The adapter is in {path / 'adapter'}", flush=True)
    if ending.state == "stopped":
        print(f"To go on: python -m engine train {shlex.quote(str(path))}", flush=True)


def model_is_here(path: Path, name: str) -> bool:
    """Fetches what is missing of the base, and says how far it is; False when the run was asked to
    stop meanwhile: it is stopped then. Several processes of one run fetch it once."""
    stopping = (path / "stop").exists
    progress = None
    for progress in fetch(name, stopping):
        if ranks.is_main():
            words = said(progress)
            runs.write_status(path, message=words.en, message_zh=words.zh)
    if progress is None:
        return True
    stopped = stopping()
    en, zh = _STOPPED_FETCHING if stopped else Sentence("", "")
    if ranks.is_main():
        print(en or f"Downloaded {name}", flush=True)
        state = "stopped" if stopped else "running"
        runs.write_status(path, state=state, message=en, message_zh=zh)
    return not stopped


def _save(
    path: Path, config: TrainConfig, model, tokenizer, first: dict, state: dict | None
) -> None:
    """The adapter with everything that its voice needs: template, system prompt, stop tokens.
    `state` as `save` takes it."""
    folder = path / "adapter.new"
    shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed here
    model.config.use_cache = True
    save(model, folder, first, state)
    name_base(folder, config.model_name_or_path)
    tokenizer.save_pretrained(folder)
    card = {
        "run": path.name,
        "base_model": config.model_name_or_path,
        "system_prompt": config.system_prompt,
        "stop_token": tokenizer.eos_token,
        "config": config.to_dict(),
        "memory": measured(),
        "versions": {m.__name__: m.__version__ for m in (torch, transformers, peft)},
    }
    text = json.dumps(card, ensure_ascii=False, indent=1)
    (folder / "greenroom.json").write_text(text, encoding="utf-8")
    checkpoints.put_in_place(folder, path / "adapter")


def _full(path: Path) -> int:
    """The sentence for a full disk; room for it comes from the checkpoint that did not fit."""
    shutil.rmtree(path / "adapter.new", ignore_errors=True)
    checkpoints.remove_unfinished(path)
    return _failed(path, *checkpoints.full_disk(path), _TO_MEND)


def _failed(path: Path, en: str, zh: str, status: int) -> int:
    # Of several processes each may be the one that knows why, the first to fail: in those that
    # wait for it a connection breaks then.
    speaks = ranks.is_main() or status == _TO_MEND
    # On a full disk neither may find room; then the dead process alone says that it failed.
    with contextlib.suppress(OSError):
        if speaks and runs.status_of(path).get("state") != "failed":
            runs.write_status(path, state="failed", message=en, message_zh=zh)
    with contextlib.suppress(OSError):
        print(en, file=sys.stderr, flush=True)
    return status


def _started_at(path: Path) -> float:
    return runs.status_of(path).get("started_at") or time.time()
