"""The command line: python -m engine inspect | convert | estimate | train | chat | evaluate."""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from engine import devices
from engine.config import TrainConfig, default_config
from engine.errors import UserError
from engine.hardware import child_environment
from engine.options.declare import add_flags, field_names
from engine.places import SPROUT


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0, 2 for a user's mistake (one sentence on stderr), 1 for ours."""
    os.environ.update(child_environment())  # before torch is imported: OpenMP reads it once
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2


def _inspect(options: argparse.Namespace) -> int:
    from engine.dataset.inspect import inspect, one_row
    from engine.models.load import load_tokenizer

    names = ("mapping", "speaker", "max_length", "loss_on", "system_prompt")
    asked = {name: getattr(options, name) for name in names}
    with tempfile.TemporaryDirectory(prefix="greenroom-") as folder:
        path = _file_or_fetched(options.file, options.split, Path(folder))
        tokenizer, _ = load_tokenizer(options.model)
        report = inspect(path, tokenizer, **asked)
        if options.row is not None:
            report |= one_row(path, tokenizer, options.row, **asked)
    _show(options, report)
    return 0


def _file_or_fetched(named: str, split: str, folder: Path) -> Path:
    """The file that is meant; a dataset of the Hub is fetched into `folder`, with the token that
    HF_TOKEN or a login holds. A path into a folder that is there means a file."""
    from engine.dataset.reading.hub import download, is_hub_id
    from engine.library import resolve

    if is_hub_id(named) and not Path(named).parent.is_dir():
        return download(named, split, "", folder)
    return resolve(named)


def _convert(options: argparse.Namespace) -> int:
    from engine.dataset import opened
    from engine.dataset.making.convert import LOSSES, convert
    from engine.library import resolve

    path = resolve(options.file)
    found = opened.conversations(path, options.mapping, options.speaker)
    done = convert(found, options.to, Path(options.out), opened.table(path))
    lost = [LOSSES[kind].en.format(rows=rows) for kind, rows in done.lost.items() if rows]
    _show(options, {"rows": done.rows, "out": options.out, "lost": lost})
    return 0


def _estimate(options: argparse.Namespace) -> int:
    from engine.training.estimate import estimate

    values = _config(options).to_dict()
    report = estimate(values, device_gib=options.device_gib)
    if options.measure:
        from engine.training.probe import can_measure, probe

        if can_measure(report):
            with contextlib.redirect_stdout(sys.stderr):
                *_, last = probe(values)
            report["measured"] = last["measured"]
    _show(options, report)
    if report["reasons"]:
        print(report["reasons"][0]["en"], file=sys.stderr)
    return 2 if report["reasons"] else 0


def _train(options: argparse.Namespace) -> int:
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

        config = _config(options)
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
        _show(options, {"run": path.name, "state": run and run.state, "path": str(path)})
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
    from engine.training.train import train

    return train(path)


def _chat(options: argparse.Namespace) -> int:
    from engine import characters
    from engine.chat.sampling import checked
    from engine.chat.voices import Voices
    from engine.models.adapter import read_card

    system = characters.get(options.character).system_prompt if options.character else ""
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": options.prompt})
    names = ("temperature", "seed", "max_new_tokens")
    sampling = checked({name: getattr(options, name) for name in names})
    for adapter in options.adapter:  # before the base is loaded in vain
        read_card(Path(adapter))
    voices = Voices.load(options.model, options.adapter)
    *_, answers = voices.answer({voice: messages for voice in voices.names}, **sampling)
    _show(options, {"answers": [{"voice": voice} | one for voice, one in answers.items()]})
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from engine.evaluation.character import examine

    _show(options, examine(options.model, options.adapter, options.character))
    return 0


def _config(options: argparse.Namespace) -> TrainConfig:
    """The file's options, or the defaults of sprout, with the flags laid over."""
    path = getattr(options, "target", None)
    config = TrainConfig.from_yaml(Path(path)) if path else default_config()
    flags = {name: getattr(options, name) for name in field_names(TrainConfig)}
    given = {name: value for name, value in flags.items() if value is not None}
    return TrainConfig.from_dict(config.to_dict() | given)


def _show(options: argparse.Namespace, report: dict[str, Any]) -> None:
    if options.json:
        print(json.dumps(report, ensure_ascii=False))
        return
    for name, value in report.items():
        print(f"{name}: {json.dumps(value, ensure_ascii=False)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m engine", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, help: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=help)
        one.add_argument("--json", action="store_true", help="print one JSON document")
        one.set_defaults(run=run)
        return one

    inspect = command("inspect", _inspect, "what a dataset is and what a model learns from it")
    inspect.add_argument(
        "file", metavar="FILE|HUB_ID", help="a file, the name of a sample, or owner/name on the Hub"
    )
    inspect.add_argument("--split", default="", help="of a dataset of the Hub; train otherwise")
    inspect.add_argument("--model", default=SPROUT)
    inspect.add_argument("--row", type=int, help="show this row in full, counted from 0")
    inspect.add_argument("--max-length", type=int, default=1024)
    inspect.add_argument("--loss-on", default="answers")
    inspect.add_argument("--system-prompt", default="")
    convert = command("convert", _convert, "write a dataset in another format")
    convert.add_argument("file")
    convert.add_argument("--to", required=True)
    convert.add_argument("--out", required=True)
    for one in (inspect, convert):
        one.add_argument("--mapping", default="", help="question=user, answer=assistant")
        one.add_argument("--speaker", default="", help="in a script, whose lines are the answers")
    estimate = command("estimate", _estimate, "steps, memory and time before the start")
    estimate.add_argument("target", nargs="?", metavar="CONFIG.yaml")
    estimate.add_argument("--measure", action="store_true", help="take one real step and measure")
    estimate.add_argument(
        "--device-gib", type=float, default=0.0, help="also plan for a card of this size"
    )
    add_flags(estimate, TrainConfig)
    train = command("train", _train, "train a new run, or go on with a run folder")
    train.add_argument("target", nargs="?", metavar="CONFIG.yaml|RUN_DIR")
    add_flags(train, TrainConfig)
    chat = command("chat", _chat, "ask base and adapters the same")
    chat.add_argument("--model", default=SPROUT)
    chat.add_argument("--adapter", action="append", default=[], help="a folder; may repeat")
    chat.add_argument("--prompt", required=True)
    chat.add_argument("--character", help="the id of a character card")
    chat.add_argument("--temperature", type=float, default=0.0)
    chat.add_argument("--seed", type=int, default=0)
    chat.add_argument("--max-new-tokens", type=int, default=256)
    evaluate = command("evaluate", _evaluate, "how often base and adapter answer in character")
    evaluate.add_argument("--model", default=SPROUT)
    evaluate.add_argument("--adapter", required=True)
    evaluate.add_argument("--character", required=True)
    return parser


if __name__ == "__main__":
    sys.exit(main())
