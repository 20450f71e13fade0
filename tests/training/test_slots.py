"""A run on ZeroGPU: slot by slot, each lent a GPU, the same as a run that nothing interrupts."""

import signal

import pytest

from engine import launch
from engine.config import TrainConfig
from engine.errors import UserError
from engine.training import line, living, runs, slots
from engine.training.train import train

STEPS = 4


@pytest.fixture
def config(short_run):
    """Dropout, evaluation and samples: all that a next slot must not mix up."""
    return short_run(
        lora_dropout=0.1, max_steps=STEPS, save_steps=3, eval_steps=2, sample_prompts="你好"
    )


@pytest.fixture
def one_step_each(zerogpu, monkeypatch):
    """Slots whose time is up at once."""
    monkeypatch.setattr(slots, "_ENDING", 10**6)
    return zerogpu


@pytest.fixture
def start(monkeypatch, wait_until):
    """Starts a run as the page does; returns it when its thread has ended."""
    foretold = {"reasons": [], "total_parameters": 10**6, "seconds": 5.0}
    monkeypatch.setattr("engine.desk.client.estimate", lambda config: foretold)

    def started(config):
        run_id = launch.start(config)
        wait_until(lambda: not runs.get(run_id).alive, 60, "its thread ends")
        return runs.get(run_id)

    return started


def curve(run, *names):
    return [[row.get(name) for name in names] for row in run.metrics()]


@pytest.mark.usefixtures("one_step_each", "hasty")
def test_slots_make_the_same_run_as_one_session(start, config, zerogpu):
    """To the last digit: losses, gradients, answers; no row twice, none at a step of its own."""
    before = signal.getsignal(signal.SIGTERM)
    whole = runs.create(config)
    assert train(whole) == 0
    signal.signal(signal.SIGTERM, before)
    whole, cut = runs.get(whole.name), start(config)
    assert cut.state == "finished", cut.message.en
    assert len(zerogpu.asked) == STEPS
    names = ("step", "loss", "eval_loss", "learning_rate", "grad_norm", "tokens")
    assert curve(cut, *names) == curve(whole, *names)
    assert cut.samples() == whole.samples()
    assert (cut.step, cut.has_adapter) == (STEPS, True)
    assert runs.report(cut.id)
    tail = cut.log_tail(100)
    assert tail.count("The slot ends at step") == STEPS - 1
    assert "The slot ends at step 3; the next one goes on there\n" in tail
    assert line.read(cut.path.parent) == []
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.usefixtures("hasty")
def test_what_is_asked_for_is_what_is_foretold_within_bounds(start, config, zerogpu):
    """15 s around 5 s of training and its margin; one slot is enough then."""
    run = start(config)
    assert (run.state, zerogpu.asked) == ("finished", [37])
    assert [slots.length(one) for one in (None, 0, 10.1, 1000)] == [60, 30, 44, 60]


@pytest.mark.usefixtures("one_step_each", "hasty")
def test_a_stop_between_slots_keeps_what_was_learned(start, config, monkeypatch):
    lent = slots._slot

    def then_stopped(path, seconds):
        lent(path, seconds)
        (runs.runs_dir() / path / "stop").touch()

    monkeypatch.setattr(slots, "_slot", then_stopped)
    run = start(config)
    assert (run.state, run.step, run.has_adapter, run.can_resume) == ("stopped", 2, True, True)


@pytest.mark.usefixtures("hasty")
def test_no_quota_is_the_runs_to_say_and_it_can_be_resumed(start, config, zerogpu, wait_until):
    zerogpu.refusal = RuntimeError("You have exceeded your quota (90s requested vs. 3s left).")
    run = start(config)
    assert (run.state, run.can_resume) == ("failed", True)
    assert run.message.en.startswith(
        "ZeroGPU did not lend its GPU, or took it back: You have exceeded your quota (90s requested"
        " vs. 3s left). Try again later"
    )
    zerogpu.refusal = None
    launch.resume(run.id)
    wait_until(lambda: not runs.get(run.id).alive, 60, "its thread ends")
    assert runs.get(run.id).state == "finished"
    assert zerogpu.asked == [37, 60]


def test_a_slot_without_a_step_is_not_asked_for_again(start, config, monkeypatch):
    """As with a base that takes the whole time to load: quota is not burnt for nothing."""
    asked = []
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setattr(slots, "_slot", lambda path, seconds: asked.append(seconds))
    run = start(config)
    assert (run.state, len(asked)) == ("failed", 1)
    assert run.message.en.startswith("A slot of 60 seconds did not suffice for one step")


def test_a_large_base_is_refused_at_its_field():
    slots.check({"total_parameters": 1_500_000_000})
    with pytest.raises(UserError, match=r"This base has 7\.6 billion parameters") as raised:
        slots.check({"total_parameters": 7_600_000_000})
    assert raised.value.field == "model_name_or_path"


def test_a_run_of_a_page_that_is_gone_can_be_resumed():
    """Also where the new page has the old one's process id, as in a restarted container."""
    path = runs.create(TrainConfig())
    pid, since = living.this_process()
    runs.write_status(path, state="running", pid=pid, page=[pid, since])
    assert (runs.get(path.name).alive, runs.get(path.name).state) == (True, "running")
    runs.write_status(path, page=[pid, since - 1])
    assert (runs.get(path.name).state, runs.get(path.name).can_resume) == ("failed", True)
