"""A run on ZeroGPU: trained in slots, each a call that is lent a GPU and goes on from a checkpoint.

There no process can be left behind with a GPU; so a thread of the page waits for the run's turn and
asks for one slot after another. All that the run is stays in its folder: a page that dies leaves a
run that can be resumed.
"""

import contextlib
import contextvars
import math
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from engine.config import TrainConfig
from engine.errors import UserError
from engine.hardware import not_lent, with_a_lent_gpu
from engine.training import line, living, runs, turns

# Seconds. A visitor without an account has 120 a day, and a second of today's card counts one and a
# half times; so a slot must leave room for a second one's answer.
LONGEST = 60
_BEGINNING = 15  # reading rows and base
_ENDING = 15  # the last step, its checkpoint; or the adapter, and what it learned
_MARGIN = 1.3
LARGEST_BASE = 1_500_000_000  # parameters: read from the disk at the beginning of each slot


def check(foretold: dict[str, Any]) -> None:
    """Raises UserError (field "model_name_or_path") for a base that would fill its slots with being
    read. `foretold` as engine.training.estimate says it."""
    count = foretold["total_parameters"]
    if count > LARGEST_BASE:
        raise UserError(
            f"This base has {count / 1e9:.1f} billion parameters; on a ZeroGPU Space the GPU comes "
            f"for {LONGEST} seconds at a time, so take one of at most {LARGEST_BASE / 1e9:g} "
            "billion, or duplicate this Space onto a GPU of its own.",
            f"这个底座有 {count / 1e9:.1f}B 参数；ZeroGPU Space 每次只借用显卡 {LONGEST} 秒，"
            f"请选不超过 {LARGEST_BASE / 1e9:g}B 的底座，或把 Space 复制到自己的显卡上。",
            field="model_name_or_path",
        )


def begin(path: Path, seconds: float | None) -> None:
    """With the line's lock held. `seconds` of training as foretold, None when that is not known.
    The thread asks in the name of whoever asks now: that is whose quota counts."""
    runs.write_status(path, page=living.this_process())
    asker = contextvars.copy_context()
    threading.Thread(target=asker.run, args=(_drive, path, seconds), daemon=True).start()


def length(seconds_left: float | None) -> int:
    """Seconds to ask for when so much training is left."""
    if seconds_left is None:
        return LONGEST
    return min(LONGEST, math.ceil(_BEGINNING + seconds_left * _MARGIN + _ENDING))


@with_a_lent_gpu(lambda path, seconds: seconds)
def _slot(path: str, seconds: int) -> None:
    """In the worker, which may have had other slots before."""
    ends_at = time.monotonic() + seconds - _ENDING
    from engine.training.train import train

    with (
        (Path(path) / "train.log").open("a", encoding="utf-8", buffering=1) as log,
        contextlib.redirect_stdout(log),
        contextlib.redirect_stderr(log),
    ):
        train(Path(path), ends_at)


def _drive(path: Path, seconds: float | None) -> None:
    """The thread of one run, from the line to its end."""
    try:
        with _telling(path):
            if turns.wait(path) is not None:
                _slots(path, seconds)
    finally:
        with line.lock(path.parent):
            line.leave(path.parent, path.name)
            if path.is_dir():
                runs.write_status(path, page=None)


def _slots(path: Path, seconds_left: float | None) -> None:
    # Here: the worker is forked from this process and has what it has imported.
    from engine.training.train import model_is_here

    if not model_is_here(path, TrainConfig.from_yaml(path / "config.yaml").model_name_or_path):
        return
    while (before := runs.status_of(path))["state"] == "running":
        try:
            _slot(str(path), length(seconds_left))
        except Exception as error:
            traceback.print_exc()
            if runs.status_of(path).get("state") == "running":
                raise not_lent(error) from error
            return  # it had ended
        after = runs.status_of(path)
        if after["state"] == "running" and after.get("step", 0) == before.get("step", 0):
            raise UserError(
                f"A slot of {LONGEST} seconds did not suffice for one step; take a smaller batch, "
                "shorter rows or a smaller base.",
                f"{LONGEST} 秒的时段内没能完成一步；请减小批大小、缩短每条，或换小一点的底座。",
            )
        seconds_left = after.get("seconds_left")


@contextlib.contextmanager
def _telling(path: Path):
    """What goes wrong in the thread is the run's to say: nobody else hears it."""
    try:
        yield
    except UserError as error:
        en, zh = error.sentence
    except Exception as error:
        traceback.print_exc()
        what = f"{type(error).__name__}: {error}"
        en = f"Training broke: {what}. Resume goes on from the last checkpoint."
        zh = f"训练出错：{what}。可以从上一个检查点继续。"
    else:
        return
    runs.write_status(path, state="failed", message=en, message_zh=zh)
