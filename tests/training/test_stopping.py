"""A run that ends early says why, keeps the best, and counts on when it is resumed."""

import contextlib
import json

import pytest
from safetensors.torch import load_file
from transformers import TrainerControl, TrainerState, TrainingArguments

from engine.config import TrainConfig
from engine.training import runs, train
from engine.training.answers import BASE
from engine.training.curves import smooth
from engine.training.progress import Progress
from engine.training.stopping import Stopping

pytestmark = pytest.mark.usefixtures("same_signals", "hasty")

LARGE = 0.5


@pytest.fixture
def evaluated(tmp_path):
    """What the callback decides at the end of these evaluations {step: eval loss}."""

    def evaluated(config, losses, best=False):
        args = TrainingArguments(output_dir=str(tmp_path), report_to="none", use_cpu=True)
        args.load_best_model_at_end = best
        state = TrainerState()
        state.log_history = [{"step": step, "eval_loss": loss} for step, loss in losses.items()]
        state.global_step = max(losses)
        control = TrainerControl()
        stopping = Stopping(config)
        stopping.on_evaluate(args, state, control)
        return control, stopping.message(state).en

    return evaluated


@pytest.mark.parametrize(
    ("losses", "stops"),
    [
        ({0: 5.0, 4: 4.0}, False),
        ({0: 5.0, 4: 4.0, 8: 4.5}, False),
        ({0: 5.0, 4: 4.0, 8: 4.5, 12: 4.0}, True),
        ({0: 5.0, 4: 4.0, 8: 4.5, 12: 3.9}, False),
        ({0: 1.0, 4: 4.0, 8: 3.0}, True),
    ],
)
def test_patience_counts_evaluations_since_the_best(evaluated, losses, stops):
    """Equal is not better; the untrained model counts too."""
    control, said = evaluated(TrainConfig(early_stopping_patience=2), losses)
    assert (control.should_training_stop, control.should_save) == (stops, stops)
    assert bool(said) == stops
    assert not evaluated(TrainConfig(), losses)[0].should_training_stop


def test_the_sentence_names_step_and_loss(evaluated):
    _, said = evaluated(TrainConfig(early_stopping_patience=2), {4: 4.0, 8: 4.5, 12: 4.25})
    assert said == (
        "It stopped at step 12 because the eval loss has not fallen below 4.000 since step 4, "
        "2 evaluations ago (early_stopping_patience 2)."
    )


@pytest.mark.parametrize(
    ("losses", "best", "saves"),
    [
        ({0: 5.0, 4: 4.0}, True, True),
        ({0: 5.0, 4: 4.0}, False, False),
        ({0: 5.0, 4: 4.0, 8: 4.1}, True, False),
        ({0: 1.0, 4: 4.0, 8: 3.0}, True, True),
        ({0: 1.0}, True, False),
    ],
)
def test_each_best_model_is_saved_when_it_is_wanted(evaluated, losses, best, saves):
    """The best of the trained ones: the untrained model has no checkpoint."""
    assert evaluated(TrainConfig(), losses, best)[0].should_save is saves


def test_smoothing_exactly():
    """0.8 of what was, corrected for the start: (0.16 * 4 + 0.2 * 2) / 0.36."""
    assert smooth([(1, 4.0), (2, None), (3, 2.0)]) == [
        (1, 4.0),
        (2, None),
        (3, pytest.approx(1.04 / 0.36)),
    ]


@pytest.fixture
def config(short_run):
    return short_run(max_steps=12, save_steps=100, eval_steps=2)


def trained(config, **changes):
    path = runs.create(TrainConfig.from_dict(config.to_dict() | changes))
    assert train.train(path) == 0, runs.get(path.name).message.en
    return runs.get(path.name)


@pytest.fixture
def stop_at(monkeypatch):
    """stop_at(step): a person asks each run to stop in that step."""
    ended = Progress.on_step_end

    def stop_at(step):
        def stops(self, args, state, *rest, **more):
            if state.global_step == step:
                (self.path / "stop").touch()
            return ended(self, args, state, *rest, **more)

        monkeypatch.setattr(Progress, "on_step_end", stops)

    return stop_at


def evaluations(run):
    return {row["step"]: row["eval_loss"] for row in run.metrics() if "eval_loss" in row}


def test_a_run_stops_at_its_loss(config):
    run = trained(config, stop_at_loss=9.0)
    losses = [(row["step"], row["loss"]) for row in run.metrics() if "loss" in row]
    reached = [loss <= 9.0 for _, loss in smooth(losses)]
    assert reached == [False] * (run.step - 1) + [True]
    assert 1 < run.step < 12
    assert run.state == "finished"
    assert run.message.en.startswith(
        f"It stopped at step {run.step} because the smoothed loss reached "
        f"{smooth(losses)[-1][1]:.3f}, as wished"
    )
    assert run.message.zh
    said = (run.path / "report.md").read_text().replace("\\", "")
    assert run.message.en in said


def test_the_best_is_kept_though_the_last_is_worse(config):
    """Steps so large that it overshoots: what is kept is the lowest eval loss's, to the bit."""
    run = trained(
        config, learning_rate=LARGE, lr_scheduler_type="constant", load_best_model_at_end=True
    )
    seen = evaluations(run)
    best = min((step for step in seen if step), key=seen.get)
    assert best < run.step == 12
    checkpoints = {int(one.name.split("-")[1]) for one in run.path.glob("checkpoint-*")}
    assert checkpoints == {best, 12}
    kept = load_file(run.path / "adapter" / "adapter_model.safetensors")
    wanted = load_file(run.path / f"checkpoint-{best}" / "adapter_model.safetensors")
    assert kept.keys() == wanted.keys()
    assert all(kept[name].equal(wanted[name]) for name in kept)
    assert run.message.en == (
        f"What is kept is the model of step {best}, which had the lowest eval loss, "
        f"{seen[best]:.3f}."
    )
    last = trained(config, learning_rate=LARGE, lr_scheduler_type="constant")
    other = load_file(last.path / "adapter" / "adapter_model.safetensors")
    assert not all(kept[name].equal(other[name]) for name in kept)
    assert last.message.en == ""


