"""`train`: a new run, or a run folder that goes on."""

import argparse
import contextlib
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

from engine import devices
from engine.commands.asked import add_options, config_of, given
from engine.commands.reporting import show
from engine.config import TrainConfig
from engine.errors import UserError
from engine.imports import importing
from engine.launch import cannot_write


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", nargs="?", metavar="CONFIG.yaml|RUN_DIR")
    add_options(parser)


def run(options: argparse.Namespace) -> int:
    """A folder is a run that exists; a file, or nothing, makes a new run here, in a process that
    carries the run's id in its command: by that the page knows that it lives."""
    from engine.training import runs

    out = sys.stderr if options.json else sys.stdout
    target = Path(options.target) if options.target else None
    if target and os.path.isfile(target / "config.yaml"):  # no error for a name that is too long
        # A link stays itself: the line is that of the runs among which it stands.
        path = Path(os.path.abspath(target))
        path = path.parent.resolve() / path.name
        _refuse_options(target, options)
        with contextlib.redirect_stdout(out):
            status = 0 if _is_finished(path) else _train_folder(path)
    else:
        config = config_of(options)
        from engine.training.estimate import estimate

        foretold = estimate(config.to_dict())
        for reason in foretold["reasons"]:
            raise UserError(reason["en"], reason["zh"], reason["field"])
        try:
            path = runs.create(config, foretold["peak_gib"])
        except OSError as error:
            raise cannot_write(error) from error
        print(f"Run {path.name}, in {path}", file=out, flush=True)
        command = [sys.executable, "-m", "engine", "train", str(path)]
        status = _in_its_own_process(command, out.fileno())
    if options.json:
        state = runs.view(path).state if path.is_dir() else None  # it may be deleted meanwhile
        show(options, {"run": path.name, "state": state, "path": str(path)})
    return status


def _in_its_own_process(command: list[str], out: int) -> int:
    """Ctrl+C reaches both and is the run's to answer; a SIGTERM reaches this one alone and is
    handed on, or the run would go on with nobody knowing."""
    started: list[subprocess.Popen] = []
    signals = {
        signal.SIGINT: signal.SIG_IGN,
        signal.SIGTERM: lambda *_: [one.terminate() for one in started],
    }
    before = {number: signal.signal(number, handler) for number, handler in signals.items()}
    try:
        started.append(subprocess.Popen(command, stdout=out))
        return started[0].wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _refuse_options(target: Path, options: argparse.Namespace) -> None:
    """What a run was trained with stands in its folder, and stays true. Raises UserError."""
    words = [f"--{name} {shlex.quote(value)}" for name, value in given(options).items()]
    flags = " ".join([*words, *(["--today"] if options.today else [])])
    if flags:
        file = shlex.quote(str(target / "config.yaml"))
        raise UserError(
            f"The options of a run are fixed when it is made, so {target.name} cannot take "
            f"{flags}; leave that out, or make a new run with its options and these: "
            f"python -m engine train {file} {flags}",
            f"训练的选项在创建时就固定了，{target.name} 不能再用 {flags}；请去掉，"
            f"或用它的选项加上这些另建一次训练：python -m engine train {file} {flags}",
        )


def _is_finished(path: Path) -> bool:
    """Whether there is nothing left to do, which is said then."""
    from engine.training import runs

    run = runs.view(path)
    if run.state != "finished" or not run.has_adapter:
        return False
    print(
        f"{run.name} is finished ({run.step} of {run.max_steps} steps) and its adapter is in "
        f"{path / 'adapter'}. For a new run with its options, give {path / 'config.yaml'}.",
        flush=True,
    )
    return True


def _train_folder(path: Path) -> int:
    """Waits for its turn; then trains here, or in several processes when it has several devices."""
    from engine.training import command, halved, turns

    if os.environ.get("RANK") == "0":
        turns.begin_at_once(path)
    elif not command.is_rank():
        gpus = turns.wait(path)
        if gpus is None:
            return 0
        os.environ.update(command.environment(gpus))
        config = TrainConfig.from_yaml(path / "config.yaml")
        if devices.processes(len(gpus), config.device_map) > 1:
            line = command.launch_line(path, config, gpus)
            return halved.launched(path, lambda: subprocess.call(line, cwd=command.ROOT))
    with importing():
        from engine.training.train import train

    return train(path)
