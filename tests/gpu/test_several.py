"""Two processes of one run on two GPUs, where memory runs out in one. Run with
`python -m pytest -m gpu`."""

import pytest
import torch

from engine.config import TrainConfig
from engine.training import halved, runs
from engine.training.train import train
from tests.several_on_processors import launched

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs"),
    pytest.mark.usefixtures("same_signals"),
]

OPTIONS = {"max_steps": 8, "save_steps": 4, "learning_rate": 3e-3, "max_length": 256}


def losses(path):
    return [row["loss"] for row in runs.view(path).metrics() if "loss" in row]


@pytest.mark.parametrize("options", [{}, {"load_in_4bit": True}], ids=["plain", "4-bit"])
@pytest.mark.parametrize(("way", "launches"), [("ddp", 1), ("fsdp", 2)])
def test_the_run_goes_on_with_smaller_micro_steps(way, launches, options):
    """In the sixth step, and learns what one GPU learns that had the memory: with a copy on each
    the one goes on by itself, of a shared model both begin anew behind the fourth step."""

    def make(batch, **changes):
        named = {"dataset": "lighthouse-keeper", "per_device_train_batch_size": batch}
        return runs.create(TrainConfig(**OPTIONS | named | options | changes))

    path = make(4, distributed_type=way)
    said = []

    def launch():
        status, output = launched(way, f"{path}" if said else f"{path}!6")
        said.append(output)
        return status

    assert halved.launched(path, launch) == 0, said
    assert [one.count("Memory ran out: from ") for one in said] == [1, 0][:launches]
    assert runs.view(path).state == "finished"
    alone = make(8)
    assert train(alone) == 0
    assert len(losses(alone)) == 8
    assert losses(path) == pytest.approx(losses(alone), rel=0.02)
