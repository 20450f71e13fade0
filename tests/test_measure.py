"""The page's end of measuring: one at a time, never beside a run, and it gives way to one."""

import pytest

from engine import measure
from engine.config import TrainConfig
from engine.errors import UserError
from engine.training import runs


class Child:
    """The process, played: it answers `looks` and may be closed meanwhile."""

    def __init__(self, looks):
        self.looks, self.closed, self.asked, self.dies = looks, 0, [], False

    def ask(self, call, **arguments):
        self.asked.append((call, arguments))
        before = self.closed
        for one in self.looks:
            yield one
            if self.closed > before:
                break
        if self.dies:
            raise UserError("The process ended.", "进程结束了。")

    def close(self):
        self.closed += 1


@pytest.fixture
def child(monkeypatch):
    played = Child([{"share": 0.5}, {"share": 1.0, "measured": {}}])
    monkeypatch.setattr(measure, "_child", played)
    return played


@pytest.fixture
def config():
    return TrainConfig(dataset="lighthouse-keeper")


def test_the_process_ends_with_its_answer(child, config):
    assert list(measure.measuring(config)) == child.looks
    assert child.asked == [("measure", {"values": config.to_dict()})]
    assert child.closed == 1


def test_a_second_one_is_refused_until_the_first_has_ended(child, config):
    """Also when whoever wanted it has left in its middle."""
    first = measure.measuring(config)
    next(first)
    with pytest.raises(UserError, match="Another measurement is going on"):
        list(measure.measuring(config))
    first.close()
    assert child.closed == 1
    assert list(measure.measuring(config)) == child.looks


def test_not_beside_a_run(child, config, monkeypatch):
    run = type("Run", (), {"name": "calm-otter", "alive": True})
    monkeypatch.setattr(runs, "all_runs", lambda: [run])
    with pytest.raises(UserError, match="calm-otter is training on this device; measure when"):
        list(measure.measuring(config))
    assert child.asked == []


@pytest.mark.parametrize("dies", [False, True])
def test_a_run_that_starts_ends_it(child, config, dies):
    """And the person reads why, whether the process ends early or dies."""
    child.dies = dies
    going = measure.measuring(config)
    next(going)
    measure.give_way()
    assert child.closed == 1
    with pytest.raises(UserError, match="gave way to the run that was started"):
        list(going)


def test_only_datasets_of_the_library(child):
    with pytest.raises(UserError, match="There is no dataset"):
        list(measure.measuring(TrainConfig(dataset="/etc/passwd")))
    assert child.asked == []
