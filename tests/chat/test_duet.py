"""Two characters in turn: who hears what as whom, and how it ends."""

import pytest

from engine.characters.card import character
from engine.chat import client, duet
from engine.chat.duet import Speaker, converse
from engine.config import TrainConfig
from engine.errors import UserError
from engine.training import checkpoints, runs

MARA = character("mara", {"name": "Mara", "persona": "{{char}} and {{user}}", "greeting": "Aye."})
TOM = character("tom", {"name": "Tom", "sampling": {"temperature": 0}})


LOADED = {"voices": ["base", "run-1"]}


@pytest.fixture
def asked(monkeypatch):
    """A client that says which line it is, in two pieces, and what it was asked."""
    calls = []

    def chat(histories, **settings):
        ((voice, messages),) = histories.items()
        assert settings.pop("loaded") is LOADED
        calls.append((voice, messages, settings))
        for text, done in (("li", False), (f"line {len(calls)}", True)):
            yield {voice: {"text": text, "done": done, "stopped_by": "end" if done else ""}}

    monkeypatch.setattr(client, "chat", chat)
    monkeypatch.setattr(client, "stop", lambda: None)
    return calls


def system(words):
    return {"role": "system", "content": words}


def user(words):
    return {"role": "user", "content": words}


def assistant(words):
    return {"role": "assistant", "content": words}


def test_each_hears_the_other_as_its_user(asked):
    *_, lines = converse(
        Speaker("run-1", MARA), Speaker("base", TOM), "", 3, LOADED, temperature=1, seed=5
    )
    assert [(one["name"], one["text"]) for one in lines] == [
        ("Mara", "Aye."),
        ("Tom", "line 1"),
        ("Mara", "line 2"),
        ("Tom", "line 3"),
    ]
    assert all(one["done"] for one in lines)
    mara = [system("Mara and Tom"), assistant("Aye."), user("line 1")]
    assert asked == [
        ("base", [user("Aye.")], {"temperature": 0, "seed": 6}),
        ("run-1", mara, {"temperature": 1, "seed": 7}),
        (
            "base",
            [user("Aye."), assistant("line 1"), user("line 2")],
            {"temperature": 0, "seed": 8},
        ),
    ]


def test_who_has_a_nickname_is_called_by_it(asked):
    """As in its own system prompt; the lines bear the card's name."""
    ann = character("ann", {"name": "Ann", "nickname": "Annie", "persona": "You are {{char}}."})
    *_, lines = converse(Speaker("base", MARA), Speaker("base", ann), "Hello!", 2, LOADED)
    assert [one["name"] for one in lines] == ["Mara", "Ann", "Mara"]
    assert [messages[0] for _, messages, _ in asked] == [
        system("You are Annie."),
        system("Mara and Annie"),
    ]


def test_every_line_has_a_seed_that_there_is(asked):
    """After the last one comes the first; one that is none is refused."""
    both = Speaker("base", MARA), Speaker("base", TOM)
    list(converse(*both, "Hello!", 2, LOADED, seed=2**31 - 2))
    assert [settings["seed"] for *_, settings in asked] == [2**31 - 1, 0]
    with pytest.raises(UserError, match="seed is 2147483648; it must be a number from 0 to"):
        list(converse(*both, "Hello!", 2, LOADED, seed=2**31))


def test_lines_grow_while_they_are_said(asked):
    seen = list(converse(Speaker("base", MARA), Speaker("base", TOM), "Hello!", 1, LOADED))
    assert [[line["text"] for line in lines] for lines in seen] == [
        ["Hello!"],
        ["Hello!", "li"],
        ["Hello!", "line 1"],
    ]


def test_stop_between_lines_and_within_one_ends_it(asked, monkeypatch):
    lines = []
    for lines in converse(Speaker("base", MARA), Speaker("base", TOM), "", 9, LOADED):
        if len(lines) == 3 and lines[-1]["done"]:
            duet.stop()
    assert [one["text"] for one in lines] == ["Aye.", "line 1", "line 2"]

    def cut(histories, **settings):
        yield {"base": {"text": "li", "done": True, "stopped_by": "stop"}}

    monkeypatch.setattr(client, "chat", cut)
    *_, lines = converse(Speaker("base", MARA), Speaker("base", TOM), "", 9)
    assert [(one["text"], one["stopped_by"]) for one in lines] == [("Aye.", ""), ("li", "stop")]


def test_voices_of_two_bases_cannot_meet(make_adapter, tmp_path, monkeypatch):
    """One base with both adapters is loaded; the base itself joins any. They are runs, checkpoints
    that these kept, and folders."""
    run = runs.create(TrainConfig(model_name_or_path="sprout", load_in_8bit=True))
    checkpoints.seal(make_adapter(run / "checkpoint-40", 1), {})
    make_adapter(run / "adapter", 2)
    folder, other = (
        str(make_adapter(tmp_path / base, 3, base_model=base)) for base in ("sprout", "other")
    )
    step = f"{run.name}/checkpoint-40"
    monkeypatch.setattr(client, "load", lambda *asked, **how: (*asked, how["load_in_8bit"]))
    assert duet.load((run.name, step)) == ("sprout", [run.name, step], True)
    assert duet.load((step, folder)) == ("sprout", [step, folder], True)
    assert duet.load(("base", other)) == ("other", [other], False)
    assert duet.load(("base", "base")) == ("sprout", [], False)
    with pytest.raises(UserError, match="was trained on sprout and other on other; only voices of"):
        duet.load((run.name, other))


def test_who_has_nothing_to_say_ends_it_and_who_cannot_begin_is_told(monkeypatch):
    def silent(histories, **settings):
        yield {"base": {"text": " ", "done": True, "stopped_by": "end"}}

    monkeypatch.setattr(client, "chat", silent)
    *_, lines = converse(Speaker("base", MARA), Speaker("base", TOM), "", 9)
    assert len(lines) == 2
    with pytest.raises(UserError, match="Tom has no greeting") as raised:
        next(converse(Speaker("base", TOM), Speaker("base", MARA), " ", 2))
    assert raised.value.field == "opening"
