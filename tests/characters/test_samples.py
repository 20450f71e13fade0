"""The cards: complete, and their exams were never trained on."""

import re

import pytest

from engine import characters
from engine.dataset.meaning.formats import to_conversations
from engine.dataset.reading.read import read_table
from engine.errors import UserError
from engine.library import resolve
from engine.places import DATA_DIR

CARDS = characters.list_characters()


def normal(text):
    return re.sub(r"\W+", "", text).casefold()


def test_english_ones_come_first():
    assert [card.id for card in CARDS] == ["lighthouse-keeper", "palace-secretary"]


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_a_card_is_complete(card):
    assert characters.get(card.id) == card
    assert all([card.name, card.title.en, card.title.zh, card.system_prompt, card.greeting])
    assert len(card.questions) == 5
    assert card.exam.keys() == {"markers", "questions"}
    assert len(card.exam["questions"]) == len(set(card.exam["questions"])) == 30
    assert all(re.compile(marker, re.IGNORECASE) for marker in card.exam["markers"])


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_no_exam_question_is_in_a_training_row(card):
    table = read_table(resolve(card.id))
    conversations = to_conversations(table).conversations
    asked = {
        normal(turn["content"])
        for one in conversations
        for turn in one["messages"]
        if turn["role"] == "user"
    }
    assert len(asked) > 150
    assert not asked & {normal(question) for question in card.exam["questions"]}


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_the_training_answers_bear_the_marks_of_the_exam(card):
    """Else nobody could pass it: at least nine of ten answers of the data are in character."""
    table = read_table(DATA_DIR / "datasets" / card.dataset)
    conversations = to_conversations(table).conversations
    answers = [one["messages"][-1]["content"] for one in conversations]
    marks = [re.compile(marker, re.IGNORECASE) for marker in card.exam["markers"]]
    spoken = sum(any(mark.search(answer) for mark in marks) for answer in answers)
    assert spoken / len(answers) >= 0.9


@pytest.mark.parametrize("id", ["nobody", "../characters/palace-secretary", "", "Mara"])
def test_an_unknown_character_names_the_known_ones(id):
    with pytest.raises(UserError, match="known are lighthouse-keeper, palace-secretary") as raised:
        characters.get(id)
    assert raised.value.field == "character"
