"""A download: progress, stopped and gone on with, broken off, damaged, wanted twice."""

import os
import threading

import pytest

from engine.errors import UserError
from engine.hardware import GIB
from engine.models.sources import fetch as fetching
from engine.models.sources import hub as hub_source
from engine.models.sources.fetch import fetch, folder_here, said

SIZE = 5_000_000
HELD = 32 << 16
WEIGHTS = "model.safetensors"


@pytest.fixture
def hub(hub_server, tiny_model_folder, monkeypatch):
    """A model with weights large enough to be stopped within."""
    hub_server.add_folder("me/large", tiny_model_folder)
    hub_server.models["me/large"][WEIGHTS] = os.urandom(SIZE)
    monkeypatch.setattr(fetching, "_LOOK_SECONDS", 0.05)
    return hub_server


def content():
    return (folder_here("me/large", whole=True) / WEIGHTS).read_bytes()


def arrived():
    """Bytes of the weights."""
    blobs = hub_source.storage("me/large").glob("blobs/*.greenroom.incomplete")
    return max((one.stat().st_size for one in blobs), default=0)


def stopped_within(hub):
    """A download that was stopped when some of the weights had come."""
    hub.hold[WEIGHTS] = HELD
    list(fetch("me/large", lambda: arrived() == HELD))


def test_stopped_it_goes_on_later_with_what_is_missing(hub):
    stopped_within(hub)
    hub.let_go()
    looks = list(fetch("me/large"))
    assert hub.ranges(WEIGHTS) == ["bytes=0-", f"bytes={HELD}-"]
    assert all(HELD / GIB <= one["done_gib"] <= one["total_gib"] for one in looks)
    assert content() == hub.models["me/large"][WEIGHTS]
    assert list(fetch("me/large")) == []


def test_a_broken_connection_is_begun_again(hub):
    hub.cut[WEIGHTS] = HELD
    assert content() == hub.models["me/large"][WEIGHTS]
    assert len(hub.ranges(WEIGHTS)) == 2


def test_a_damaged_file_is_removed_and_said(hub):
    """What is on the disk was changed between two times."""
    stopped_within(hub)
    [part] = hub_source.storage("me/large").glob("blobs/*.incomplete")
    part.write_bytes(b"0" * part.stat().st_size)
    hub.let_go()
    with pytest.raises(UserError, match="model.safetensors arrived damaged and was removed"):
        list(fetch("me/large"))
    assert not part.exists()
    assert content() == hub.models["me/large"][WEIGHTS]


def test_who_wants_the_same_model_waits_and_sees_how_far_it_is(hub, wait_until):
    hub.hold[WEIGHTS] = HELD
    first = threading.Thread(target=lambda: list(fetch("me/large")), daemon=True)
    first.start()
    wait_until(lambda: hub.ranges(WEIGHTS), 20, "the first has begun")
    looks = []
    for progress in fetch("me/large"):
        looks.append(progress)
        if len(looks) == 2:
            hub.let_go()
    first.join(20)
    assert all(one["model"] == "me/large" and one["total_gib"] * GIB > SIZE for one in looks)
    assert hub.ranges(WEIGHTS) == ["bytes=0-"]
    assert content() == hub.models["me/large"][WEIGHTS]


def test_a_server_that_gives_up_is_a_sentence(hub, monkeypatch):
    monkeypatch.setattr(hub_source, "_RETRY_AFTER_SECONDS", (0, 0))
    hub.fails.add(WEIGHTS)
    with pytest.raises(UserError, match=rf"{hub.url} answered with an error for me/large \(503"):
        list(fetch("me/large"))
    assert len(hub.ranges(WEIGHTS)) == 3


def test_a_mistake_of_ours_is_not_taken_for_the_end_of_the_work(hub, monkeypatch):
    """Whatever kind of error it is."""

    def broken(*_):
        raise IndexError("ours")

    monkeypatch.setattr(hub_source, "fetch_file", broken)
    with pytest.raises(IndexError, match="ours"):
        list(fetch("me/large"))


def test_an_index_that_names_more_than_there_is(hub):
    files = hub.models["me/large"]
    del files[WEIGHTS]
    files["model-00001-of-00002.safetensors"] = b"x"
    files["model.safetensors.index.json"] = (
        b'{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "../../b"}}'
    )
    with pytest.raises(UserError, match="was fetched, but its weights are not whole"):
        list(fetch("me/large"))


def test_a_listing_cannot_choose_where_a_file_lands(hub, tmp_path, monkeypatch):
    """The hash in a listing becomes a file's name; where it is none, the library names the file."""

    def lying(name, content):
        return {"rfilename": name, "size": len(content), "blobId": "../../../escaped"}

    monkeypatch.setattr("tests.hub_server._sibling", lying)
    assert content() == hub.models["me/large"][WEIGHTS]
    assert [one.name for one in tmp_path.rglob("*escaped*")] == []


def test_progress_in_words():
    progress = {"model": "a/b", "done_gib": 1.5, "total_gib": 4.0}
    unknown = dict.fromkeys(("gib_per_second", "seconds_left"))
    assert said(progress | unknown) == (
        "Downloading a/b: 1.50 of 4.00 GiB",
        "正在下载 a/b：1.50 / 4.00 GiB",
    )
    known = {"gib_per_second": 0.01, "seconds_left": 3725.0}
    assert said(progress | known) == (
        "Downloading a/b: 1.50 of 4.00 GiB, 0.010 GiB/s, 1:02:05 left",
        "正在下载 a/b：1.50 / 4.00 GiB，每秒 0.010 GiB，还剩 1:02:05",
    )
