"""`inspect`: what a dataset is and what a model learns from it."""

import argparse
import tempfile
from pathlib import Path

from engine.commands.reporting import show
from engine.places import SPROUT


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE|HUB_ID", help="a file, the name of a sample, or owner/name on the Hub"
    )
    parser.add_argument(
        "--split",
        default="",
        help="of a dataset of the Hub; train and those for validation otherwise",
    )
    parser.add_argument("--model", default=SPROUT)
    parser.add_argument("--row", type=int, help="show this row in full, counted from 0")
    parser.add_argument("--max-length", type=int, default=1024)
    parser.add_argument("--loss-on", default="answers")
    parser.add_argument("--chat-template", default="model", choices=["model", "instruction"])
    parser.add_argument("--system-prompt", default="")
    add_reading(parser)


def add_reading(parser: argparse.ArgumentParser) -> None:
    """How the file is to be read."""
    parser.add_argument("--mapping", default="", help="question=user, answer=assistant")
    parser.add_argument("--speaker", default="", help="in a script, whose lines are the answers")


def run(options: argparse.Namespace) -> int:
    from engine.dataset import opened
    from engine.dataset.inspect import inspect, one_row
    from engine.models.load import load_tokenizer

    names = ("mapping", "speaker", "max_length", "loss_on", "system_prompt")
    asked = {name: getattr(options, name) for name in names}
    with tempfile.TemporaryDirectory(prefix="greenroom-") as folder:
        path = _file_or_fetched(options.file, options.split, Path(folder))
        tokenizer, _ = load_tokenizer(options.model, options.chat_template)
        opened.conversations(path, options.mapping, options.speaker)  # or says that none is left
        report = inspect(path, tokenizer, **asked)
        if options.row is not None:
            report |= one_row(path, tokenizer, options.row, **asked)
    show(options, report)
    return 0


def _file_or_fetched(named: str, split: str, folder: Path) -> Path:
    """The file that is meant; a dataset of the Hub is fetched into `folder`, with the token that
    HF_TOKEN or a login holds. A path into a folder that is there means a file."""
    from engine.dataset.reading.hub import download, is_hub_id
    from engine.library import resolve

    if is_hub_id(named) and not Path(named).parent.is_dir():
        return download(named, split, "", folder)
    return resolve(named)
