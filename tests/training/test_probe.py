"""A measurement: one real step at two sizes, beside the prediction; and memory that runs out."""

import os
import re

import psutil
import pytest
import torch

from engine.errors import UserError
from engine.training import probe as probing
from engine.training.estimate import estimate
from engine.training.loop import PackedTrainer
from engine.training.probe import can_measure, probe, sizes

ROW = {"input_ids": [5, 6, 7, 8], "labels": [-100, -100, 7, 8], "position_ids": [0, 1, 2, 3]}
HALF = {"input_ids": [5, 6], "labels": [5, 6], "position_ids": [0, 1]}


@pytest.fixture
def values(small_dataset, tiny_model_folder):
    model = str(tiny_model_folder)
    return {"dataset": str(small_dataset), "model_name_or_path": model, "max_length": 64}


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)


@pytest.fixture
def steps(monkeypatch):
    """The lengths of the sequences of each step that is taken, and the capacity it is cut by."""
    taken, whole = [], PackedTrainer.training_step

    def step(trainer, model, inputs, num_items_in_batch=None):
        lengths = [len(one["input_ids"]) for one in inputs["step"].rows]
        taken.append((lengths, trainer.layout.capacity))
        return whole(trainer, model, inputs, num_items_in_batch)

    monkeypatch.setattr(PackedTrainer, "training_step", step)
    return taken


@pytest.mark.parametrize(
    ("capacity", "expected"),
    [
        (32, [[ROW] * 2, [ROW] * 8]),
        (12, [[ROW], [ROW] * 3]),
        (8, [[ROW], [ROW] * 2]),
        (4, [[HALF], [ROW]]),
    ],
)
def test_two_sizes(capacity, expected):
    """A quarter or a half, and all; half a sequence has something to learn where its labels have
    nothing."""
    assert sizes(ROW, capacity) == expected


def test_the_steps_are_real_and_the_line_goes_through_them(values, no_gpu, steps, monkeypatch):
    """A first step brings the optimiser's state and is not counted; a step of several micro-steps
    is measured with two of them."""
    peaks = iter([9.0, 1.0, 3.0])
    changed = []

    def peak(trainer, rows):
        before = {n: p.clone() for n, p in trainer.model.named_parameters() if p.requires_grad}
        probing._step(trainer, rows)
        after = dict(trainer.model.named_parameters())
        changed.append(any(not torch.equal(before[name], after[name]) for name in before))
        return next(peaks)

    monkeypatch.setattr(probing, "_peak_gib", peak)
    batch = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}
    foretold = estimate(values | batch)
    *before, last = probe(values | batch)
    longest = foretold["micro_step_tokens"] // 4
    assert foretold["micro_steps"] == 2
    assert steps == [
        *[([longest] * 2, longest)] * 2,
        ([longest] * 8, 4 * longest),
    ]
    assert changed == [True, True, True]
    shares = [look["share"] for look in before]
    assert shares == sorted(shares)
    assert all(look["doing"].keys() == {"en", "zh"} for look in before)
    measured = last["measured"]
    assert (measured["tokens"], measured["peak_gib"]) == ([longest, 4 * longest], [1.0, 3.0])
    assert measured["peak_gib_at_capacity"] == pytest.approx(3.0)
    assert measured["gib_per_1000_tokens"] == pytest.approx(2000 / (3 * longest))
    assert measured["predicted_gib"] == pytest.approx(foretold["peak_gib"])
    assert measured["error"] == pytest.approx(measured["predicted_gib"] / 3 - 1)
    assert measured["note"] is None


def test_on_a_processor_it_is_the_greatest_resident_memory(values, no_gpu, wait_until):
    """256 MiB that were there for a while and are gone count; the process may give back others of
    its own meanwhile."""
    before = psutil.Process().memory_info().rss
    with probing._PeakOfRam() as peak:
        block = bytearray(os.urandom(1) * (256 << 20))
        wait_until(lambda: peak.bytes >= before + (128 << 20), 90, "it has been looked at")
        del block
    assert peak.bytes >= before + (128 << 20)
    *_, last = probe(values)
    assert last["measured"]["what"]["en"].startswith("The resident memory of the process")
    assert all(one * (1 << 30) > before / 2 for one in last["measured"]["peak_gib"])


def out_of_memory_at(number, monkeypatch):
    taken = []

    def peak(trainer, rows):
        taken.append(rows)
        if len(taken) == number:
            raise torch.OutOfMemoryError
        return 2.0

    monkeypatch.setattr(probing, "_peak_gib", peak)


def test_memory_that_runs_out_at_the_larger_size_keeps_the_smaller(values, no_gpu, monkeypatch):
    """And names the sizes that it has tried: rows that are not packed make up no whole number."""
    out_of_memory_at(3, monkeypatch)
    *looks, last = probe(values | {"packing": False, "per_device_train_batch_size": 8})
    measured, (tried,) = last["measured"], looks[-1:]
    assert (len(measured["tokens"]), measured["peak_gib"]) == (1, [2.0])
    unknown = ("peak_gib_at_capacity", "gib_per_1000_tokens", "error")
    assert [measured[name] for name in unknown] == [None, None, None]
    larger = re.fullmatch(r"One step of ([\d,]+) tokens", tried["doing"]["en"])[1]
    sizes = f"Memory ran out at {larger} tokens; {measured['tokens'][0]:,} fit."
    assert measured["note"]["en"].startswith(sizes)


def test_memory_that_runs_out_at_once_is_a_sentence(values, no_gpu, monkeypatch):
    out_of_memory_at(1, monkeypatch)
    with pytest.raises(UserError, match="before one small step was done"):
        list(probe(values))


@pytest.mark.parametrize(
    ("report", "on_gpu", "expected"),
    [
        ({"peak_gib": 1, "fits": True, "reasons": []}, False, True),
        ({"peak_gib": 9, "fits": False, "reasons": ["too large"]}, False, False),
        ({"peak_gib": 9, "fits": False, "reasons": ["too large"]}, True, True),
        ({"peak_gib": 9, "fits": False, "reasons": ["dtype", "too large"]}, True, False),
        ({"peak_gib": 1, "fits": True, "reasons": ["dtype"]}, True, False),
        ({"reasons": ["no dataset"]}, True, False),
    ],
)
def test_what_is_tried_at_all(report, on_gpu, expected, monkeypatch):
    """A run that is too large is tried on a GPU only, one that cannot start nowhere; a run on the
    processor is none on a GPU, though there be one."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert can_measure(report | {"on_gpu": on_gpu}) is expected


def test_what_cannot_start_is_refused_in_its_own_sentence(values, no_gpu):
    with pytest.raises(UserError, match="float16 trains on GPUs only") as error:
        list(probe(values | {"dtype": "float16"}))
    assert error.value.field == "dtype"


def test_a_shared_model_is_not_measured_by_one_process(values, no_gpu, monkeypatch):
    """Nor is the whole of it taken for a share; on one GPU nothing is shared."""
    shared = values | {"distributed_type": "fsdp"}
    monkeypatch.setattr(probing, "wanted", lambda gpu_ids: [0, 1])
    asked = probe(shared)
    next(asked)
    with pytest.raises(UserError, match="in one process alone") as refused:
        next(asked)
    assert refused.value.field == "distributed_type"
    monkeypatch.setattr(probing, "wanted", lambda gpu_ids: [0])
    *_, last = probe(shared)
    assert last["measured"]["tokens"]
