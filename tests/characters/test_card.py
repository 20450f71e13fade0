"""What a card becomes: its names filled in, its system prompt, its limits."""

import pytest

from engine.characters.card import character, written
from engine.characters.placeholders import fill
from engine.errors import UserError


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{char}} greets {{user}}.", "Mara greets Tom."),
        ("{{ CHAR }} and <BOT>, {{User}} and <user>", "Mara and Mara, Tom and Tom"),
        ("{char} <bot > {{chars}} {{original}}", "{char} <bot > {{chars}} {{original}}"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
    ],
)
def test_both_names_are_filled_in(text, filled):
    assert fill(text, "Mara", "Tom") == filled


def test_a_name_that_looks_like_a_placeholder_is_not_filled_again():
    assert fill("{{char}} {{user}}", "{{user}}", "<BOT>") == "{{user}} <BOT>"


def test_the_system_prompt_holds_all_that_the_model_is_told():
    card = character(
        "mara",
        {
            "name": "Mara",
            "user": "Tom",
            "instructions": "{{original}} Stay in character.",
            "persona": "{{char}} keeps a lighthouse.\r\n",
            "personality": "dry",
            "scenario": "{{user}} knocks.",
            "examples": "<START>\n{{user}}: Hi\n{{char}}: Aye.\n<start>\n<USER>: Bye\n<BOT>: Aye.",
        },
    )
    assert card.system_prompt == (
        "You are Mara. Stay in character.\n\n"
        "Mara keeps a lighthouse.\n\n"
        "Personality: dry\n\n"
        "Scenario: Tom knocks.\n\n"
        "How Mara speaks:\n\nTom: Hi\nMara: Aye.\n\nTom: Bye\nMara: Aye."
    )


def test_a_chinese_card_is_told_in_chinese_and_knows_its_nickname():
    card = character(
        "x",
        {
            "name": "沈知微",
            "nickname": "知微",
            "instructions": "{{original}}",
            "scenario": "{{user}}来访。",
            "greeting": "{{user}}安好。",
            "alternate_greetings": ["我是{{char}}。", " "],
            "questions": ["{{char}}在吗？"],
        },
    )
    assert card.language == "zh"
    assert card.system_prompt == "你是知微。\n\n场景：用户来访。"
    assert card.greetings == ["用户安好。", "我是知微。"]
    assert card.suggestions == ["知微在吗？"]


def test_a_card_is_written_as_it_was_read_and_keeps_what_it_does_not_know():
    values = {"name": "Mara", "persona": "{{char}}", "mood": [1, {"a": None}], "dataset": "x.json"}
    card = character("mara", values)
    assert card.kept == {"mood": [1, {"a": None}], "dataset": "x.json"}
    assert card.dataset == ""
    assert character("mara", written(card)) == card


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        ({"name": " "}, "name", "needs a name"),
        ({}, "name", "needs a name"),
        ({"name": "x" * 101}, "name", "name has 101 characters; at most 100"),
        ({"name": "M", "persona": "x" * 40_001}, "persona", "persona has 40,001 characters"),
        ({"name": "M", "persona": ["a"]}, "persona", "must be text"),
        ({"name": "M", "questions": ["?"] * 21}, "questions", "21 entries; at most 20"),
        ({"name": "M", "sampling": [1]}, "sampling", "must name settings"),
        ({"name": "M", "sampling": {"temperature": 9}}, "temperature", "from 0 to 2"),
        ({"name": "M", "sampling": {"heat": 1}}, "heat", "no sampling setting 'heat'"),
    ],
)
def test_what_cannot_be_a_card_is_a_sentence(values, field, sentence):
    with pytest.raises(UserError, match=sentence) as raised:
        character("m", values)
    assert raised.value.field == field
