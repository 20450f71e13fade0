"""`convert`: a dataset in another format."""

import argparse
from pathlib import Path

from engine.commands.inspect import add_reading
from engine.commands.reporting import show


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file")
    parser.add_argument("--to", required=True)
    parser.add_argument("--out", required=True)
    add_reading(parser)


def run(options: argparse.Namespace) -> int:
    from engine.dataset import opened
    from engine.dataset.making.convert import LOSSES, convert
    from engine.library import resolve

    path = resolve(options.file)
    found = opened.conversations(path, options.mapping, options.speaker)
    done = convert(found, options.to, Path(options.out), opened.table(path))
    lost = [LOSSES[kind].en.format(rows=rows) for kind, rows in done.lost.items() if rows]
    show(options, {"rows": done.rows, "out": options.out, "lost": lost})
    return 0
