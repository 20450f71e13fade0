"""A file of any content becomes a table or a sentence under "dataset"; never anything else."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.dataset import read
from engine.dataset.formats import to_conversations
from engine.dataset.read import Table, read_table
from engine.errors import UserError

ROWS = [{"prompt": "Hi", "response": "Yes."}, {"prompt": "你好", "response": "好。"}]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
COLUMNS = ["prompt", "response"]


def file(folder, content, name="data.json"):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(path):
    with pytest.raises(UserError) as raised:
        read_table(path)
    assert raised.value.field == "dataset"
    assert raised.value.sentence.zh
    return str(raised.value)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (json.dumps(ROWS), "json"),
        (json.dumps(ROWS, indent=2, ensure_ascii=False), "json"),
        (LINES, "jsonl"),
        ("\n" + LINES.replace("\n", "\r\n\r\n").rstrip(), "jsonl"),
        ("prompt,response\nHi,Yes.\n你好,好。\n", "csv"),
        ("prompt\tresponse\r\nHi\tYes.\r\n你好\t好。\r\n", "csv"),
        ('prompt;response\n"Hi";Yes.\n你好;"好。"\n', "csv"),
    ],
)
def test_every_kind_of_text_whatever_its_name(tmp_path, content, kind):
    name = "data.csv" if kind == "csv" else "data.txt"
    assert read_table(file(tmp_path, content, name)) == Table(ROWS, COLUMNS, kind, "UTF-8")


def test_parquet(tmp_path):
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "data.bin"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)
    assert read_table(path) == Table(ROWS, COLUMNS, "parquet", "Parquet")
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS[:0]), path)
    assert "broken Parquet" in refusal(file(tmp_path, b"PAR1 and no more", "data.parquet"))


def test_parquet_without_rows(tmp_path):
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "data.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"prompt": pyarrow.array([], "string")}), path)
    assert "holds no rows" in refusal(path)


@pytest.mark.parametrize(
    ("codec", "named"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8"),
        ("gb18030", "GB18030"),
        ("gbk", "GB18030"),
        ("utf-16", "UTF-16"),
        ("utf-16-be", "UTF-16"),
    ],
)
def test_every_encoding(tmp_path, codec, named):
    mark = b"\xfe\xff" if codec == "utf-16-be" else b""
    table = read_table(file(tmp_path, mark + LINES.encode(codec)))
    assert table == Table(ROWS, COLUMNS, "jsonl", named)


def test_one_object_is_one_row(tmp_path):
    table = read_table(file(tmp_path, json.dumps(ROWS[0], indent=1)))
    assert table.rows == ROWS[:1]


def test_columns_are_those_of_all_rows(tmp_path):
    assert read_table(file(tmp_path, '[{"b": 1}, {"a": 2, "b": 3}]')).columns == ["b", "a"]


def test_cells_of_csv(tmp_path):
    """Quoted line breaks and commas stay; a missing cell is absent; a surplus one is dropped."""
    text = 'prompt,response\n"a, ""b""\nc",d\ne\nf,g,h\n'
    assert read_table(file(tmp_path, text, "a.csv")).rows == [
        {"prompt": 'a, "b"\nc', "response": "d"},
        {"prompt": "e"},
        {"prompt": "f", "response": "g"},
    ]


def test_a_cell_longer_than_pythons_limit(tmp_path):
    table = read_table(file(tmp_path, "prompt,response\nHi," + "a" * 200_000, "a.csv"))
    assert len(table.rows[0]["response"]) == 200_000


def test_half_an_emoji_is_replaced(tmp_path):
    """Cut by a careless tool; a tokenizer would refuse the whole file."""
    text = '[{"prompt": "\\ud83d\\ude00 \\ud83d", "x": ["\\uDE00"]}]'
    assert read_table(file(tmp_path, text)).rows == [{"prompt": "😀 ?", "x": ["?"]}]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ('[\n {"a": 1},\n {"a" 2}\n]', "line 3, column 7"),
        ('{"a": 1}\n{"a": 2}\n\n{"a": }\n', "line 4, column 7"),
        ('{"a": 1, "b"\n{"a": 2}\n', "line 1, column 13"),
        ('{\n "a": 1,\n "b" 2\n}', "line 3, column 6"),
        ('[{"a": 1}', "line 1, column 10"),
    ],
)
def test_broken_json_is_named_by_line_and_column(tmp_path, content, place):
    assert f"data.json is broken at {place} (" in refusal(file(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        ("hello, world", "data.json", "is called JSON but its content is not: it begins with"),
        ("", "data.csv", "is empty"),
        (" \n\t ", "data.json", "is empty"),
        ("[]", "data.json", "holds no rows"),
        ("prompt,response\n", "data.csv", "holds no rows"),
        ("[1, 2]", "data.json", "Row 1 of data.json is 1, not an object"),
        ('{"a": 1}\n[2]\n', "data.jsonl", "Row 2 of data.jsonl is [2], not an object"),
        ("one\ntwo\n", "data.csv", "has a single column called 'one'"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "data.json", "is no text in UTF-8, UTF-16 or GB18030"),
        ("a\x00b", "data.csv", "is no text in UTF-8, UTF-16 or GB18030"),
        ('[{"a": ' + "9" * 5000 + "}]", "data.json", "a number of thousands of digits"),
        ("[" * 100_000, "data.json", "nests its brackets too deep"),
        ('{"a": 1}\n{"a": ' + "[" * 100_000, "data.jsonl", "nests its brackets too deep"),
    ],
)
def test_what_is_no_table_is_a_sentence(tmp_path, content, name, sentence):
    assert sentence in refusal(file(tmp_path, content, name))


def test_a_file_that_is_not_there(tmp_path):
    assert "cannot be read (No such file or directory)" in refusal(tmp_path / "none.json")
    assert "cannot be read (Is a directory)" in refusal(tmp_path)


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(read, "MAX_BYTES", 3 * 1024**2)
    message = refusal(file(tmp_path, b" " * (4 * 1024**2)))
    assert message.startswith("data.json has 4 MB; at most 3 MB can be read here.")


NAMES = st.sampled_from(["a.json", "a.jsonl", "a.csv", "a.tsv", "a.parquet", "a"])
KEYS = st.sampled_from(
    ["messages", "conversations", "instruction", "output", "history", "system", "text", "prompt",
     "response", "role", "content", "from", "value", "input"]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    | st.sampled_from(["user", "assistant", "human", "gpt"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


def or_sentence(read, *arguments):
    """What it reads; None for a UserError, which must be of the dataset; all else is a bug."""
    told = None
    try:
        return read(*arguments)
    except UserError as error:
        told = error
    assert told.field == "dataset"
    assert all(told.sentence)
    return None


@settings(max_examples=300, deadline=None)
@given(st.binary() | st.text().map(str.encode) | st.binary().map(b"PAR1".__add__), NAMES)
def test_any_bytes_give_a_table_or_a_sentence(tmp_path_factory, raw, name):
    path = tmp_path_factory.mktemp("wild") / name
    path.write_bytes(raw)
    table = or_sentence(read_table, path)
    if table:
        assert table.rows
        assert all(isinstance(row, dict) for row in table.rows)


@settings(max_examples=120, deadline=None)
@given(st.lists(st.dictionaries(KEYS | st.text(max_size=5), VALUES, max_size=5), min_size=1))
def test_any_rows_give_conversations_of_text_or_a_sentence(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("wild") / "a.json"
    path.write_text(json.dumps(rows))
    table = read_table(path)
    found = or_sentence(to_conversations, table.rows, table.columns)
    if found is None:
        return
    assert len(found.conversations) + sum(found.dropped.values()) == len(rows)
    for one in found.conversations:
        texts = [one["text"]] if "text" in one else [m["content"] for m in one["messages"]]
        assert all(isinstance(text, str) for text in texts)
        "".join(texts).encode()  # no half characters
