"""The voices that a command line asks for: base and adapters, how they sample, what they read."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from engine.chat.adapters import find
from engine.chat.sampling import DEFAULTS, RANGES, checked
from engine.commands.models import download
from engine.models.adapter import read_card, require_base
from engine.places import SPROUT, on_disk

if TYPE_CHECKING:
    from engine.characters import Character
    from engine.chat.voices import Voices
    from engine.models.load import Quantization

# What is compared is greedy, unless asked otherwise.
_USUAL = DEFAULTS | {"temperature": 0.0}


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", help="the base; else that of the first adapter, else sprout")
    parser.add_argument(
        "--adapter",
        action="append",
        default=[],
        help="a run's id, RUN/checkpoint-40, a folder, or owner/name on the Hub; may repeat",
    )
    quantised = parser.add_mutually_exclusive_group()
    quantised.add_argument("--load_in_4bit", action="store_true")
    quantised.add_argument("--load_in_8bit", action="store_true")
    parser.add_argument("--character", help="the id of a character card")
    parser.add_argument(
        "--system-prompt", help="else the character's, else what each adapter was trained with"
    )
    for name, (low, high, step) in RANGES.items():
        parser.add_argument(
            *dict.fromkeys([f"--{name.replace('_', '-')}", f"--{name}"]),
            type=type(step),
            help=f"{low:g} to {high:g}; else {_USUAL[name]:g}",
        )


def sampling(options: argparse.Namespace, card: "Character | None" = None) -> dict[str, float]:
    """What is asked for, else what a card asks for, else the usual. Raises UserError for a value
    out of its range."""
    asked = {name: getattr(options, name) for name in RANGES}
    chosen = {name: value for name, value in asked.items() if value is not None}
    return checked(_USUAL | (card.sampling if card else {}) | chosen)


def character(options: argparse.Namespace) -> "Character | None":
    """The card that is asked for. Raises UserError."""
    from engine import characters

    return characters.get(options.character) if options.character else None


def folders(options: argparse.Namespace) -> list[Path]:
    """Of the adapters: what is no folder here is looked up as the page does. Raises UserError."""
    found = []
    for one in options.adapter:
        folder = on_disk(one)
        found.append(folder if folder and folder.is_dir() else find(one).folder)
        read_card(found[-1])  # before the base is loaded in vain
    return found


def base(options: argparse.Namespace) -> str:
    """The model's name. Raises UserError."""
    if options.model:
        return options.model
    if not options.adapter:
        return SPROUT
    first = options.adapter[0]
    folder = on_disk(first)
    return require_base(folder, first) if folder and folder.is_dir() else find(first).base


def quantization(options: argparse.Namespace) -> "Quantization":
    """Of the base."""
    from engine.models.load import Quantization

    return Quantization(options.load_in_4bit, options.load_in_8bit)


def load(options: argparse.Namespace) -> "Voices":
    """Raises UserError."""
    adapters = [str(folder) for folder in folders(options)]
    from engine.chat.voices import Voices

    download(base(options))
    voices = Voices.load(base(options), adapters, quantization(options))
    for note in voices.notes:
        print(note.en, file=sys.stderr)
    return voices


def system_prompts(
    options: argparse.Namespace, card: "Character | None", voices: "Voices"
) -> dict[str, str]:
    """What stands before the conversation of each voice: what is asked for, else what a card says,
    else the prompt of its training, and before the base's that of the first adapter."""
    asked = options.system_prompt
    if asked is None and card:
        asked = card.system_prompt
    if asked is not None:
        return dict.fromkeys(voices.names, asked)
    base, *adapters = voices.names
    trained = {name: voices.manners[name].system_prompt for name in adapters}
    return {base: next(iter(trained.values()), "")} | trained
