"""A decoding step that cannot be captured; that captured answers are right, tests/gpu says."""

from types import SimpleNamespace

import pytest
import torch

from engine.chat.captured import Captured
from engine.models.load import Quantization, load_base


@pytest.fixture
def captured(tiny_model_folder, cpu):
    """Of a model of its own, not yet warmed."""
    model = load_base(str(tiny_model_folder), cpu, Quantization()).eval()
    return Captured(model, None, rows=1, capacity=16)


def test_what_fails_is_said_in_the_log_and_decoding_stays_step_by_step(
    captured, capsys, monkeypatch
):
    def no_stream():
        raise RuntimeError("no stream of this kind")

    monkeypatch.setattr(torch.cuda, "Stream", no_stream)
    captured.start().wait()
    log = capsys.readouterr().err
    assert log.startswith("Traceback (most recent call last):\n")
    assert log.endswith(
        "\nDecoding stays step by step, which is slower: RuntimeError: no stream of this kind\n"
    )
    assert not captured.ready(1, 8)


def test_a_step_that_does_not_compute_what_the_model_does_is_not_taken(captured, capsys):
    """This one gives nothing but zeros."""
    captured._graph._logits = torch.zeros(1, captured._model.config.vocab_size)
    captured._graph._graph = SimpleNamespace(replay=lambda: None)
    assert not captured.ready(1, 8)
    assert capsys.readouterr().err == (
        "Captured decoding differs by 1.0000 of the logits, too much: decoding stays step by step, "
        "which is slower.\n"
    )
