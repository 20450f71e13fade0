"""The command line: python -m engine COMMAND; the commands are those of engine.commands."""

import argparse
import difflib
import os
import sys
from typing import Any, NoReturn

from engine.commands import chat, convert, estimate, evaluate, export, inspect, models, train
from engine.config import TrainConfig
from engine.errors import UserError
from engine.hardware import child_environment
from engine.imports import without_their_notes
from engine.options.declare import nearest

_COMMANDS = (inspect, convert, estimate, train, chat, evaluate, export, models)


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0, 2 for a user's mistake (one sentence on stderr), 1 for ours, 130 after
    Ctrl+C."""
    os.environ.update(child_environment())  # before torch is imported: OpenMP reads it once
    without_their_notes()
    try:
        options, rest = _parser().parse_known_args(arguments)
        if rest:
            raise _unknown(rest, options.flags)
        return options.run(options)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


class _Parser(argparse.ArgumentParser):
    """Takes no half names, which a later option could make another's, and says in one sentence
    what is wrong."""

    def __init__(self, **settings: Any):
        super().__init__(allow_abbrev=False, **settings)

    def flags(self) -> list[str]:
        return list(self._option_string_actions)

    def error(self, message: str) -> NoReturn:
        said = message[0].upper() + message[1:]
        self.exit(2, f"{said}; {self.prog} --help says what there is.\n")


def _unknown(rest: list[str], flags: list[str]) -> UserError:
    """Of what a command could not place, the first option, or the first word."""
    word = next((one for one in rest if one.startswith("-")), rest[0]).partition("=")[0]
    if not word.startswith("-"):
        return UserError(
            f"{word!r} stands where an option should; write --option value.",
            f"{word!r} 的位置应当是选项，请写成 --选项 值。",
        )
    near = [f"--{nearest(word.lstrip('-'), TrainConfig)}"]
    if near[0] not in flags:
        near = difflib.get_close_matches(word, flags, n=1)
    hint = f" Did you mean {near[0]}?" if near else " Its --help lists them all."
    hint_zh = f"是不是想写 {near[0]}？" if near else "加 --help 可以列出全部选项。"
    return UserError(
        f"This command has no option {word}.{hint}", f"这条命令没有选项 {word}。{hint_zh}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m engine", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in _COMMANDS:
        name, _, help = command.__doc__.partition(": ")
        one = commands.add_parser(name.strip("`"), help=help.strip(". "))
        one.add_argument("--json", action="store_true", help="print one JSON document")
        one.set_defaults(run=command.run)
        command.add(one)
        one.set_defaults(flags=one.flags())
    return parser


if __name__ == "__main__":
    sys.exit(main())
