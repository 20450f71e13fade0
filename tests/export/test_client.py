"""The page's end of an export: one at a time, in a process of its own, to be stopped."""

import pytest

from engine.errors import UserError
from engine.export import client, made


@pytest.fixture(autouse=True)
def nothing_goes_on():
    yield
    client.stop()
    client._jobs.clear()


def test_an_export_is_begun_refused_beside_another_and_stopped(run, wait_until):
    """Its process ends with it, and what it had written is gone."""
    client.export(run.id, "merged")
    with pytest.raises(UserError, match="An export of calm <b>otter</b> is going on"):
        client.export(run.id, "gguf")
    with pytest.raises(UserError, match="An export of calm <b>otter</b> is going on"):
        client.require_idle(run.id)  # as it is about to be deleted
    client.require_idle("other-otter-0001")
    out = made.place(run, "merged")
    out.with_name("merged.new").mkdir(parents=True)
    client.stop()
    wait_until(lambda: client.going() is None, 30, "it has ended")
    job = client.look(run.id)["merged"]
    assert (job.state, job.error, job.result) == ("stopped", None, {})
    assert list(out.parent.glob("*")) == []
    assert not client._child.alive


def test_what_goes_wrong_is_said_by_the_job(run, wait_until):
    """By the process that does it; here there is no network."""
    client.send(run.id, "adapter", "me/mine", "hf_x", False)
    wait_until(lambda: client.going() is None, 60, "it has ended")
    job = client.look(run.id)["hub"]
    assert job.state == "failed"
    assert job.error.en.startswith("The Hugging Face Hub cannot be reached")
    assert not client._child.alive


def test_a_push_is_checked_before_it_begins(run):
    with pytest.raises(UserError, match="is no name for a model on the Hub"):
        client.send(run.id, "adapter", "a b", "hf_x", False)
    with pytest.raises(UserError, match="has not been made yet"):
        client.send(run.id, "merged", "me/mine", "hf_x", False)
    with pytest.raises(UserError, match="'../../x' cannot leave"):
        client.send(run.id, "../../x", "me/mine", "hf_x", False)
    with pytest.raises(UserError, match="There is no run '../x'"):
        client.export("../x", "merged")
    assert client.going() is None
