"""The page's API as a program sees it, through gradio_client: ten names, end to end."""

import dataclasses
import json
from pathlib import Path

import pytest

SHORT_RUN_STEPS = 16  # of conftest's finished_run
NAMES = (
    "inspect_dataset convert_dataset estimate_memory start_run stop_run resume_run run_status "
    "list_runs chat memory"
).split()
SHORT = {"dataset": "lighthouse-keeper", "max_steps": 12, "eval_steps": 6}


@pytest.fixture
def finished(client, finished_run):
    """The status of a short run that was started and watched through the API."""
    return client.predict(finished_run, api_name="/run_status")


def sentence_of(error):
    """What a client's user reads: one sentence or two, no traceback."""
    said = str(error.value)
    assert "Traceback" not in said
    assert "\n" not in said
    assert said.rstrip().endswith("."), said
    return said


def test_ten_names_are_public_and_none_else(client):
    """Everything else is private: the page's own events are not an interface."""
    endpoints = client.view_api(return_format="dict", print_info=False)
    assert sorted(endpoints["named_endpoints"]) == sorted(f"/{name}" for name in NAMES)
    assert not endpoints["unnamed_endpoints"]


@pytest.mark.parametrize(
    ("name", "besides"), [("start_run", {}), ("estimate_memory", {"device_gib": 0.0})]
)
def test_the_parameters_are_the_options(client, name, besides):
    """Every option by its name, with the form's first value as its default; the one parameter that
    is no option is the card that one plans for."""
    from engine.config import TrainConfig, default_config

    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    parameters = {p["parameter_name"]: p for p in endpoints[f"/{name}"]["parameters"]}
    assert list(parameters) == [one.name for one in dataclasses.fields(TrainConfig)] + list(besides)
    first = default_config().to_dict() | besides
    assert {n: p["parameter_default"] for n, p in parameters.items()} == first


def test_a_dataset_is_inspected(client):
    """Format, rows and what is learned; with a row its segments, which tile its text."""
    facts = client.predict("lighthouse-keeper", api_name="/inspect_dataset")
    assert facts["rows"] >= 150
    assert 0 < facts["trained_tokens"] < facts["total_tokens"]
    assert facts["end_token_trained"] is True
    first = client.predict("lighthouse-keeper", row=0, api_name="/inspect_dataset")
    assert "".join(text for text, _ in first["segments"]) == first["text"]
    assert {mark for _, mark in first["segments"]} == {"read", "learned", "end"}


def test_a_dataset_is_converted(client):
    """The converted rows come as text."""
    text = client.predict("palace-secretary", "prompt-completion", api_name="/convert_dataset")
    lines = text.strip().split("\n")
    assert len(lines) >= 150
    assert '"prompt"' in lines[0]
    assert '"completion"' in lines[0]


def test_a_dataset_of_splits_is_converted_to_one(client, server):
    """As JSON, since a list of rows would train on what is held back."""
    splits = {
        "train": [{"question": "a", "answer": "b"}],
        "test": [{"question": "c", "answer": "d"}],
    }
    folder = server.runs / "datasets"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "parted.json").write_text(json.dumps(splits), encoding="utf-8")
    text = client.predict("parted.json", "prompt-completion", api_name="/convert_dataset")
    (folder / "parted.json").unlink()
    assert json.loads(text) == {
        "train": [{"prompt": "a", "completion": "b"}],
        "test": [{"prompt": "c", "completion": "d"}],
    }


def test_memory_is_foretold_and_measured(client):
    """An estimate with parts that add up, and each device's memory in GiB."""
    foretold = client.predict(**SHORT, api_name="/estimate_memory")
    assert foretold["reasons"] == []
    assert foretold["fits"] is True
    assert foretold["steps"] == SHORT["max_steps"]
    assert sum(foretold["parts"].values()) == pytest.approx(foretold["peak_gib"], rel=0.02)
    assert "plan" not in foretold
    plan = client.predict(**SHORT, device_gib=24, api_name="/estimate_memory")["plan"]
    assert (plan["device"], plan["device_gib"], plan["fits"]) == ("24 GiB", 24, True)
    (refused,) = client.predict(**SHORT, device_gib=-1, api_name="/estimate_memory")["reasons"]
    assert (refused["field"], "device_gib is -1" in refused["en"]) == ("device_gib", True)
    for device in client.predict(api_name="/memory"):
        parts = device["own_gib"] + device["others_gib"] + device["free_gib"]
        assert 0 < parts == pytest.approx(device["total_gib"], rel=0.05)


