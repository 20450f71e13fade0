"""The names of columns, and a person's choice of them as text."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.dataset.meaning.columns import (
    ROLES,
    Roles,
    chosen_roles,
    mapping_text,
    parse_mapping,
    readings,
)
from engine.dataset.meaning.names import columns_named
from engine.errors import UserError


def test_names_are_compared_without_case_spaces_and_endings():
    """A name without an ending goes before one with it; traditional characters are simplified."""
    columns = ["Answer Text", "ANSWER", "answer_en", "answers"]
    assert columns_named(["answer"], columns) == ["ANSWER", "Answer Text", "answer_en", "answers"]
    assert columns_named(["问题"], ["問題描述", "问 题"]) == ["问 题", "問題描述"]
    assert columns_named(["a", "内容"], ["as", "内容", "文本"]) == ["内容"]
    assert columns_named(["b", "a"], ["a", "b"]) == ["b", "a"]
    assert columns_named(["con"], ["context"]) == ["context"]


def test_what_is_made_of_a_text_answers_it():
    """Beside an instruction the text is its input; a question that is named goes before."""
    assert readings(("id", "summary", "content")) == (
        ("pairs", Roles(user=("content",), assistant=("summary",))),
        ("text", Roles(text=("content",))),
    )
    assert readings(("instruction", "article", "summary")) == (
        ("alpaca", Roles(user=("instruction",), input=("article",), assistant=("summary",))),
    )
    first = readings(("source", "question", "target"))[0]
    assert first == ("pairs", Roles(user=("question",), assistant=("target",)))


def test_a_row_can_be_several_things_the_likeliest_first():
    assert readings(("text", "instruction", "output", "messages")) == (
        ("messages", Roles(messages=("messages",))),
        ("alpaca", Roles(user=("instruction",), assistant=("output",))),
        ("text", Roles(text=("text",))),
    )
    assert readings(("foo",)) == ()


@pytest.mark.parametrize(
    ("text", "mapping"),
    [
        ("", {}),
        (" question = user ,answer=assistant ", {"question": "user", "answer": "assistant"}),
        ("User Input=user, 回答=assistant,", {"User Input": "user", "回答": "assistant"}),
        (r'"a, \"b\" = c"=text, d=ignore', {'a, "b" = c': "text", "d": "ignore"}),
    ],
)
def test_a_choice_as_text(text, mapping):
    assert parse_mapping(text) == mapping


@given(st.dictionaries(st.text(), st.sampled_from(ROLES)))
def test_there_and_back(mapping):
    """For column names of any characters, in the same order."""
    assert list(parse_mapping(mapping_text(mapping)).items()) == list(mapping.items())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("question", "'question' does not say which column is what. Write question=user, "),
        ('"question=user', "'\"question=user' does not say which column is what. "),
        ("question=teacher", "'teacher' is no role for the column 'question'; the roles are "),
        ("question=", "'' is no role for the column 'question'; the roles are "),
    ],
)
def test_a_faulty_text_is_a_sentence(text, sentence):
    with pytest.raises(UserError) as raised:
        parse_mapping(text)
    assert str(raised.value).startswith(sentence)
    assert raised.value.field == "mapping"


@given(st.text())
def test_any_text_is_a_choice_or_a_sentence(text):
    with contextlib.suppress(UserError):
        assert set(parse_mapping(text).values()) <= set(ROLES)


@pytest.mark.parametrize(
    ("mapping", "sentence"),
    [
        ({"c": "user"}, "There is no column 'c'; the columns are a, b."),
        ({"a": "user"}, "The choice needs a column for the question (user) and one for the "),
        ({"a": "assistant"}, "The choice needs a column for the question (user) and one for "),
        ({"a": "ignore"}, "The choice needs a column for the question (user) and one for the "),
    ],
)
def test_a_choice_that_makes_no_conversation_is_a_sentence(mapping, sentence):
    with pytest.raises(UserError) as raised:
        chosen_roles(mapping, ["a", "b"])
    assert str(raised.value).startswith(sentence)
    assert raised.value.field == "mapping"
    assert str(raised.value).endswith("The columns are a, b.") or "columns are a, b" in sentence
