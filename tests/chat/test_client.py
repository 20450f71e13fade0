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
def test_load_chat_stop_and_unload(tiny_model_folder, make_adapter):
    """One process for nearly all of it: a second costs its imports again."""
    run = runs.create(TrainConfig(model_name_or_path=str(tiny_model_folder)))
    make_adapter(run / "adapter", 1)
    loaded = client.load(str(tiny_model_folder), [run.name])
    assert loaded["voices"] == ["base", run.name]
    assert (loaded["model"], loaded["template_note"]) == (str(tiny_model_folder), None)
    assert loaded["notes"] == []
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

    _a_bad_adapter_is_a_sentence_and_the_next_question_works(tiny_model_folder, run)
    assert client._child._process.pid == pid
    _a_killed_process_is_a_sentence_and_the_next_question_works(tiny_model_folder)
    client.unload()
    assert client.status() is None
    with pytest.raises(UserError, match="No model is loaded"):
        list(client.chat({"base": TURNS}))


class Told:
    """Stands for the chat process: one word after the other, until it is told to stop."""

    alive, stops = True, 0

    def ask(self, call, **arguments):
        yield from range(3)

    def stop(self):
        self.stops += 1


def test_a_visitor_stops_nobody_elses_answer(monkeypatch):
    """On a Space many share one chat process; whoever has a page to themselves stops what runs."""
    told = Told()
    monkeypatch.setattr(client, "_child", told)
    monkeypatch.setattr(client, "_loaded", {"voices": ["base"]})
    monkeypatch.setattr("engine.visitors._known_by", lambda: who)
    who = "ann"
    answers = client.chat({"base": TURNS})
    next(answers)
    who = "bob"
    client.stop()
    assert told.stops == 0
    assert next(answers) == 1
    who = "ann"
    client.stop()
    assert told.stops == 1
    who = None
    client.stop()
    assert told.stops == 2


class Loads(Told):
    """Stands for the chat process: loads what it is asked for, in one step that takes time."""

    def ask(self, call, **arguments):
        if call == "load":
            yield {"doing": {"en": "Reading", "zh": "读"}}
            yield {"model": arguments["model_name_or_path"], "voices": ["base"]}
        else:
            yield call

    def close(self):
        self.alive = False


class Fails(Loads):
    """Stands for a chat process that cannot load its base."""

    def ask(self, call, **arguments):
        yield {"doing": {"en": "Reading", "zh": "读"}}
        raise UserError("No room.", "放不下。")


def test_a_process_that_holds_nothing_is_ended(monkeypatch):
    """What it has taken of the card, and there would be no button that gives it back."""
    fails = Fails()
    monkeypatch.setattr(client, "_child", fails)
    monkeypatch.setattr(client, "_loaded", None)
    with pytest.raises(UserError, match="No room"):
        client.load("one", [])
    assert (client.status(), fails.alive) == (None, False)


@pytest.fixture
def loads(monkeypatch):
    loads = Loads()
    monkeypatch.setattr(client, "_child", loads)
    monkeypatch.setattr(client, "_loaded", None)
    return loads


def test_a_stop_while_it_loads_is_not_forgotten(loads):
    """What was loading is loaded, and the next question is answered."""
    loading = client.loading("one", [])
    assert next(loading) == {"doing": {"en": "Reading", "zh": "读"}}
    client.stop()
    with pytest.raises(UserError, match="^Stopped while the model was loading, so nothing was as"):
        next(loading)
    assert client.status()["model"] == "one"
    assert list(client.chat({"base": TURNS}, loaded=client.load("one", []))) == ["chat"]


def test_no_other_model_answers_than_the_one_that_was_loaded_for_it(loads):
    """Another asker may load theirs between, or give the memory back."""
    mine = client.load("one", [])
    theirs = client.load("two", [])
    for call in (client.chat({"base": TURNS}, loaded=mine), client.evaluate("?", loaded=mine)):
        with pytest.raises(UserError, match="^Another model was loaded, or this one was unloaded"):
            next(call)
    assert list(client.chat({"base": TURNS}, loaded=theirs)) == ["chat"]
    client.unload()
    with pytest.raises(UserError, match="^Another model was loaded, or this one was unloaded"):
        next(client.chat({"base": TURNS}, loaded=theirs))


def test_a_visitor_ends_nobody_elses_answer_by_unloading(loads, monkeypatch):
    monkeypatch.setattr("engine.visitors._known_by", lambda: who)
    who = "ann"
    answers = client.chat({"base": TURNS}, loaded=client.load("one", []))
    next(answers)
    who = "bob"
    with pytest.raises(UserError, match="^Somebody else is being answered just now"):
        client.unload()
    assert client.status()["model"] == "one"
    assert list(answers) == []
    client.unload()
    assert client.status() is None


def _a_bad_adapter_is_a_sentence_and_the_next_question_works(base, run):
    """One whose file was cut short; the base stays loaded, and says what it did before."""
    (before,) = list(client.chat({"base": TURNS}, max_new_tokens=1))[-1].values()
    weights = run / "adapter" / "adapter_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-100])
    with pytest.raises(UserError, match=f"weights of the adapter {run.name} cannot be read"):
        client.load(str(base), [run.name])
    assert client.status()["voices"] == ["base"]  # so that it can be unloaded
    weights.write_bytes(whole)
    assert client.load(str(base), [run.name])["voices"] == ["base", run.name]
    assert client.load(str(base), [])["voices"] == ["base"]
    (after,) = list(client.chat({"base": TURNS}, max_new_tokens=1))[-1].values()
    assert after["checksum"] == before["checksum"]


def _a_killed_process_is_a_sentence_and_the_next_question_works(base):
    answers = client.chat({"base": TURNS}, temperature=2, max_new_tokens=500)
    next(answers)
    client._child._process.kill()
    with pytest.raises(UserError, match="ended unexpectedly"):
        list(answers)
    assert client.status() is None
    *doing, loaded = client.loading(str(base), [])
    assert [one["doing"]["en"] for one in doing] == [
        "Starting the chat process",
        "Reading the weights of tiny",
    ]
    assert loaded["voices"] == ["base"]
    assert list(client.chat({"base": TURNS}, max_new_tokens=1))[-1]["base"]["done"]


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