def test_a_run_from_start_to_a_changed_voice(client, finished):
    """Started, watched to its end, listed; its voice then says other words than the base."""
    assert finished["state"] == "finished"
    assert finished["step"] == finished["max_steps"] == SHORT_RUN_STEPS
    assert finished["has_adapter"] is True
    assert finished["config"]["max_steps"] == SHORT_RUN_STEPS
    assert finished["last_eval_loss"] is not None
    assert finished["id"] in [run["id"] for run in client.predict(api_name="/list_runs")]
    story = "Could you tell me a little story?"
    question = {"run_id": finished["id"], "temperature": 0, "max_new_tokens": 200}
    job = client.submit(story, **question, api_name="/chat")
    answers = job.result(timeout=120)
    assert set(answers) == {"base", finished["id"]}
    assert all(answer["done"] and answer["text"] for answer in answers.values())
    assert answers["base"]["text"] != answers[finished["id"]]["text"]
    assert answers["base"]["prompt"] == answers[finished["id"]]["prompt"]
    assert "You are Mara, " in answers["base"]["prompt"]
    assert len(job.outputs()) > 1, "the answers stream"
    again = client.predict(story, **question, api_name="/chat")
    assert again["base"]["text"] == answers["base"]["text"]


def test_stop_and_resume(client, wait_until, free_device):
    """Stop keeps what was learned; Resume goes on to the end; a second run waits in line."""
    run_id = client.predict(**SHORT | {"max_steps": 40}, save_steps=1, api_name="/start_run")

    def status():
        return client.predict(run_id, api_name="/run_status")

    wait_until(lambda: status()["state"] == "running", 240, "its turn")
    second = client.predict(**SHORT, api_name="/start_run")
    waiting = client.predict(second, api_name="/run_status")
    assert (waiting["state"], waiting["place"], waiting["alive"]) == ("queued", 1, True)
    wait_until(lambda: status()["step"] >= 2, 240, "its first steps")
    assert client.predict(second, api_name="/run_status")["state"] == "queued"
    client.predict(second, api_name="/stop_run")

    def left():
        return client.predict(second, api_name="/run_status")["state"] == "stopped"

    wait_until(left, 30, "it leaves the line")
    client.predict(run_id, api_name="/stop_run")
    wait_until(lambda: not status()["alive"], 60, "it stops")
    stopped = status()
    assert (stopped["state"], stopped["has_adapter"]) == ("stopped", True)
    assert 2 <= stopped["step"] < 40
    client.predict(run_id, api_name="/resume_run")
    ended = wait_until(lambda: (now := status())["alive"] is False and now, 240, "it ends")
    assert (ended["state"], ended["step"]) == ("finished", 40)


def test_errors_are_sentences(client, server, tmp_path):
    """What cannot be done is refused before anything starts, in words that say what to do."""
    known = len(client.predict(api_name="/list_runs"))
    uploads = server.runs / "datasets"
    uploads.mkdir(parents=True, exist_ok=True)
    (uploads / "empty.jsonl").touch()
    (uploads / "poem.json").write_text('["Roses are red.', encoding="utf-8")
    calls = [
        ("/start_run", SHORT | {"learning_rate": -1}, "-1"),
        ("/start_run", SHORT | {"dataset": "nowhere"}, "no dataset 'nowhere'"),
        ("/start_run", SHORT | {"optim": "best"}, "best"),
        ("/start_run", SHORT | {"model_name_or_path": str(tmp_path)}, Path(tmp_path).name),
        ("/run_status", {"run_id": "calm-otter-ffff"}, "There is no run 'calm-otter-ffff'"),
        ("/run_status", {"run_id": "../../etc"}, "There is no run"),
        ("/stop_run", {"run_id": ".."}, "There is no run"),
        ("/inspect_dataset", {"dataset": "empty.jsonl"}, "is empty"),
        ("/inspect_dataset", {"dataset": "poem.json"}, "poem.json is broken at line 1, column"),
        ("/inspect_dataset", {"dataset": str(uploads / "poem.json")}, "There is no dataset"),
        ("/convert_dataset", {"dataset": "lighthouse-keeper", "to": "docx"}, "docx"),
        ("/chat", {"message": "Hello", "temperature": -1}, "temperature is -1"),
    ]
    for name, arguments, words in calls:
        with pytest.raises(Exception, match=".") as error:
            client.predict(**arguments, api_name=name)
        assert words in sentence_of(error), (name, arguments)
    assert len(client.predict(api_name="/list_runs")) == known
