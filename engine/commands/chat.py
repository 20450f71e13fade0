"""`chat`: base and adapters are asked the same, once or in a conversation."""

import argparse
import sys

from engine.commands import speaking
from engine.commands.reporting import show
from engine.dataset.prompt import with_system


def add(parser: argparse.ArgumentParser) -> None:
    speaking.add(parser)
    parser.add_argument("--prompt", help="one question; without it a conversation begins")


def run(options: argparse.Namespace) -> int:
    card = speaking.character(options)
    settings, system = speaking.sampling(options, card), speaking.system_prompt(options)
    if options.prompt is None and sys.stdin.isatty():
        print(f"Loading {speaking.base(options)} ...", file=sys.stderr)
    voices = speaking.load(options)
    if options.prompt is None:
        from engine.chat.terminal import talk

        greeting = next(iter(card.greetings), "") if card else ""
        turns = talk(voices, system, greeting, settings, None if options.json else sys.stdout)
        if options.json:
            show(options, {"turns": turns})
        return 0
    messages = with_system([{"role": "user", "content": options.prompt}], system)
    *_, answers = voices.answer(dict.fromkeys(voices.names, messages), **settings)
    show(options, {"answers": [{"voice": voice} | one for voice, one in answers.items()]})
    return 0
