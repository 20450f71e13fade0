"""A conversation as messages, and as the files in which it leaves."""

import json

import pytest

from engine import characters
from engine.chat import conversations
from engine.dataset.meaning.formats import to_conversations
from engine.dataset.reading.read import read_table
from engine.errors import UserError

TALK = {
    "voices": ["base", "calm-otter-0001"],
    "greeting": "Aye, come in.",
    "turns": [
        {
            "question": "Who are you?",
            "answers": {"base": {"text": "A model."}, "calm-otter-0001": {"text": "Mara, dear."}},
            "sampling": {"seed": 0},
        },
        {
            "question": "## And\nnow?",
            "answers": {"base": {"text": "  "}, "calm-otter-0001": {"text": "The lamp."}},
            "sampling": {"seed": 0},
        },
    ],
}
NAMES = {"base": "sprout", "calm-otter-0001": "calm-otter"}
MARA = [
    {"role": "system", "content": "You are Mara."},
    {"role": "user", "content": "Who are you?"},
    {"role": "assistant", "content": "Mara, dear."},
    {"role": "user", "content": "## And\nnow?"},
    {"role": "assistant", "content": "The lamp."},
]


def test_the_history_begins_with_the_greeting_and_may_end_with_a_question():
    asked = TALK | {"turns": [*TALK["turns"], {"question": "Why?", "answers": {}}]}
    assert conversations.history(asked, "calm-otter-0001", " You are Mara. ") == [
        MARA[0],
        {"role": "assistant", "content": "Aye, come in."},
        *MARA[1:],
        {"role": "user", "content": "Why?"},
    ]
    assert conversations.history({"turns": []}, "base", " ") == []


def test_rows_are_what_each_voice_said_and_can_be_trained_on(tmp_path):
    """Without the greeting, up to the answer that is empty; equal ones once."""
    same = {"question": "Hm?", "answers": {"a": {"text": "x"}, "b": {"text": "x"}}}
    name, text = conversations.write(TALK, "rows", "You are Mara.", NAMES)
    assert name == "conversation.jsonl"
    rows = [json.loads(line)["messages"] for line in text.splitlines()]
    base = [MARA[0], MARA[1], {"role": "assistant", "content": "A model."}]
    assert rows == [base, MARA]
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    found = to_conversations(read_table(path))
    assert [one["messages"] for one in found.conversations] == rows
    assert len(conversations.write({"turns": [same]}, "rows", "", {})[1].splitlines()) == 1


def test_markdown_for_people():
    card = characters.get("lighthouse-keeper")
    assert conversations.write(TALK, "markdown", "You are Mara.\nKind.", NAMES, card) == (
        "conversation-lighthouse-keeper.md",
        "# Mara\n\n> You are Mara.\n> Kind.\n\n**Mara**\n\nAye, come in.\n\n"
        "## Who are you?\n\n**sprout**\n\nA model.\n\n**calm-otter**\n\nMara, dear.\n\n"
        "## ## And now?\n\n**sprout**\n\n\n\n**calm-otter**\n\nThe lamp.\n",
    )


def test_json_holds_all_of_it():
    _, text = conversations.write(TALK, "json", "You are Mara.", NAMES)
    assert json.loads(text) == {
        "character": "",
        "system_prompt": "You are Mara.",
        "greeting": "Aye, come in.",
        "voices": NAMES,
        "turns": TALK["turns"],
    }


@pytest.mark.parametrize(
    ("talk", "form", "sentence"),
    [
        (TALK, "docx", "no form of a conversation"),
        ({"turns": []}, "json", "Nothing has been answered yet"),
        ({"turns": [{"question": "?", "answers": {"base": {"text": ""}}}]}, "rows", "No voice"),
    ],
)
def test_what_cannot_leave_is_a_sentence(talk, form, sentence):
    with pytest.raises(UserError, match=sentence):
        conversations.write(talk, form, "", {})
