"""Interrupted and resumed is the same as never interrupted, to the last bit; nothing saved is lost.

A death is an exception that nobody catches, raised at a chosen moment: what is on the disk then is
what SIGKILL would have left there. tests/benchmarks/kill_runs.py kills real processes.
"""

import contextlib
import errno
import re
import resource
import shutil
import sys
import time

import pytest
import safetensors.torch
import torch

from engine.config import TrainConfig
from engine.training import checkpoints, runs
from engine.training.live_files import read_json_lines
from engine.training.progress import Progress
from engine.training.train import train

pytestmark = pytest.mark.usefixtures("same_signals", "hasty")

STEPS = 7


class Killed(BaseException):
    pass


@pytest.fixture(scope="module")
def config(short_run):
    """Three epochs of two steps and a bit; one checkpoint is kept, the hardest case."""
    return short_run(
        lora_dropout=0.1, max_steps=STEPS, save_steps=2, save_total_limit=1, eval_steps=4
    )


def begun(config, **changes):
    return runs.create(TrainConfig.from_dict(config.to_dict() | changes))


def told(path):
    """All that must not differ: each row without its clock and its memory, and the weights."""
    aside = ("tokens_per_second", "memory", "seconds")
    rows = read_json_lines(path / "metrics.jsonl")
    rows = [{k: v for k, v in row.items() if k not in aside} for row in rows]
    return rows, safetensors.torch.load_file(path / "adapter" / "adapter_model.safetensors")


def assert_same(path, other):
    (rows, weights), (other_rows, other_weights) = told(path), told(other)
    assert rows == other_rows
    assert weights.keys() == other_weights.keys()
    assert all(torch.equal(weights[name], other_weights[name]) for name in weights)


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    """Runs that nothing interrupts, by their changes to the configuration."""
    home, made = tmp_path_factory.mktemp("whole"), {}

    def run(**changes):
        key = repr(changes)
        if key not in made:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("RUNS_DIR", str(home))
                made[key] = begun(config, **changes)
                assert train(made[key]) == 0
        return made[key]

    return run


@contextlib.contextmanager
def killed_at_step(monkeypatch, step):
    """Dies when that step is logged, before its row is written."""
    logged = Progress.on_log

    def dies(self, args, state, *rest, **more):
        if state.global_step == step:
            raise Killed
        return logged(self, args, state, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "on_log", dies)
        yield


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"lora_dropout": 0.0},
        {"packing": False, "gradient_accumulation_steps": 2},
        {"eval_size": 0.0, "lr_scheduler_type": "linear", "save_steps": 3},
        {"neftune_noise_alpha": 5.0, "gradient_checkpointing": True},
    ],
    ids=["dropout", "no dropout", "unpacked and accumulated", "no evaluation", "noise"],
)
def test_resumed_equals_uninterrupted(config, whole, monkeypatch, changes):
    """Killed twice, in the first epoch and in a later one: same rows, same weights, bit for bit."""
    path = begun(config, **changes)
    for step in (4, 6):
        with killed_at_step(monkeypatch, step), pytest.raises(Killed):
            train(path)
        assert checkpoints.last_complete(path)
    assert train(path) == 0
    assert_same(path, whole(**changes))


def test_settled_is_who_has_logged_a_step_since_its_turn_came(config, monkeypatch):
    """Neither the evaluation before the first step takes the memory of training, nor does the
    curve that a resumed run goes on with."""
    path = begun(config)
    for killed, rows, settled in [(1, [0], False), (4, [0, 1, 2, 3], True), (3, [0, 1, 2], False)]:
        runs.write_status(path, turn_at=time.time())
        with killed_at_step(monkeypatch, killed), pytest.raises(Killed):
            train(path)
        run = runs.get(path.name)
        assert ([row["step"] for row in run.metrics()], run.settled) == (rows, settled)


def test_losses_between_two_logs_are_all_in_the_next_row(config, whole, monkeypatch):
    """Logged every 8 steps and saved every 5: killed at 8, behind the checkpoint of step 5, and
    stopped at 11, in the midst of the next ones; each leaves a sum to go on with."""
    changes = {"max_steps": 17, "logging_steps": 8, "save_steps": 5, "eval_size": 0.0}
    path = begun(config, **changes)
    with killed_at_step(monkeypatch, 8), pytest.raises(Killed):
        train(path)
    assert checkpoints.last_complete(path) == path / "checkpoint-5"
    ended = Progress.on_step_end

    def stops(self, args, state, *rest, **more):
        if state.global_step == 11:
            (path / "stop").touch()
        return ended(self, args, state, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "on_step_end", stops)
        assert train(path) == 0
    assert checkpoints.last_complete(path) == path / "checkpoint-11"
    (path / "stop").unlink()
    assert train(path) == 0
    assert [row["step"] for row in told(path)[0]] == [8, 16, 17]
    assert_same(path, whole(**changes))


