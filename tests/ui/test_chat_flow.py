"""Voices put on and taken off: what a person has chosen for the first tuned one stays with it."""

import shutil

import gradio as gr
import pytest

from engine.characters import shelf
from engine.characters.card import character
from engine.chat.conversations import BASE
from engine.config import TrainConfig
from engine.training import runs
from ui import chat_flow, chat_parts, own_settings
from ui.conversation import new_talk, without_the_gone


@pytest.fixture
def parts():
    with gr.Blocks():
        return chat_parts.lay_out()


@pytest.fixture
def two(tiny_model_folder, make_adapter):
    """The voices of two runs, the first of the lighthouse keeper's dataset."""
    made = []
    for dataset in ("lighthouse-keeper", "palace-secretary"):
        path = runs.create(TrainConfig(model_name_or_path=str(tiny_model_folder), dataset=dataset))
        make_adapter(path / "adapter", 1)
        made.append(path.name)
    return made


@pytest.fixture
def manner(parts):
    return [component.value for component in parts.panel.manner]


@pytest.fixture
def put_on(parts, manner):
    def put_on(talk, voices, before=None):
        return chat_flow.set_voices(parts, talk, voices, {}, False, manner, "en", before)

    return put_on


def test_another_voice_leaves_character_greeting_and_prompt(parts, put_on, two):
    tom = shelf.save(character("", {"name": "Old Tom", "greeting": "Ahoy."}))
    talk = new_talk([BASE, two[0]], tom.id, "Ahoy.")
    updates = put_on(talk, [BASE, *two])
    assert updates[parts.talk] == new_talk([BASE, *two], tom.id, "Ahoy.")
    touched = {parts.panel.system, parts.panel.box.picker, parts.panel.stood} & updates.keys()
    assert not touched


def test_another_first_voice_brings_its_own(parts, put_on, two):
    updates = put_on(new_talk([BASE, two[0]], "lighthouse-keeper"), [BASE, two[1]])
    talk = updates[parts.talk]
    assert (talk["voices"], talk["character"]) == ([BASE, two[1]], "palace-secretary")
    assert talk["greeting"]
    assert updates[parts.panel.box.picker].value == "palace-secretary"
    assert parts.panel.system in updates


def test_a_first_voice_that_is_gone_takes_its_character_with_it(parts, put_on, two):
    """Its run was deleted: the talk lacks it already when the others are put on."""
    talk = new_talk([BASE, *two], "lighthouse-keeper")
    for left, theirs in ([BASE, two[1]], "palace-secretary"), ([BASE], ""):
        updates = put_on(without_the_gone(talk, left), left, before=talk["voices"])
        assert updates[parts.panel.box.picker].value == theirs
        assert updates[parts.talk]["character"] == theirs
        assert parts.panel.system in updates


def test_who_read_the_first_ones_prompt_reads_its_own_when_that_one_goes(
    parts, put_on, tiny_model_folder, make_adapter
):
    """Two of three were trained as Mara; Shen leads when the first of them goes."""
    voices = []
    for prompt in ("Mara", "Shen", "Mara"):
        config = {"model_name_or_path": str(tiny_model_folder), "system_prompt": prompt}
        run = runs.create(TrainConfig(**config))
        make_adapter(run / "adapter", 1)
        voices.append(run.name)
    first, second, third = voices
    talk = put_on(new_talk([BASE, first]), [BASE, *voices])[parts.talk]
    kept = put_on(talk, [BASE, second, third])[parts.panel.own.kept]
    assert own_settings.read(kept, voices) == ({third: "Mara"}, {})


def test_a_voice_that_is_gone_is_a_sentence(parts, manner, tmp_path, make_adapter):
    """An adapter's folder was deleted while it spoke: the question comes back, and whatever is
    drawn meanwhile is drawn."""
    folder = make_adapter(tmp_path / "voice", 1)
    talk = new_talk([BASE, str(folder)])
    shutil.rmtree(folder)
    settings = {"system": "", "marks": True, "blind": False, "sampling": {}, "own": ({}, {})}
    *_, last = chat_flow.ask(parts, "Are you there?", talk, settings, "en")
    assert (last[parts.unasked], last[parts.talk]) == ("Are you there?", talk)
    assert "There is no folder" in last[parts.notice]
    assert last[parts.chats[1]].label == str(folder)
    chat_flow.begin(parts, "Are you there?", talk, True, False, "en")
    chat_flow.set_character(parts, talk["voices"], "lighthouse-keeper", False, manner, "en")
