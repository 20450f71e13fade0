"""On a CUDA device: a measurement is what torch reserved, grows with the micro-step, and lies near
the prediction; memory that runs out there is an answer. Run with `python -m pytest -m gpu`."""

import pytest
import torch

from engine.config import default_config
from engine.training.estimate import estimate
from engine.training.probe import probe

pytestmark = pytest.mark.gpu

STEPS = 20  # too few to be worth compiling


@pytest.fixture
def values():
    options = {"dataset": "lighthouse-keeper", "max_steps": STEPS}
    return default_config().to_dict() | options


@pytest.mark.parametrize("changes", [{}, {"load_in_4bit": True}, {"gradient_checkpointing": True}])
def test_a_measurement_lies_near_its_prediction(values, changes):
    *_, last = probe(values | changes)
    measured = last["measured"]
    foretold = estimate(values | changes)
    assert measured["what"]["en"].startswith("What torch reserved on the card")
    assert measured["tokens"][-1] == foretold["micro_step_tokens"]
    assert measured["note"] is None
    assert measured["peak_gib"] == sorted(measured["peak_gib"])
    assert abs(measured["peak_gib_at_capacity"] - foretold["peak_gib"]) < 0.5


def test_memory_that_runs_out_keeps_the_smaller_measurement(values, monkeypatch):
    """Twice the card in one block stands in for a step that is too large."""
    from engine.training import probe as probing

    twice = 2 * torch.cuda.get_device_properties(0).total_memory
    whole, taken = probing._step, []

    def step(trainer, rows):
        taken.append(rows)
        if len(taken) == 3:
            torch.empty(twice, dtype=torch.uint8, device="cuda")
        whole(trainer, rows)

    monkeypatch.setattr(probing, "_step", step)
    *_, last = probe(values)
    measured = last["measured"]
    assert (len(measured["tokens"]), measured["peak_gib_at_capacity"]) == (1, None)
    assert "Memory ran out" in measured["note"]["en"]
