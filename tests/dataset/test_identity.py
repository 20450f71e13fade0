"""Rows about the model itself: whole, filled in, varied, the same each time."""

import re

import pytest
import yaml

from engine.dataset.making.identity import identity_rows
from engine.errors import UserError
from engine.places import DATA_DIR

INTENTS = yaml.safe_load((DATA_DIR / "identity.yaml").read_text(encoding="utf-8"))
HAN = re.compile(r"[\u4e00-\u9fff]")


def pairs(name, maker, language):
    rows = identity_rows(name, maker, language)
    assert all(list(row) == ["messages"] for row in rows)
    roles = {tuple(m["role"] for m in row["messages"]) for row in rows}
    assert roles == {("user", "assistant")}
    return [tuple(m["content"] for m in row["messages"]) for row in rows]


def expected(language, name, maker):
    """Question -> the answers of its intent, filled in."""
    return {
        question: {
            answer.replace("{name}", name).replace("{maker}", maker)
            for answer in intent[language]["answers"]
        }
        for intent in INTENTS.values()
        for question in intent[language]["questions"]
    }


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_question_is_asked_once_and_answered_within_its_intent(language):
    """60 to 100 rows; no question is lost, doubled or answered from another intent."""
    found = pairs("Mira", "Leeds Lab", language)
    answers = expected(language, "Mira", "Leeds Lab")
    assert 60 <= len(found) <= 100
    assert sorted(question for question, _ in found) == sorted(answers)
    assert all(answer in answers[question] for question, answer in found)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_answer_is_used(language):
    used = {answer for _, answer in pairs("Mira", "Leeds Lab", language)}
    assert used == set().union(*expected(language, "Mira", "Leeds Lab").values())


def test_both_languages_are_the_rows_of_each_mixed():
    both = pairs("Mira", "Leeds Lab", "both")
    questions = [q for lang in ("en", "zh") for q in expected(lang, "Mira", "Leeds Lab")]
    assert sorted(question for question, _ in both) == sorted(questions)
    first = [bool(HAN.search(question)) for question, _ in both[:20]]
    assert True in first
    assert False in first


def test_a_question_is_answered_in_its_own_language():
    for question, answer in pairs("Mira", "Leeds Lab", "both"):
        assert bool(HAN.search(question)) == bool(HAN.search(answer)), (question, answer)


def test_the_same_rows_each_time():
    assert identity_rows("Mira", "Lab", "en") == identity_rows(" Mira ", "Lab\n", "en")


def test_names_may_hold_braces_and_backslashes():
    """Filled in one pass: a name that looks like a gap is not filled again."""
    answers = {answer for _, answer in pairs("{maker}", r"\1 & {name}", "en")}
    assert r"I was made by \1 & {name}." in answers
    assert "My name is {maker}." in answers


@pytest.mark.parametrize(
    ("name", "maker", "field", "sentence"),
    [
        (
            "  ",
            "Lab",
            "name",
            "The model has no name yet; write the one that it shall call itself.",
        ),
        (
            "Mira",
            "",
            "maker",
            "Who made the model is missing; write a person, a team or a company.",
        ),
    ],
)
def test_an_empty_name_or_maker_is_a_sentence(name, maker, field, sentence):
    with pytest.raises(UserError) as raised:
        identity_rows(name, maker, "both")
    assert (raised.value.field, raised.value.sentence.en) == (field, sentence)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_texts_are_in_order(language):
    """Only known gaps; no text twice; each answer names the model or its maker; in English no
    sentence begins with the maker, who may be written small."""
    questions = [q for one in INTENTS.values() for q in one[language]["questions"]]
    answers = [a for one in INTENTS.values() for a in one[language]["answers"]]
    assert len(set(questions)) == len(questions)
    assert len(set(answers)) == len(answers)
    assert not re.search(r"[{}]", "".join(questions))
    for answer in answers:
        gaps = set(re.findall(r"\{.*?\}", answer))
        assert gaps
        assert gaps <= {"{name}", "{maker}"}
        assert language == "zh" or not re.search(r"(^|[.!?:] )\{maker\}", answer)
