"""`evaluate`: base and adapters on the questions of a dataset, or on a character's exam."""

import argparse
import sys
from pathlib import Path
from typing import Any

from engine.chat.sampling import RANGES
from engine.commands import speaking
from engine.commands.inspect import add_reading
from engine.commands.models import download
from engine.commands.reporting import show
from engine.errors import UserError


def add(parser: argparse.ArgumentParser) -> None:
    speaking.add(parser)
    parser.add_argument("--dataset", help="a file or the name of a sample, with its answers")
    parser.add_argument("--limit", type=int, help="how many rows, drawn by the seed; else 20")
    parser.add_argument(
        "--unseen", action="store_true", help="without rows that an adapter was trained on"
    )
    parser.add_argument("--instruction", default="", help="put before each question")
    parser.add_argument("--out", help="also write all rows: a file ending in .csv, .jsonl or .md")
    add_reading(parser)


def run(options: argparse.Namespace) -> int:
    if options.dataset:
        from engine.evaluation import exports

        out = Path(options.out) if options.out else None
        if out:
            exports.check(out)
        report = _evaluated(options)
        if options.json:
            show(options, report)
        else:
            _print(report)
        if out:
            exports.write(report, out)
        return 0
    if not (options.character and len(options.adapter) == 1):
        raise UserError(
            "Say what to evaluate on: --dataset with a file of questions and answers, or "
            "--character with one --adapter.",
            "请说明用什么评测：--dataset 加一个问答数据文件，或 --character 加一个 --adapter。",
        )
    _refuse_what_an_exam_has(options)
    from engine.evaluation.character import examine

    (folder,) = speaking.folders(options)
    base = speaking.base(options)
    download(base)
    report = examine(base, str(folder), options.character, speaking.quantization(options))
    if options.json:
        show(options, report)
    else:
        _print_exam(report)
    return 0


def _refuse_what_an_exam_has(options: argparse.Namespace) -> None:
    """Its questions, prompt and sampling are the card's, so that two exams can be compared."""
    names = ["limit", "unseen", "instruction", "out", "mapping", "speaker", "system_prompt"]
    empty = {"unseen": False, **dict.fromkeys(("instruction", "mapping", "speaker"), "")}
    asked = [one for one in [*names, *RANGES] if getattr(options, one) != empty.get(one)]
    if asked:
        flags = ", ".join("--" + name.replace("_", "-") for name in asked)
        raise UserError(
            "An exam of a character has its own questions, prompt and sampling: leave out "
            f"{flags}, or add --dataset to ask its questions instead.",
            f"角色考试有自己的问题、提示词和采样设置：请去掉 {flags}，"
            "或用 --dataset 改用数据集里的问题。",
        )


def _evaluated(options: argparse.Namespace) -> dict[str, Any]:
    from engine.evaluation import asked
    from engine.evaluation.batch import evaluate
    from engine.evaluation.copied import taught_by
    from engine.library import resolve

    card = speaking.character(options)
    settings = speaking.sampling(options, card)
    taught = taught_by(speaking.folders(options))
    questions = asked.from_dataset(
        resolve(options.dataset),
        20 if options.limit is None else options.limit,
        settings["seed"],
        options.mapping,
        options.speaker,
        taught if options.unseen else (),
    )
    voices = speaking.load(options)
    questions = asked.instructed(questions, options.instruction)
    systems = speaking.system_prompts(options, card, voices)
    for event in evaluate(voices, questions, taught, systems=systems, **settings):
        _tell(event)
    return event["report"]


def _tell(event: dict[str, Any]) -> None:
    """How far it is, to a person who watches."""
    if sys.stderr.isatty() and "phase" in event:
        words = f"{event['phase']} {event['done']}/{event['total']}"
        print(f"\r{words:<40}", end="", file=sys.stderr, flush=True)
    elif sys.stderr.isatty():
        print("\r" + " " * 40 + "\r", end="", file=sys.stderr, flush=True)


def _print(report: dict[str, Any]) -> None:
    from engine.evaluation.exports import summary_table

    print(summary_table(report))
    if report["in_training"]:
        print(f"Reference answers that stand in the training rows: {report['in_training']}.")
    if report["too_long"]:
        print(f"Questions left out, longer than the model can read: {report['too_long']}.")


def _print_exam(report: dict[str, Any]) -> None:
    """Every question with its answers, then the shares."""
    for asked in report["answers"]:
        question, *answers = asked.items()
        print(question[1])
        for voice, answer in answers:
            print(f"  {voice}: {answer}")
    base, adapter = (f"{report[f'{one}_in_character']:.0%}" for one in ("base", "adapter"))
    print(f"In character, of {report['questions']} questions: base {base}, adapter {adapter}.")