@pytest.mark.parametrize(
    ("moment", "kept"),
    [
        ("transformers.PreTrainedTokenizerBase.save_pretrained", "checkpoint-2"),
        ("torch.save", "checkpoint-2"),
        ("engine.training.checkpoints.seal", "checkpoint-2"),
        ("engine.training.checkpoints.write_whole", "checkpoint-2"),
        ("engine.training.checkpoints.remove", "checkpoint-4"),
    ],
)
def test_killed_while_a_checkpoint_is_saved(config, whole, monkeypatch, moment, kept):
    """Between the files of checkpoint 4, before its marker, between marker and rotation, within the
    rotation: the one that had been reported is whole, and the run goes on to the same end."""
    path = begun(config)
    owner, name = reached(moment)
    original = getattr(owner, name)

    def dies(*args, **kwargs):
        if (path / "checkpoint-4").is_dir():
            raise Killed
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, dies)
        with pytest.raises(Killed):
            train(path)
    assert checkpoints.last_complete(path) == path / kept
    assert train(path) == 0
    assert_same(path, whole())
    assert [one.name for one in path.glob("checkpoint-*")] == [f"checkpoint-{STEPS}"]


def reached(dotted):
    """("a.b.C.d") -> (the object a.b.C, "d")."""
    module, *rest = dotted.split(".")
    owner = sys.modules[module]
    for part in rest[:-1]:
        owner = getattr(owner, part)
    return owner, rest[-1]


def test_killed_while_the_adapter_is_saved(config, whole, monkeypatch):
    """An adapter that is there is whole: the one of an earlier end stays until the new one is."""
    path = begun(config)
    shutil.copytree(whole() / "adapter", path / "adapter")
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "put_in_place", _dies)
        with pytest.raises(Killed):
            train(path)
    assert (path / "adapter" / "greenroom.json").is_file()
    assert train(path) == 0
    assert_same(path, whole())
    assert not (path / "adapter.new").exists()


def _dies(*_):
    raise Killed


@pytest.mark.parametrize("moment", ["look_back", "write_report"])
@pytest.mark.parametrize(
    "changes",
    [{}, {"packing": False, "load_best_model_at_end": True}],
    ids=["few steps an epoch", "an epoch that is not over"],
)
def test_killed_before_its_report_it_ends_at_once_with_it(
    config, whole, monkeypatch, moment, changes
):
    """All is trained and saved: resumed it takes no step more, and is what it would have been."""
    path = begun(config, **changes)
    seen = []

    def dies(*_):
        seen.append(runs.get(path.name))
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(f"engine.training.train.{moment}", dies)
        patch.setattr("engine.training.living.is_training", lambda *_: True)
        with pytest.raises(Killed):
            train(path)
    assert [(one.state, one.message.en) for one in seen] == [
        ("running", "Saved. Looking back: did it learn?")
    ]
    left = runs.get(path.name)
    assert (left.state, left.alive, left.can_resume, left.has_adapter) == (
        *("failed", False, True, True),
    )
    assert not (path / "report.md").exists()
    runs.write_status(path, peak_gib=999.0)  # that of training, to which reporting does not come
    assert train(path) == 0
    assert_same(path, whole(**changes))
    run, other = runs.get(path.name), runs.view(whole(**changes))
    assert (run.state, run.step, run.message) == ("finished", STEPS, other.message)
    assert (run.can_resume, run.seconds_left, run.peak_gib) == (False, None, 999.0)
    titles = [runs.report(path.name), (whole(**changes) / "report.md").read_text()]
    assert "\nFinished: tiny on small" in titles[0]
    assert re.findall("^#.*", titles[0], re.M)[1:] == re.findall("^#.*", titles[1], re.M)[1:]


FULL = r"The disk with .* is full, so the run stopped; checkpoint-2 is whole\. Free some room"


@pytest.mark.parametrize(
    "writer",
    [
        "torch.save",
        "engine.training.progress.append_json_line",
        "engine.training.runs.write_status",
        "engine.training.checkpoints.write_whole",
    ],
)
def test_a_full_disk_stops_the_run_with_a_sentence(config, whole, monkeypatch, writer):
    """Whichever file does not fit: the same sentence, the last checkpoint whole, resumable."""
    path = begun(config)
    owner, name = reached(writer)
    original = getattr(owner, name)

    def writes(*args, **kwargs):
        last_word = kwargs.get("state") == "failed"  # room was made for it
        if checkpoints.last_complete(path) and not last_word:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, writes)
        patch.setattr("engine.training.progress._STATUS_EVERY_SECONDS", 0)
        assert train(path) == 2
    run = runs.get(path.name)
    assert (run.state, run.can_resume) == ("failed", True)
    assert re.match(FULL, run.message.en)
    assert [one.name for one in path.glob("checkpoint-*")] == ["checkpoint-2"]
    assert train(path) == 0
    assert_same(path, whole())


def test_a_limit_on_the_size_of_files_is_a_full_disk_too(config, runs_folder):
    """The kernel itself refuses to let the weights of the first checkpoint grow."""
    path = begun(config)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        status = train(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert status == 2
    assert "no checkpoint had been saved yet" in runs.get(path.name).message.en
    assert not list(path.glob("checkpoint-*"))
