"""Long work on a thread: how far it is, what it finds, what it raises, and that it can be left."""

import threading

import pytest

from engine.desk import jobs
from engine.desk.jobs import Job
from engine.errors import UserError


def test_progress_then_the_report():
    go_on = threading.Event()

    def work(progress):
        progress(0.25)
        go_on.wait(10)
        return {"rows": 3}

    job = Job(work)
    assert job.look(patience=0.01) in ({"share": 0.0}, {"share": 0.25})
    go_on.set()
    assert job.look(patience=10) == {"share": 1.0, "report": {"rows": 3}}
    assert (job.failed, job.ended) == (False, True)


def test_what_is_known_so_far_stays_known():
    """Statistics are shown while the doctor still looks."""
    told, go_on = threading.Event(), threading.Event()

    def work(progress):
        progress(0.6, {"rows": 3})
        progress(0.7)
        told.set()
        go_on.wait(10)

    job = Job(work)
    told.wait(10)
    assert job.look(patience=0) == {"share": 0.7, "so_far": {"rows": 3}}
    go_on.set()


def test_who_waits_hears_the_figures_at_once():
    """Not when its patience ends: the work goes on until they were heard."""
    asked, heard = threading.Event(), threading.Event()

    def work(progress):
        asked.wait(10)
        progress(0.6, {"rows": 3})
        return heard.wait(10)

    job = Job(work)
    asked.set()
    assert job.look(patience=10) == {"share": 0.6, "so_far": {"rows": 3}}
    heard.set()
    assert job.look(patience=10) == job.look(patience=10) == {"share": 1.0, "report": True}


def test_what_the_work_raises_is_raised_to_who_asks():
    def work(progress):
        raise UserError("It is wrong.", "错了。", "dataset")

    job = Job(work)
    for _ in range(2):
        with pytest.raises(UserError, match="It is wrong") as raised:
            job.look(patience=10)
        assert raised.value.field == "dataset"
    assert job.failed is True


def test_work_that_nobody_asks_for_ends(monkeypatch):
    monkeypatch.setattr(jobs, "_PATIENCE_SECONDS", -1)
    went_on = []

    def work(progress):
        progress(0.5)
        went_on.append(True)

    job = Job(work)
    job._thread.join(10)
    assert went_on == []
    assert job.failed is True


def test_who_comes_just_as_it_is_given_up_hears_no_error(monkeypatch):
    """How far it came; the desk begins it anew at the next look."""
    monkeypatch.setattr("engine.desk.jobs._PATIENCE_SECONDS", -1)
    job = Job(lambda progress: progress(0.4))
    job._thread.join(10)
    assert job.look() == {"share": 0.4}
    assert (job.ended, job.failed) == (True, True)
