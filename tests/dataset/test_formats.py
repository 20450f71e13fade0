"""Each shape of row becomes one conversation, or is left out for a reason that is counted."""

import pytest

from engine.dataset.formats import to_conversations
from engine.errors import UserError


def turns(*contents, system=None):
    head = [{"role": "system", "content": system}] if system else []
    roles = ("user", "assistant") * len(contents)
    return {
        "messages": head
        + [{"role": role, "content": text} for role, text in zip(roles, contents, strict=False)]
    }


def one(row):
    return to_conversations([row], list(row))


@pytest.mark.parametrize(
    ("row", "shape", "mapping", "expected"),
    [
        (turns("a", "b"), "messages", {"messages": "messages"}, turns("a", "b")),
        (
            {"messages": [{"role": "System", "content": "s"}, {"role": "human", "content": "a"},
                          {"role": "model", "content": " b "}]},
            "messages", {"messages": "messages"}, turns("a", "b", system="s"),
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "a "},
                                                       {"type": "image"}, {"text": "c"}]},
                          {"role": "assistant", "content": "b"}]},
            "messages", {"messages": "messages"}, turns("a c", "b"),
        ),
        (
            {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"},
                               {"from": "human", "value": "c"}, {"from": "gpt", "value": "d"}],
             "system": "s"},
            "sharegpt", {"conversations": "messages"}, turns("a", "b", "c", "d", system="s"),
        ),
        (
            {"conversations": turns("a", "b")["messages"]},
            "sharegpt", {"conversations": "messages"}, turns("a", "b"),
        ),
        (
            {"instruction": "a", "input": "b", "output": "c"},
            "alpaca", {"instruction": "user", "input": "user", "output": "assistant"},
            turns("a\nb", "c"),
        ),
        (
            {"instruction": "e", "input": None, "response": "f", "system": "s",
             "history": [["a", "b"], ["c", "d"]]},
            "alpaca",
            {"system": "system", "history": "history", "instruction": "user", "input": "user",
             "response": "assistant"},
            turns("a", "b", "c", "d", "e", "f", system="s"),
        ),
        (
            {"Prompt": "a", " Completion ": 7},
            "pairs", {"Prompt": "user", " Completion ": "assistant"}, turns("a", "7"),
        ),
        (
            {"问题": "甲", "回答": "乙"},
            "pairs", {"问题": "user", "回答": "assistant"}, turns("甲", "乙"),
        ),
        (
            {"context": "a", "target": "b", "system": "s"},
            "pairs", {"system": "system", "context": "user", "target": "assistant"},
            turns("a", "b", system="s"),
        ),
        ({"text": " a\n"}, "text", {"text": "text"}, {"text": " a\n"}),
    ],
)  # fmt: skip
def test_each_shape_exactly(row, shape, mapping, expected):
    found = one(row)
    assert (found.format, found.mapping) == (shape, mapping)
    assert found.conversations == [expected]
    assert (found.sources, found.dropped) == ([0], {})


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "a", "response": " "}, "it has no answer"),
        ({"prompt": "a", "response": None}, "it has no answer"),
        ({"messages": []}, "it has no answer"),
        ({"prompt": "", "response": "b"}, "it does not begin with a question"),
        ({"prompt": ["a"], "response": "b"}, "a cell is a list or an object, not text"),
        ({"instruction": "a", "output": "b", "system": ["s"]},
         "a cell is a list or an object, not text"),
        ({"instruction": "a", "output": "b", "history": 5}, "its history is not a list of pairs"),
        ({"instruction": "a", "output": "b", "history": [["x"]]},
         "its history is not a list of pairs"),
        ({"conversations": [1]}, "a turn has no role or no content"),
        ({"messages": [{"role": "user"}]}, "a turn has no role or no content"),
        ({"messages": [{"role": "tool", "content": "x"}]},
         "a turn has a role that is not known yet"),
        ({"messages": turns("a", "b")["messages"] + turns("c")["messages"] * 2},
         "two turns of one side follow each other"),
        ({"messages": turns("a", "b")["messages"] + turns(system="s")["messages"]},
         "a system turn stands in the middle"),
        ({"text": " \n"}, "its text is empty"),
        ({"other": 1}, "its columns are not known"),
    ],
)  # fmt: skip
def test_each_reason_to_leave_a_row_out(row, reason):
    """Beside a good row, which stays, with the number that it has in the file."""
    rows = [row, {"prompt": "a", "response": "b"}, row]
    found = to_conversations(rows, ["prompt", "response"])
    assert found.conversations == [turns("a", "b")]
    assert found.sources == [1]
    assert {why.en: count for why, count in found.dropped.items()} == {reason: 2}
    assert all(why.zh for why in found.dropped)


def test_rows_of_several_shapes_are_all_kept_and_the_commonest_named():
    rows = [{"text": "a"}, {"prompt": "a", "response": "b"}, {"prompt": "c", "response": "d"}]
    found = to_conversations(rows, ["text", "prompt", "response"])
    assert found.format == "pairs"
    assert found.conversations == [{"text": "a"}, turns("a", "b"), turns("c", "d")]


def test_unknown_columns_are_named():
    with pytest.raises(UserError, match="The columns found are foo, bar; none of them") as raised:
        one({"foo": 1, "bar": 2})
    assert raised.value.field == "dataset"


def test_no_row_left_says_why():
    rows = [{"prompt": "a", "response": ""}] * 2 + [{"prompt": "", "response": "b"}]
    with pytest.raises(UserError) as raised:
        to_conversations(rows, ["prompt", "response"])
    assert str(raised.value).startswith(
        "No row can be learned from: 2 x it has no answer; 1 x it does not begin with a question."
    )