@pytest.mark.parametrize(("best", "answered"), [(True, [0, 2]), (False, [0, 2, 3])])
def test_no_answer_of_the_best_is_called_one_of_the_last_step(config, stop_at, best, answered):
    """Stopped where nothing is evaluated, when the best's weights are back already."""
    path = runs.create(
        TrainConfig.from_dict(
            config.to_dict() | {"load_best_model_at_end": best, "sample_prompts": "Who are you?"}
        )
    )
    stop_at(3)
    assert train.train(path) == 0
    rows = [row for row in runs.view(path).samples() if row.get("voice") != BASE]
    assert [row["step"] for row in rows] == answered
    assert runs.view(path).message.en.startswith("What is kept is the model of step 2") is best


def test_the_best_is_kept_of_a_run_that_was_moved(config, tmp_path, monkeypatch):
    """Killed behind its last checkpoint, and resumed where its folder lies now."""
    options = {"learning_rate": LARGE, "lr_scheduler_type": "constant"}
    whole = trained(config, load_best_model_at_end=True, **options)
    path = runs.create(whole.config)

    def dies(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(train, "_save", dies)
        with pytest.raises(KeyboardInterrupt):
            train.train(path)
    moved = path.rename(tmp_path / path.name)
    assert train.train(moved) == 0
    again = runs.view(moved)
    assert (again.state, again.message) == ("finished", whole.message)
    kept, wanted = (
        load_file(run.path / "adapter" / "adapter_model.safetensors") for run in (again, whole)
    )
    assert all(kept[name].equal(wanted[name]) for name in wanted)


@pytest.mark.parametrize(("method", "rate"), [("p_tuning", 1.0), ("full", 1.0)])
def test_the_best_is_kept_of_other_methods_too(config, method, rate):
    """P-tuning's encoder must come back with its tokens, a whole model from its own files."""
    run = trained(
        config,
        learning_rate=rate,
        lr_scheduler_type="constant",
        load_best_model_at_end=True,
        peft_type=method,
        packing=False,
        encoder_hidden_size=16,
    )
    seen = evaluations(run)
    best = min((step for step in seen if step), key=seen.get)
    assert best < run.step
    name = "model.safetensors" if method == "full" else "adapter_model.safetensors"
    kept = load_file(run.path / "adapter" / name)
    wanted = load_file(run.path / f"checkpoint-{best}" / name)
    assert all(kept[one].equal(wanted[one]) for one in kept)
    assert f"the model of step {best}" in run.message.en


def test_patience_counts_on_after_a_resume(config):
    """The trainer's state carries the evaluations before."""
    changes = {"learning_rate": LARGE, "lr_scheduler_type": "constant", "peft_type": "lora"}
    run = trained(config, early_stopping_patience=2, save_steps=1, **changes)
    assert "early_stopping_patience 2" in run.message.en
    last = run.step
    for folder in (run.path / f"checkpoint-{last}",):
        (folder / "complete.json").unlink()
    assert train.train(run.path) == 0
    again = runs.get(run.id)
    assert (again.step, again.message) == (last, run.message)
    state = json.loads((run.path / f"checkpoint-{last}" / "trainer_state.json").read_text())
    assert [row["step"] for row in state["log_history"] if "eval_loss" in row] == list(
        evaluations(again)
    )


def test_a_stopped_run_knows_its_last_step(config, stop_at, monkeypatch):
    """Also where nothing is logged in it, however quick the steps are."""
    monkeypatch.setattr("engine.training.progress._STATUS_EVERY_SECONDS", 1000)
    stop_at(3)
    run = trained(config, eval_size=0.0, logging_steps=2)
    assert (run.state, run.step) == ("stopped", 3)


@pytest.mark.parametrize("how", ["killed", "asked to stop"])
@pytest.mark.parametrize(
    "rule",
    [{"stop_at_loss": 9.0}, {"early_stopping_patience": 1, "learning_rate": LARGE}],
    ids=["stop_at_loss", "early_stopping_patience"],
)
def test_resumed_behind_its_last_step_it_takes_none_more(config, monkeypatch, rule, how):
    """Its last checkpoint was sealed, and then it died or was asked to stop while it was saved."""
    whole = trained(config, lr_scheduler_type="constant", **rule)
    path = runs.create(whole.config)

    def interrupted(*_):
        if how == "killed":
            raise KeyboardInterrupt
        (path / "stop").touch()

    with monkeypatch.context() as patch:
        patch.setattr(train, "_save" if how == "killed" else "whole_state", interrupted)
        with contextlib.suppress(KeyboardInterrupt):
            train.train(path)
    if how == "killed":
        assert train.train(path) == 0
    again = runs.get(path.name)
    assert (again.state, again.step, again.message) == ("finished", whole.step, whole.message)
    assert whole.step < 12
    kept, wanted = (
        load_file(run.path / "adapter" / "adapter_model.safetensors") for run in (again, whole)
    )
    assert all(kept[name].equal(wanted[name]) for name in wanted)
