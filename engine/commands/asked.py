"""The options that a command line asks for: a recipe, a file over it, flags over both."""

import argparse
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
    path = Path(options.target) if getattr(options, "target", None) else None
    config = _recipe(options) if options.recipe or options.today else None
    if path:
        named = values_in(path)
        config = TrainConfig.from_dict((config or TrainConfig()).to_dict() | named)
    config = config or default_config()
    flags = {name: getattr(options, name) for name in field_names(TrainConfig)}
    given = {name: value for name, value in flags.items() if value is not None}
    return TrainConfig.from_dict(config.to_dict() | given)


def _recipe(options: argparse.Namespace) -> TrainConfig:
    if not options.recipe:
        raise UserError(
            "--today is a version of a recipe; name one with --recipe ID.",
            "--today 是配方的一个版本；请用 --recipe ID 指定配方。",
            field="recipe",
        )
    recipe = recipes.get(options.recipe)
    return recipe.config(recipes.TODAY if options.today else recipe.versions[0])
