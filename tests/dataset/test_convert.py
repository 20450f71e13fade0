"""Each format exactly, and back again."""

import json

import pytest

from engine.dataset.convert import FORMATS, convert
from engine.dataset.formats import to_conversations
from engine.dataset.read import read_table
from engine.errors import UserError

MESSAGES = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Yes."},
    {"role": "user", "content": "走吗"},
    {"role": "assistant", "content": "不。"},
]
EXPECTED = {
    "messages": [{"messages": MESSAGES}],
    "alpaca": [
        {"instruction": "Hi", "input": "", "output": "Yes.", "system": "Be kind."},
        {"instruction": "走吗", "input": "", "output": "不。", "system": "Be kind.",
         "history": [["Hi", "Yes."]]},
    ],
    "sharegpt": [
        {"conversations": [
            {"from": "system", "value": "Be kind."},
            {"from": "human", "value": "Hi"},
            {"from": "gpt", "value": "Yes."},
            {"from": "human", "value": "走吗"},
            {"from": "gpt", "value": "不。"},
        ]},
    ],
    "prompt-completion": [
        {"prompt": "Be kind.\n\nHi", "completion": "Yes."},
        {"prompt": "Be kind.\n\n走吗", "completion": "不。"},
    ],
    "context-target": [
        {"context": "Be kind.\n\nHi", "target": "Yes."},
        {"context": "Be kind.\n\n走吗", "target": "不。"},
    ],
    "text": [
        {"text": "System: Be kind.\nUser: Hi\nAssistant: Yes.\nUser: 走吗\nAssistant: 不。"},
    ],
}  # fmt: skip


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("to", FORMATS)
def test_each_format_exactly(tmp_path, write_rows, to):
    source = write_rows(tmp_path / "in.jsonl", [{"messages": MESSAGES}])
    out = tmp_path / "out.jsonl"
    assert convert(source, to, out) == len(EXPECTED[to])
    assert lines(out) == EXPECTED[to]
    assert "走吗" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize("to", ["messages", "sharegpt"])
def test_nothing_is_lost_there_and_back(tmp_path, write_rows, to):
    source = write_rows(tmp_path / "in.jsonl", [{"messages": MESSAGES}])
    out = tmp_path / "out.jsonl"
    convert(source, to, out)
    table = read_table(out)
    found = to_conversations(table.rows, table.columns)
    assert found.conversations == [{"messages": MESSAGES}]


def test_alpacas_last_row_holds_the_whole_conversation(tmp_path, write_rows):
    source = write_rows(tmp_path / "in.jsonl", [{"messages": MESSAGES}])
    convert(source, "alpaca", tmp_path / "out.jsonl")
    table = read_table(tmp_path / "out.jsonl")
    assert to_conversations(table.rows, table.columns).conversations[-1] == {"messages": MESSAGES}


def test_text_stays_text(tmp_path, write_rows):
    source = write_rows(tmp_path / "in.jsonl", [{"text": "Once.\nTwice."}])
    convert(source, "text", tmp_path / "out.jsonl")
    assert lines(tmp_path / "out.jsonl") == [{"text": "Once.\nTwice."}]


def test_an_unknown_format_names_the_known(tmp_path, small_dataset):
    with pytest.raises(UserError, match="'xml' is no format; choose one of messages, alpaca") as e:
        convert(small_dataset, "xml", tmp_path / "out")
    assert e.value.field == "to"


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path, small_dataset):
    with pytest.raises(UserError, match="cannot be written") as raised:
        convert(small_dataset, "text", tmp_path / "none" / "out.jsonl")
    assert raised.value.field == "out"
