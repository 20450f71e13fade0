"""A conversation as messages, and as the files in which it leaves."""

import json

import pytest

from engine import characters
from engine.chat import conversations
from engine.dataset.meaning.formats import to_conversations
from engine.dataset.reading.read import read_table
from engine.errors import UserError

MARAS = {"base": "You are Mara.\n", "calm-otter-0001": "You are Mara."}
TALK = {
    "voices": ["base", "calm-otter-0001"],
    "greeting": "Aye, come in.",
    "turns": [
        {
            "question": "Who are you?",
            "system": MARAS,
            "answers": {"base": {"text": "A model."}, "calm-otter-0001": {"text": "Mara, dear."}},
            "sampling": {"seed": 0},
        },
        {
            "question": "## And\nnow?",
            "system": MARAS,
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
    asked = TALK | {"turns": [*TALK["turns"], {"question": "Why?", "system": MARAS, "answers": {}}]}
    assert conversations.history(asked, "calm-otter-0001") == [
        MARA[0],
        {"role": "assistant", "content": "Aye, come in."},
        *MARA[1:],
        {"role": "user", "content": "Why?"},
    ]
    assert conversations.history({"turns": []}, "base") == []


def test_rows_are_what_each_voice_said_and_can_be_trained_on(tmp_path):
    """Without the greeting, up to the answer that is empty; equal ones once."""
    same = {"question": "Hm?", "answers": {"a": {"text": "x"}, "b": {"text": "x"}}}
    name, text = conversations.write(TALK, "rows", NAMES)
    assert name == "conversation.jsonl"
    rows = [json.loads(line)["messages"] for line in text.splitlines()]
    base = [MARA[0], MARA[1], {"role": "assistant", "content": "A model."}]
    assert rows == [base, MARA]
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    found = to_conversations(read_table(path))
    assert [one["messages"] for one in found.conversations] == rows
    assert len(conversations.write({"turns": [same]}, "rows", {})[1].splitlines()) == 1


def test_markdown_for_people():
    card = characters.get("lighthouse-keeper")
    assert conversations.write(TALK, "markdown", NAMES, card) == (
        "conversation-lighthouse-keeper.md",
        "# Mara\n\n> You are Mara.\n\n**Mara**\n\nAye, come in.\n\n"
        "## Who are you?\n\n**sprout**\n\nA model.\n\n**calm-otter**\n\nMara, dear.\n\n"
        "## ## And now?\n\n**sprout**\n\n\n\n**calm-otter**\n\nThe lamp.\n",
    )


def test_each_voice_leaves_with_the_prompt_that_it_read():
    """Each had its own at first; later both read one of two lines, then none."""
    systems = [{"a": "Be a.", "b": "Be b."}, {"a": "Be a.", "b": "Be c."}]
    systems += [{"a": "One.\nTwo.", "b": "One.\nTwo."}, {"a": "", "b": ""}]
    talk = {
        "greeting": "Aye.",
        "turns": [
            {"question": f"{n}?", "system": one, "answers": {v: {"text": f"{v}{n}"} for v in "ab"}}
            for n, one in enumerate(systems)
        ],
    }
    first = talk | {"turns": talk["turns"][:1]}
    rows = [
        json.loads(line)["messages"]
        for line in conversations.write(first, "rows", {})[1].splitlines()
    ]
    assert rows == [
        [
            {"role": "system", "content": f"Be {voice}."},
            {"role": "user", "content": "0?"},
            {"role": "assistant", "content": f"{voice}0"},
        ]
        for voice in "ab"
    ]
    assert conversations.row(talk, "a")[0] == {"role": "user", "content": "0?"}
    assert conversations.write(talk, "markdown", {"a": "Ann"})[1] == (
        "**Ann**\n\n> Be a.\n\n**b**\n\n> Be b.\n\n**·**\n\nAye.\n\n"
        "## 0?\n\n**Ann**\n\na0\n\n**b**\n\nb0\n\n"
        "**b**\n\n> Be c.\n\n## 1?\n\n**Ann**\n\na1\n\n**b**\n\nb1\n\n"
        "> One.\n> Two.\n\n## 2?\n\n**Ann**\n\na2\n\n**b**\n\nb2\n\n"
        "> –\n\n## 3?\n\n**Ann**\n\na3\n\n**b**\n\nb3\n"
    )


def test_json_holds_all_of_it():
    _, text = conversations.write(TALK, "json", NAMES)
    assert json.loads(text) == {
        "character": "",
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
        conversations.write(talk, form, {})
