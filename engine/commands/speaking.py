"""The voices that a command line asks for: base and adapters, how they sample, what they read."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from engine.chat.sampling import DEFAULTS, RANGES, checked
from engine.commands.models import download
from engine.models.adapter import read_card, require_base
from engine.places import SPROUT
from engine.training import runs

if TYPE_CHECKING:
    from engine.chat.voices import Voices


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", help="the base; else that of the first adapter, else sprout")
    parser.add_argument(
        "--adapter", action="append", default=[], help="a run's id or a folder; may repeat"
    )
    parser.add_argument("--load_in_4bit", action="store_true")
    parser.add_argument("--load_in_8bit", action="store_true")
    parser.add_argument("--character", help="the id of a character card")
    parser.add_argument(
        "--system-prompt", help="else the character's, else what the adapter was trained with"
    )
    for name, (low, high, step) in RANGES.items():
        parser.add_argument(
            *dict.fromkeys([f"--{name.replace('_', '-')}", f"--{name}"]),
            type=type(step),
            # What is compared is greedy, unless asked otherwise.
            default=0.0 if name == "temperature" else DEFAULTS[name],
            help=f"{low:g} to {high:g}",
        )


def sampling(options: argparse.Namespace) -> dict[str, float]:
    """Raises UserError for a value out of its range."""
    return checked({name: getattr(options, name) for name in RANGES})


def folders(options: argparse.Namespace) -> list[Path]:
    """Of the adapters. Raises UserError for one that is neither a run's nor an adapter's folder."""
    found = []
    for one in options.adapter:
        folder = Path(one).expanduser()
        found.append(folder if folder.is_dir() else runs.get(one).require_adapter())
        read_card(found[-1])  # before the base is loaded in vain
    return found


def base(options: argparse.Namespace) -> str:
    """The model's name. Raises UserError."""
    if options.model:
        return options.model
    found = folders(options)
    return require_base(found[0], options.adapter[0]) if found else SPROUT


def load(options: argparse.Namespace) -> "Voices":
    """Raises UserError."""
    adapters = [str(folder) for folder in folders(options)]
    from engine.chat.voices import Voices
    from engine.models.load import Quantization

    quantization = Quantization(options.load_in_4bit, options.load_in_8bit)
    download(base(options))
    return Voices.load(base(options), adapters, quantization)


def system_prompt(options: argparse.Namespace) -> str:
    """What stands before the conversation. Raises UserError."""
    from engine import characters

    if options.system_prompt is not None:
        return options.system_prompt
    if options.character:
        return characters.get(options.character).system_prompt
    found = [read_card(folder).get("system_prompt", "") for folder in folders(options)]
    return found[0] if found else ""
