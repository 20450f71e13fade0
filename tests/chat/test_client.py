"""The page's end of the chat, once through a real process, and its refusals without one."""

import pytest

from engine.chat import client
from engine.config import TrainConfig
from engine.errors import UserError
from engine.training import runs

TURNS = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def _unload():
    yield
    client.unload()


@pytest.mark.usefixtures("_unload")
def test_load_chat_stop_and_unload(tiny_model_folder, make_adapter, monkeypatch):
    """One process for all of it: a second costs its imports again."""
    run = runs.create(TrainConfig(model_name_or_path=str(tiny_model_folder)))
    make_adapter(run / "adapter", 1)
    loaded = client.load(str(tiny_model_folder), [run.name])
    assert loaded["voices"] == ["base", run.name]
    assert (loaded["model"], loaded["template_note"]) == (str(tiny_model_folder), None)
    assert loaded["footprint_gib"] > 0
    assert client.status() == loaded
    settings = {"temperature": 0, "max_new_tokens": 5}
    snapshots = list(client.chat(dict.fromkeys(loaded["voices"], TURNS), **settings))
    assert all(one["done"] for one in snapshots[-1].values())
    assert len({one["checksum"] for one in snapshots[-1].values()}) == 2
    with pytest.raises(UserError, match="The voice nobody is not loaded") as raised:
        list(client.chat({"nobody": TURNS}))
    assert raised.value.field == "adapter"

    answers = client.chat({"base": TURNS}, temperature=2, max_new_tokens=500)
    next(answers)
    client.stop()
    *_, end = answers
    assert end["base"]["stopped_by"] == "stop"
    assert end["base"]["tokens"] < 400

    pid = client._child._process.pid
    assert client.load(str(tiny_model_folder), [run.name]) is loaded
    assert client.load(str(tiny_model_folder), [])["voices"] == ["base"]
    assert client._child._process.pid == pid
    client.unload()
    assert client.status() is None
    with pytest.raises(UserError, match="No model is loaded"):
        list(client.chat({"base": TURNS}))


def test_chat_without_a_model_is_a_sentence():
    with pytest.raises(UserError, match="No model is loaded; choose one above"):
        list(client.chat({"base": TURNS}))


def test_settings_are_checked_before_anything_starts():
    with pytest.raises(UserError, match="^top_p is 7"):
        list(client.chat({"base": TURNS}, top_p=7))


def test_a_run_without_an_adapter_is_a_sentence():
    run = runs.create(TrainConfig())
    with pytest.raises(UserError, match="has no adapter yet") as raised:
        client.load("sprout", [run.name])
    assert raised.value.field == "adapter"


@pytest.mark.parametrize("adapter", ["../x", "calm-otter-0000"])
def test_an_adapter_that_is_not_there_is_a_sentence(adapter):
    with pytest.raises(UserError, match="There is no run"):
        client.load("sprout", [adapter])
