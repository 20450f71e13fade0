"""The chat process's own end, in this process: a base that has to be fetched first."""

import pytest

from engine.chat import process
from engine.errors import UserError
from engine.models.sources import fetch as fetching

WEIGHTS = "model.safetensors"


@pytest.fixture
def hub(hub_server, tiny_model_folder, monkeypatch):
    hub_server.add_folder("me/tiny", tiny_model_folder)
    monkeypatch.setattr(fetching, "_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(process, "_voices", None)
    return hub_server


def test_a_base_is_fetched_with_words_before_it_is_loaded(hub):
    hub.hold[WEIGHTS] = 1 << 16
    looks = process.load("me/tiny", {}, False, False)
    assert next(looks)["doing"]["en"] == "Starting the chat process"
    first = next(looks)
    assert first["doing"]["en"].startswith("Downloading me/tiny: 0.0")
    hub.let_go()
    *_, status = looks
    assert (status["model"], status["voices"]) == ("me/tiny", ["base"])


def test_stop_ends_the_download(hub):
    stopped = []
    hub.hold[WEIGHTS] = 1 << 16
    looks = process.load("me/tiny", {}, False, False, lambda: bool(stopped))
    assert [next(looks), next(looks)]
    stopped.append(True)
    with pytest.raises(UserError, match="The download of the model was stopped. What has arrived"):
        list(looks)
