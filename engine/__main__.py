"""The command line: python -m engine COMMAND; the commands are those of engine.commands."""

import argparse
import logging
import os
import sys
import warnings

from engine.commands import chat, convert, estimate, evaluate, export, inspect, models, train
from engine.errors import UserError
from engine.hardware import child_environment

_COMMANDS = (inspect, convert, estimate, train, chat, evaluate, export, models)


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0, 2 for a user's mistake (one sentence on stderr), 1 for ours."""
    os.environ.update(child_environment())  # before torch is imported: OpenMP reads it once
    # What libraries tell those who build on them is not for those who train.
    warnings.simplefilter("ignore", FutureWarning)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m engine", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in _COMMANDS:
        name, _, help = command.__doc__.partition(": ")
        one = commands.add_parser(name.strip("`"), help=help.strip(". "))
        one.add_argument("--json", action="store_true", help="print one JSON document")
        one.set_defaults(run=command.run)
        command.add(one)
    return parser


if __name__ == "__main__":
    sys.exit(main())
