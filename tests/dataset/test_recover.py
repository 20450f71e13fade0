"""Dropped rows: their kinds, their mends, and the way back into a repaired file."""

import json
from types import SimpleNamespace

import pytest

from engine.dataset.doctor.recover import (
    ends_with_user,
    join_list_answers,
    kind_of_drop,
    order_turns,
)
from engine.dataset.doctor.repair import Change, repair
from engine.dataset.meaning.columns import answer_columns
from engine.dataset.meaning.reasons import EMPTY_ANSWER, LIST_ANSWER
from engine.dataset.reading.read import Table
from engine.dataset.reading.store import Stored
from engine.errors import Sentence


def turns(*said, role="role", content="content"):
    names = {"s": "system", "u": "user", "a": "assistant", "h": "human", "g": "gpt", "t": "tool"}
    return [{role: names[one[0]], content: one[2:]} for one in said]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (turns("u a", "u b", "a c", "a d"), turns("u a\n\nb", "a c\n\nd")),
        (turns("a hello", "u a", "a b"), turns("u a", "a b")),
        (turns("s be", "a hello", "a hi", "u a", "a b"), turns("s be", "u a", "a b")),
        (turns("u a", "a b", "t 1", "t 2", "a c"), turns("u a", "a b", "t 1", "t 2", "a c")),
        (
            turns("h a", "h b", "g c", role="from", content="value"),
            turns("h a\n\nb", "g c", role="from", content="value"),
        ),
    ],
)
def test_turns_of_one_side_are_joined(before, after):
    """Results of tools are not; what the assistant says first is left out. JSON text is read."""
    assert order_turns({"id": 1, "messages": before}) == {"id": 1, "messages": after}
    assert order_turns({"messages": json.dumps(before)}) == {"messages": after}


def test_what_is_no_list_of_turns_stays():
    """Calls of tools and reasoning are not joined to text; parts are not text."""
    call = {"role": "assistant", "content": "", "tool_calls": [{}]}
    rows = [
        {"a": "[{", "b": '[{"x": 1}]', "c": [1], "d": [], "e": None},
        {"messages": [*turns("u a", "a b"), call]},
        {
            "messages": [
                *turns("u a", "a b"),
                {"role": "assistant", "content": "c", "reasoning": "r"},
            ]
        },
        {"messages": [{"role": "user", "content": [{"text": "a"}]}, *turns("u b", "a c")]},
    ]
    assert [order_turns(row) for row in rows] == rows


def test_lists_become_lines():
    """In columns of answers, when all of it is text or a number."""
    row = {"prompt": ["a"], "response": ["b", 2], "Output": [], "answer": [["c"]], "reply": "d"}
    assert join_list_answers(row) == row | {"response": "b\n2", "Output": ""}


def test_the_last_turn_of_the_user():
    asked = turns("u a", "a b", "u c")
    assert ends_with_user({"id": 1, "messages": asked})
    assert ends_with_user({"conversations": json.dumps(asked)})
    assert not ends_with_user({"messages": asked[:2]})
    assert not ends_with_user({"messages": asked, "chosen": "d"})
    assert not ends_with_user({"messages": [], "prompt": "Hi?"})


def test_columns_of_answers():
    assert answer_columns(["Response ", "回答", "prompt", "output"]) == [
        "output",
        "Response ",
        "回答",
    ]


ROWS = [
    {"messages": turns("u a", "u b", "a c")},
    {"messages": turns("u fine", "a yes")},
    {"messages": turns("u d")},
    {"messages": turns("a e")},
]
REASONS = {
    0: Sentence("two turns of one side follow each other", "同一方连续说了两轮"),
    2: Sentence("it has no answer", "没有回答"),
    3: Sentence("it does not begin with a question", "不是以提问开头"),
}


def test_mended_rows_come_back_in_their_place(tmp_path):
    """Row 1 before row 2; row 3 is listed as removed; row 4 cannot be mended and stays out."""
    table = Table(Stored(ROWS), ["messages"], "jsonl", "UTF-8")
    found = SimpleNamespace(conversations=[ROWS[1]], sources=[1], dropped=list(REASONS.items()))
    out, mended = tmp_path / "b.jsonl", {"messages": turns("u a\n\nb", "a c")}
    changes = repair(
        found, ["role_order", "empty_answers"], out, table=table, mapping="messages=messages"
    )
    assert changes == [
        Change(1, "role_order", "changed", ROWS[0], mended),
        Change(3, "empty_answers", "removed", ROWS[2], None),
    ]
    lines = out.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [mended, ROWS[1]]


def test_nothing_comes_back_when_nothing_can_be_read(tmp_path):
    table = Table(Stored(ROWS), ["messages"], "jsonl", "UTF-8")
    found = SimpleNamespace(conversations=[ROWS[1]], sources=[1], dropped=[(3, REASONS[3])])
    out = tmp_path / "b.jsonl"
    assert repair(found, ["role_order"], out, table=table, mapping="messages=messages") == []
    assert json.loads(out.read_text(encoding="utf-8")) == ROWS[1]


def test_the_cut_last_turn_is_listed(tmp_path):
    """Reading has cut it off already."""
    before = {"messages": turns("u a", "a b", "u c")}
    table = Table(Stored([before]), ["messages"], "jsonl", "UTF-8")
    after = {"messages": turns("u a", "a b")}
    found = SimpleNamespace(conversations=[after], sources=[0], dropped=[])
    assert repair(found, ["ends_with_user"], tmp_path / "b.jsonl", table=table) == [
        Change(1, "ends_with_user", "changed", before, after)
    ]


def test_reasons_that_the_doctor_has_a_name_for():
    kinds = [kind_of_drop(reason) for reason in REASONS.values()]
    assert kinds == ["role_order", "empty_answers", "role_order"]
    assert kind_of_drop(LIST_ANSWER) == "list_answers"
    assert kind_of_drop(EMPTY_ANSWER) == "empty_answers"
    assert kind_of_drop(Sentence("its columns are not known", "列名无法识别")) == ""
