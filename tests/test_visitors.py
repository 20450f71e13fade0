"""Visitors of a shared page are apart: each sees, opens and changes the runs of their own."""

from types import SimpleNamespace

import pytest
from gradio.context import LocalContext

from engine import launch, visitors
from engine.config import TrainConfig
from engine.errors import UserError
from engine.training import line, run_changes, runs, turns
from ui import visitor


@pytest.fixture
def as_visitor():
    """Who asks from now on, as a function of their secret; None is nobody in particular."""

    def ask(secret):
        visitors.known_by(lambda: secret)

    yield ask
    visitors.known_by(lambda: None)


def test_each_sees_their_own_runs(as_visitor):
    before = runs.create(TrainConfig()).name
    as_visitor("ann")
    hers = runs.create(TrainConfig()).name
    assert [run.id for run in runs.list_runs()] == [hers]
    as_visitor("bob")
    assert runs.list_runs() == []
    assert {run.id for run in runs.all_runs()} == {before, hers}
    for act in (runs.get, run_changes.delete, launch.stop, launch.resume):
        with pytest.raises(UserError, match=f"There is no run '{hers}'"):
            act(hers)
    as_visitor(None)
    assert {run.id for run in runs.list_runs()} == {before, hers}


def test_what_is_written_down_does_not_let_in(as_visitor):
    as_visitor("ann")
    path = runs.create(TrainConfig())
    owner = runs.status_of(path)["owner"]
    assert "ann" not in (path / "status.json").read_text(encoding="utf-8")
    as_visitor(owner)
    assert runs.list_runs() == []


def test_nobody_is_passed_by_in_a_shared_line(as_visitor, runs_folder):
    as_visitor("ann")
    first, second = (runs.create(TrainConfig()).name for _ in range(2))
    with line.lock(runs_folder):
        line.write(runs_folder, [first, second])
    for push in (lambda: turns.move(second, -1), lambda: turns.beside(second)):
        with pytest.raises(UserError, match="in the order in which they came"):
            push()
    turns.move(first, 1)
    assert line.read(runs_folder) == [second, first]


def request(session):
    return SimpleNamespace(session_hash=session)


def test_a_browser_is_known_again_and_a_program_by_its_session(monkeypatch):
    """A reload is a new session with the old secret; a first visit gets a secret of its own."""
    monkeypatch.setattr(visitor, "_arrived", {})
    visitor.keep_apart()
    try:
        assert visitors.asking() is None
        secret = visitor.arrive(request("one"), "")
        assert len(secret) == 32
        assert visitor.arrive(request("other"), None) != secret
        assert visitor.arrive(request("reloaded"), secret) == secret
        seen = []
        for session in ("one", "reloaded", "other", "program", "program"):
            token = LocalContext.request.set(request(session))
            seen.append(visitors.asking())
            LocalContext.request.reset(token)
        one, reloaded, other, program, again = seen
        assert one == reloaded
        assert program == again
        assert len({one, other, program}) == 3
    finally:
        visitors.known_by(lambda: None)
