"""Nothing is left out silently: each row that is, with its reason, and each end that is cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.dataset.meaning.formats import learnable
from engine.errors import UserError
from tests.dataset.made_rows import read, sharegpt, turns


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "a", "response": " "}, "it has no answer"),
        ({"prompt": "a", "response": None}, "it has no answer"),
        ({"instruction": "a", "output": "", "text": "all of it"}, "it has no answer"),
        ({"messages": []}, "it has no answer"),
        (turns("a"), "it has no answer"),
        (turns("a", "", "b", "c"), "one of its answers is empty"),
        ({"prompt": "a", "response": ["b", "c"]}, "its answer is a list of several texts"),
        ({"prompt": "a", "output": ["b", "c"], "score": 5},
         "its answer is a list of several texts"),
        ({"prompt": "", "response": "b"}, "it does not begin with a question"),
        ({"messages": turns("a", "b")["messages"][1:]}, "it does not begin with a question"),
        ({"prompt": ["a"], "response": "b"}, "a cell is a list or an object, not text"),
        ({"prompt": "a", "response": {"b": 1}}, "a cell is a list or an object, not text"),
        ({"instruction": "a", "output": "b", "system": ["s"]},
         "a cell is a list or an object, not text"),
        ({"instruction": "a", "output": "b", "history": 5}, "its history is not a list of pairs"),
        ({"instruction": "a", "output": "b", "history": "[[1]]"},
         "its history is not a list of pairs"),
        ({"conversations": [1]}, "a turn has no role or no content"),
        ({"messages": [{"role": "user"}]}, "a turn has no role or no content"),
        ({"messages": [{"role": "narrator", "content": "x"}]},
         "a turn has a role that is not known"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "u"}]},
                       {"role": "assistant", "content": "b"}]},
         "a turn holds more than text, such as a picture"),
        ({"messages": turns("a")["messages"] * 2 + turns("c", "d")["messages"][1:]},
         "two turns of one side follow each other"),
        ({"messages": turns("a", "b")["messages"] + turns("c", "d", system="s")["messages"]},
         "a system turn stands in the middle"),
        ({"conversations": [*sharegpt("a"), {"from": "function_call", "value": "find()"}]},
         "a tool call is not JSON with a name and arguments"),
        (turns("a", "b") | {"tools": "find"},
         "its tools are not a list of functions in JSON"),
        (turns("a", "b") | {"label": False}, "it is labelled as a bad answer"),
        (turns("a", "b") | {"label": 0}, "it is labelled as a bad answer"),
        (turns("a", "b") | {"label": "0"}, "it is labelled as a bad answer"),
        (turns("a", "b") | {"label": " False"}, "it is labelled as a bad answer"),
        ({"text": " \n"}, "its text is empty"),
        ({"other": 1}, "its columns are not known"),
        ({"prompt": "a"}, "it has no answer"),
        ({"response": "b"}, "it does not begin with a question"),
        ({"turns": ["a", "b"]}, "a turn has no role or no content"),
        (
            {"messages": [{"role": "user", "content": "a"},
                          {"role": "assistant", "content": "b", "weight": 0}]},
            "all its answers have weight 0",
        ),
    ],
)  # fmt: skip
def test_each_reason_to_leave_a_row_out(row, reason):
    """Beside a good row, which stays, with the number that it has in the file."""
    found = read([row, {"prompt": "a", "response": "b"}, row])
    assert list(found.conversations) == [turns("a", "b")]
    assert found.sources == [1]
    assert [(at, why.en) for at, why in found.dropped] == [(0, reason), (2, reason)]
    assert all(why.zh for _, why in found.dropped)


@pytest.mark.parametrize(
    ("end", "kept"),
    [
        (turns("c")["messages"], turns("a", "b")),
        (turns("c", "")["messages"], turns("a", "b")),
        (turns("c")["messages"] * 2, turns("a", "b")),
        ([{"role": "tool", "content": "c"}], turns("a", "b")),
    ],
)
def test_what_nobody_answers_is_cut_off_the_end_and_counted(end, kept):
    found = read([{"messages": turns("a", "b")["messages"] + end}, turns("a", "b")])
    assert list(found.conversations) == [kept, kept]
    assert [note.en for note in found.notes] == [
        "In 1 conversations the end has no answer; it is cut off, since it would teach nothing."
    ]


def test_a_row_of_a_choice_without_its_answer():
    found = read([{"x": "a", "y": "b"}, {"x": "c"}], mapping="x=user, y=assistant")
    assert [(at, why.en) for at, why in found.dropped] == [(1, "it has no answer")]
    assert found.shapes == {"mapped": 2}


def test_no_row_left_says_why():
    """What is left out is known all the same, so that it can be shown and mended."""
    found = read([{"prompt": "a", "response": ""}] * 2 + [{"prompt": "", "response": "b"}])
    assert (len(found.conversations), len(found.dropped), found.format) == (0, 3, "pairs")
    with pytest.raises(UserError) as raised:
        learnable(found)
    assert str(raised.value).startswith(
        "No row can be learned from: 2 x it has no answer; 1 x it does not begin with a question."
    )


NAMES = (
    "instruction input output history system tools text messages conversations chosen rejected "
    "prompt label rank question 回答 other"
).split()
ROLES = st.sampled_from("role from content value human assistant input output tool_calls".split())
WORDS = st.sampled_from(["user", "gpt", "function_call", "tool", "User: a", "", " ", "[1]", '{"a"'])
CELLS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ROLES, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(NAMES), CELLS, max_size=5), min_size=1, max_size=4))
def test_any_rows_give_conversations_or_a_sentence(rows):
    """Nothing is dropped silently, nothing raises, and what is kept can be rendered."""
    try:
        found = read(rows)
    except UserError:
        return
    if found.format != "script":
        assert len(found.conversations) + len(found.dropped) == len(rows)
        assert sorted([*found.sources, *(row for row, _ in found.dropped)]) == list(
            range(len(rows))
        )
    for one in found.conversations:
        if "text" not in one:
            said = [m["role"] for m in one["messages"] if m["role"] != "system"]
            assert (said[0], said[-1]) == ("user", "assistant")
