"""Several processes of one run, as a launcher numbers them: one of them writes the run folder."""

import os

from engine.config import TrainConfig


def count() -> int:
    """Processes of this run."""
    return int(os.environ.get("WORLD_SIZE", 1))


def local() -> int:
    """The number of this process on its machine, and so of its GPU."""
    return int(os.environ.get("LOCAL_RANK", 0))


def is_main() -> bool:
    """Whether this process speaks for the run."""
    return os.environ.get("RANK", "0") == "0"


def shares_the_model(config: TrainConfig) -> bool:
    """Whether no process has all weights (FSDP): then only all together can call the model."""
    return count() > 1 and config.distributed_type == "fsdp"
