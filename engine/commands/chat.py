"""`chat`: base and adapters are asked the same."""

import argparse
from pathlib import Path

from engine.commands.reporting import show
from engine.places import SPROUT


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default=SPROUT)
    parser.add_argument("--adapter", action="append", default=[], help="a folder; may repeat")
    parser.add_argument("--prompt", required=True)
    parser.add_argument("--character", help="the id of a card in data/characters")
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-new-tokens", type=int, default=256)


def run(options: argparse.Namespace) -> int:
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
    show(options, {"answers": [{"voice": voice} | one for voice, one in answers.items()]})
    return 0
