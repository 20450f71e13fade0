"""What a person changes of a run that is there: its name, and whether it stays."""

import contextlib
import shutil
import time
from collections.abc import Iterator

from engine.errors import UserError
from engine.training import checkpoints, run_files
from engine.training.run_files import ACTIVE
from engine.training.runs import Run, get

_SECONDS_TO_END = 10  # how long a process may outlive its last word


def rename(run_id: str, name: str) -> None:
    """Gives a run another readable name; its id stays. Raises UserError for an empty one."""
    clean = run_files.short_name(name)
    if not clean:
        raise UserError(
            "The name is empty; write at least one letter.", "名字是空的，请至少写一个字。", "name"
        )
    run = get(run_id)
    with _changing(run):
        checkpoints.write_whole(run.path / "name", clean)


def delete(run_id: str) -> None:
    """With what it holds, also where its folder is a link to another disk. Raises UserError while
    the run is alive, and when something of it stays."""
    run = ended(run_id)
    if run.alive:
        raise UserError(
            f"{run.name} is still training; stop it first.", f"{run.name} 还在训练，请先停止。"
        )
    with _changing(run):
        shutil.rmtree(run.path.resolve())
        if run.path.is_symlink():
            run.path.unlink()


@contextlib.contextmanager
def _changing(run: Run) -> Iterator[None]:
    """Raises UserError for what the system refuses."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{run.name} cannot be changed, or deleted whole ({error.strerror}); see whose "
            f"{run.path} is, and whether the disk is full.",
            f"无法更改 {run.name}，或没能全部删除（{error.strerror}）；"
            f"请检查 {run.path} 属于谁、磁盘是否已满。",
        ) from error


def ended(run_id: str) -> Run:
    """The run; where it is over by its own word, its process is given a moment to end. Raises
    UserError as `get`."""
    deadline = time.monotonic() + _SECONDS_TO_END
    run = get(run_id)
    while run.alive and run.state not in ACTIVE and time.monotonic() < deadline:
        time.sleep(0.1)
        run = get(run_id)
    return run
