"""`train`: a new run, or a run folder that goes on."""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from engine import devices
from engine.commands.asked import add_options, config_of
from engine.commands.reporting import show
from engine.config import TrainConfig
from engine.errors import UserError
from engine.imports import importing


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", nargs="?", metavar="CONFIG.yaml|RUN_DIR")
    add_options(parser)


def run(options: argparse.Namespace) -> int:
    """A folder is a run that exists; a file, or nothing, makes a new run here, in a process that
    carries the run's id in its command: by that the page knows that it lives."""
    from engine.training import runs

    out = sys.stderr if options.json else sys.stdout
    target = Path(options.target) if options.target else None
    if target and (target / "config.yaml").is_file():
        path = target.resolve()
        with contextlib.redirect_stdout(out):
            status = _train_folder(path)
    else:
        from engine.training.estimate import estimate

        config = config_of(options)
        foretold = estimate(config.to_dict())
        for reason in foretold["reasons"]:
            raise UserError(reason["en"], reason["zh"], reason["field"])
        path = runs.create(config, foretold["peak_gib"])
        command = [sys.executable, "-m", "engine", "train", str(path)]
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the run's to answer
        status = subprocess.call(command, stdout=out.fileno())
        signal.signal(signal.SIGINT, before)
    if options.json:
        run = runs.get(path.name) if path.parent == runs.runs_dir() else None
        show(options, {"run": path.name, "state": run and run.state, "path": str(path)})
    return status


def _train_folder(path: Path) -> int:
    """Waits for its turn; then trains here, or in several processes when it has several devices."""
    from engine.training import command, turns

    if os.environ.get("RANK") == "0":
        turns.begin_at_once(path)
    elif not command.is_rank():
        gpus = turns.wait(path)
        if gpus is None:
            return 0
        os.environ.update(command.environment(gpus))
        config = TrainConfig.from_yaml(path / "config.yaml")
        if devices.processes(len(gpus), config.device_map) > 1:
            return subprocess.call(command.launch_line(path, config, gpus), cwd=command.ROOT)
    with importing():
        from engine.training.train import train

    return train(path)
