"""A base that is not here: foretold without its weights, fetched by the run that needs it."""

import json
import signal
import threading

import pytest
from huggingface_hub import constants

from engine.config import TrainConfig
from engine.models.sources import fetch as fetching
from engine.training import runs
from engine.training.estimate import estimate
from engine.training.probe import probe
from engine.training.train import train

WEIGHTS = "model.safetensors"


@pytest.fixture
def hub(hub_server, tiny_model_folder, monkeypatch):
    hub_server.add_folder("me/tiny", tiny_model_folder)
    monkeypatch.setattr(fetching, "_LOOK_SECONDS", 0.05)
    before = signal.getsignal(signal.SIGTERM)
    yield hub_server
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def config(small_dataset):
    return TrainConfig(
        dataset=str(small_dataset),
        model_name_or_path="me/tiny",
        max_length=64,
        max_steps=1,
        eval_size=0.0,
        sample_prompts="",
    )


def test_an_estimate_needs_no_weights(hub, config, monkeypatch):
    """Then the network goes: a run would fail, and that is said before it starts."""
    report = estimate(config.to_dict())
    assert report["reasons"] == []
    assert report["total_parameters"] > 0
    assert hub.ranges(WEIGHTS) == []
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("engine.models.sources.facts._REMEMBERED_SECONDS", 1e-6)
    [reason] = estimate(config.to_dict())["reasons"]
    assert reason["field"] == "model_name_or_path"
    assert "the Hub is switched off here" in reason["en"]


@pytest.mark.filterwarnings("error:Could not find a config")  # PEFT, where it asks the Hub
def test_a_run_fetches_its_base_and_can_be_stopped_meanwhile(hub, config, wait_until):
    """Stopped within the weights it keeps what it has; resumed it goes on and trains. Its adapter
    names the base by its id."""
    path = runs.create(config)
    hub.hold[WEIGHTS] = 1 << 16
    seen = []

    def stop_it():
        wait_until(lambda: runs.status_of(path).get("message"), 30, "it says how far it is")
        seen.append(runs.status_of(path))
        (path / "stop").touch()

    watcher = threading.Thread(target=stop_it)
    watcher.start()
    assert train(path) == 0
    watcher.join()
    assert seen[0]["message"].startswith("Downloading me/tiny: 0.0")
    assert seen[0]["message_zh"].startswith("正在下载 me/tiny：0.0")
    run = runs.view(path)
    assert (run.state, run.can_resume, run.has_adapter) == ("stopped", True, False)
    assert run.message.en.startswith("It was stopped while the base was being downloaded.")
    (path / "stop").unlink()
    hub.let_go()
    assert train(path) == 0
    run = runs.view(path)
    assert (run.state, run.step, run.message.en) == ("finished", 1, "")
    assert hub.ranges(WEIGHTS)[1] == f"bytes={1 << 16}-"
    adapter = json.loads((path / "adapter" / "adapter_config.json").read_text())
    assert adapter["base_model_name_or_path"] == "me/tiny"
    assert "base_model: me/tiny\n" in (path / "adapter" / "README.md").read_text()


def test_a_measurement_says_that_it_downloads_and_can_be_stopped(hub, config, monkeypatch):
    hub.hold[WEIGHTS] = 1 << 16
    said = []
    monkeypatch.setattr("engine.training.probe.stopping", lambda: len(said) > 2)
    for look in probe(config.to_dict()):
        said.append(look["doing"]["en"])
    assert said[0] == "Loading the model"
    assert all(one.startswith("Downloading me/tiny: ") for one in said[1:])
