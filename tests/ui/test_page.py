"""What the page as a whole asks of the browser, and what its events leave alone."""

import pytest

from engine.chat.sampling import RANGES
from engine.config import TrainConfig
from engine.training import runs
from ui import page


@pytest.fixture(scope="module")
def built():
    return page.build()


def test_hidden_progress_is_looked_up_nowhere(built):
    """Gradio's renderer walks the page for each component of `show_progress_on`, or of the outputs
    where that is None, at every event."""
    hidden = [one for one in built.fns.values() if one.show_progress == "hidden"]
    assert len(hidden) > 150
    assert {str(one.get_config()["show_progress_on"]) for one in hidden} == {"[]"}


def test_only_one_timer_ticks_while_nothing_happens(built):
    """Those of a run, an export, a download, Show me and of each tab that looks by itself rest; the
    one of ten seconds only wakes answers whose stream was closed."""
    timers = [one.get_config() for one in built.blocks.values() if one.get_block_name() == "timer"]
    assert [one["value"] for one in timers if one["active"]] == [5, 10]
    assert sorted(one["value"] for one in timers if not one["active"]) == [1, 1, 1, 2, 10, 10, 10]


def test_the_fields_of_a_voice_are_written_one_after_the_other(built):
    """Each write adds to what those before it left: of two at once one would be lost."""
    writes = [one for one in built.fns.values() if one.name == "write"]
    assert len(writes) == len(("has_system", "system", *RANGES))
    assert {(one.concurrency_id, one.concurrency_limit, one.queue) for one in writes} == {
        ("own", 1, True)
    }


def test_a_look_at_the_runs_leaves_the_selection_to_who_clicks(built):
    """It may have begun before a click and end after it; only what is gone is selected anew."""
    look = next(one.fn for one in built.fns.values() if one.fn.__module__ == "ui.tab_runs")
    here = runs.create(TrainConfig()).name

    def selected(before):
        told = {key.elem_id: value for key, value in look("", before, None).items()}
        assert here in told["runs_table"]
        return told[None]

    assert selected("calm-otter-ffff") == here
    assert selected(here) == {"__type__": "update"}
