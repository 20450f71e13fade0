"""The options that a command line asks for: a recipe, a file over it, flags over both."""

import argparse
import os
from pathlib import Path

from engine import recipes
from engine.config import TrainConfig, default_config, values_in
from engine.errors import UserError
from engine.options.declare import add_flags, field_names


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--recipe", metavar="ID", help="begin with a recipe of data/recipes")
    parser.add_argument("--today", action="store_true", help="the recipe as one does it today")
    add_flags(parser, TrainConfig)


def config_of(options: argparse.Namespace) -> TrainConfig:
    """The recipe's options, or without one the defaults of sprout; those that the file names are
    laid over, and the flags over both. Without a recipe a file stands on the plain defaults.

    Raises UserError.
    """
    path = _file(options.target) if getattr(options, "target", None) else None
    config = _recipe(options) if options.recipe or options.today else None
    if path:
        named = values_in(path)
        config = TrainConfig.from_dict((config or TrainConfig()).to_dict() | named)
    config = config or default_config()
    flags = {name: value for name, value in given(options).items() if name != "recipe"}
    return TrainConfig.from_dict(config.to_dict() | flags)


def given(options: argparse.Namespace) -> dict[str, str]:
    """Which of the options of a run, its recipe among them, stand on the command line."""
    named = {name: getattr(options, name) for name in ("recipe", *field_names(TrainConfig))}
    return {name: value for name, value in named.items() if value is not None}


def _file(target: str) -> Path:
    """The YAML file, which in a run's folder is its config.yaml. Raises UserError."""
    path = Path(target)
    if not os.path.isdir(path):  # Path's own raises an error for a name that is too long
        return path
    if not (path / "config.yaml").is_file():
        raise UserError(
            f"{path} holds no run (no config.yaml); give the folder of a run or a YAML file.",
            f"{path} 里没有训练（缺少 config.yaml）；请给出一次训练的文件夹或一个 YAML 文件。",
        )
    return path / "config.yaml"


def _recipe(options: argparse.Namespace) -> TrainConfig:
    if not options.recipe:
        raise UserError(
            "--today is a version of a recipe; name one with --recipe ID.",
            "--today 是配方的一个版本；请用 --recipe ID 指定配方。",
            field="recipe",
        )
    recipe = recipes.get(options.recipe)
    return recipe.config(recipes.TODAY if options.today else recipe.versions[0])
