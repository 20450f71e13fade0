"""`estimate`: steps, memory and time before the start."""

import argparse
import contextlib
import sys

from engine.commands.asked import add_options, config_of
from engine.commands.reporting import show


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", nargs="?", metavar="CONFIG.yaml")
    parser.add_argument("--measure", action="store_true", help="take one real step and measure")
    parser.add_argument(
        "--device-gib", type=float, default=0.0, help="also plan for a card of this size"
    )
    add_options(parser)


def run(options: argparse.Namespace) -> int:
    from engine.training.estimate import estimate

    values = config_of(options).to_dict()
    report = estimate(values, device_gib=options.device_gib)
    if options.measure:
        from engine.training.probe import can_measure, probe

        if can_measure(report):
            with contextlib.redirect_stdout(sys.stderr):
                *_, last = probe(values)
            report["measured"] = last["measured"]
    show(options, report)
    if report["reasons"]:
        print(report["reasons"][0]["en"], file=sys.stderr)
    return 2 if report["reasons"] else 0
