"""`evaluate`: how often base and adapter answer in character."""

import argparse

from engine.commands.reporting import show
from engine.places import SPROUT


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default=SPROUT)
    parser.add_argument("--adapter", required=True)
    parser.add_argument("--character", required=True)


def run(options: argparse.Namespace) -> int:
    from engine.evaluation.character import examine

    show(options, examine(options.model, options.adapter, options.character))
    return 0
