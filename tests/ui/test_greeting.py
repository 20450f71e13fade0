"""The greeting before the turns: whose turn a bubble is, and whose character a run speaks as."""

from pathlib import Path

import pytest

from engine.characters import shelf
from engine.characters.card import character
from engine.chat.adapters import Adapter
from ui import answers, cast, conversation

SOMEBODY = {
    "voice": "a/b",
    "folder": Path(),
    "base": "sprout",
    "method": "LoRA",
}
TURNS = [{"question": q, "answers": {"base": {"text": q.upper(), "done": True}}} for q in "ab"]


@pytest.mark.parametrize(
    ("greeting", "message", "question"),
    [
        ("", 0, "a"),
        ("", 1, "a"),
        ("", (3, 0), "b"),
        ("Aye.", 0, ""),
        ("Aye.", 1, "a"),
        ("Aye.", 2, "a"),
        ("Aye.", [4, 0], "b"),
        ("Aye.", 3, "b"),
    ],
)
def test_a_bubble_belongs_to_its_turn_also_behind_a_greeting(greeting, message, question):
    talk = conversation.new_talk(["base"], "mara", greeting) | {"turns": TURNS}
    before, asked = conversation.up_to(talk, message)
    assert asked == question
    assert before["turns"] == ([] if question == "a" else TURNS[:1] if question else TURNS)
    assert before["greeting"] == greeting


def test_the_greeting_is_the_first_bubble_and_no_html():
    talk = conversation.new_talk(["base"], "mara", "<b>Aye.</b>") | {"turns": TURNS[:1]}
    assert answers.messages(talk, 0, True, "en") == [
        {"role": "assistant", "content": "&lt;b&gt;Aye.&lt;/b&gt;"},
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "A"},
    ]
    assert conversation.anew(talk)["greeting"] == "<b>Aye.</b>"


def test_a_run_speaks_as_the_card_whose_prompt_it_learned():
    card = shelf.save(character("", {"name": "Tom", "persona": "{{char}} rows."}))
    adapter = Adapter(system_prompt="Tom rows.\n", **SOMEBODY)
    assert cast.character_of(adapter) == card
    assert cast.character_of(Adapter(system_prompt="", **SOMEBODY)) is None
