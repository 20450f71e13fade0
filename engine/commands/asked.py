"""The options that a command line asks for."""

import argparse
from pathlib import Path

from engine.config import TrainConfig, default_config
from engine.options.declare import field_names


def config_of(options: argparse.Namespace) -> TrainConfig:
    """The file's options, or the defaults of sprout, with the flags laid over."""
    path = getattr(options, "target", None)
    config = TrainConfig.from_yaml(Path(path)) if path else default_config()
    flags = {name: getattr(options, name) for name in field_names(TrainConfig)}
    given = {name: value for name, value in flags.items() if value is not None}
    return TrainConfig.from_dict(config.to_dict() | given)
