"""The chat gives its card back when a run begins there, and for nothing else."""

import pytest

from engine import devices
from engine.chat import leave
from engine.config import TrainConfig
from engine.training import line, living, runs


class Ended(Exception):
    pass


@pytest.fixture
def looks(monkeypatch):
    """Plays what happens between one look and the next; returns how often it looked until the
    process ended."""

    def play(*happenings):
        waiting = list(happenings)

        def next_look(_seconds):
            waiting.pop(0)()

        def ends(_status):
            raise Ended

        monkeypatch.setattr("time.sleep", next_look)
        monkeypatch.setattr("os._exit", ends)
        with pytest.raises((Ended, IndexError)) as raised:
            leave._wait_for_a_run(leave._training())
        return len(happenings) - len(waiting) if raised.type is Ended else None

    return play


@pytest.fixture
def run(monkeypatch):
    """Puts runs into line on a machine of two GPUs, the chat on number 0."""
    monkeypatch.setattr(devices, "gpu_count", lambda: 2)
    monkeypatch.setattr(living, "is_training", lambda pid, run_id: bool(pid))

    def put(state="queued", gpu=0):
        path = runs.create(TrainConfig())
        runs.write_status(path, state=state, pid=1, gpu_ids=[gpu])
        line.join(path.parent, path.name)
        return path

    return put


def test_it_ends_when_a_waiting_run_has_its_turn(run, looks):
    path = run()
    assert looks(lambda: None, lambda: runs.write_status(path, state="running")) == 2


def test_a_run_on_another_gpu_does_not_matter(run, looks):
    path = run(gpu=1)
    assert looks(lambda: None, lambda: runs.write_status(path, state="running")) is None


def test_a_run_that_trained_before_it_loaded_does_not_matter_until_it_is_resumed(run, looks):
    """Somebody who loads the chat beside a run has chosen so."""
    path = run("running")

    def stop():
        runs.write_status(path, state="stopped", pid=None)

    def resume():
        runs.write_status(path, state="running", pid=2)

    assert looks(lambda: None, stop, lambda: None, resume) == 4
