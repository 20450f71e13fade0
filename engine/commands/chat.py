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
    settings = speaking.sampling(options, card)
    if options.prompt is None and sys.stdin.isatty():
        print(f"Loading {speaking.base(options)} ...", file=sys.stderr)
    voices = speaking.load(options)
    systems = speaking.system_prompts(options, card, voices)
    if options.prompt is None:
        from engine.chat.terminal import talk

        greeting = next(iter(card.greetings), "") if card else ""
        turns = talk(voices, systems, greeting, settings, None if options.json else sys.stdout)
        if options.json:
            show(options, {"turns": turns})
        return 0
    asked = [{"role": "user", "content": options.prompt}]
    histories = {name: with_system(asked, system) for name, system in systems.items()}
    *_, answers = voices.answer(histories, **settings)
    if options.json:
        show(options, {"answers": [{"voice": voice} | one for voice, one in answers.items()]})
    else:
        print("\n".join(f"{voice}: {one['text']}" for voice, one in answers.items()))
    return 0
