"""Rows as files: each kind exactly, and read again equal."""

import json

import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.dataset.making.write import ENDINGS, write_rows
from engine.dataset.reading.read import read_table
from engine.dataset.reading.store import Stored
from engine.errors import UserError

ROWS = [
    {"问题": "走吗", "history": [["Hi", 'a "b", c']], "n": 1},
    {"问题": "one\ntwo", "history": [], "answer": "Yes."},
]
CALL = {"type": "function", "function": {"name": "find", "arguments": {"place": "Ulm", "km": 3}}}


def test_json_is_an_array_with_indents(tmp_path):
    write_rows(Stored(ROWS), tmp_path / "out.json")
    text = (tmp_path / "out.json").read_text(encoding="utf-8")
    assert text == json.dumps(ROWS, ensure_ascii=False, indent=2) + "\n"


def test_json_lines_are_a_row_each(tmp_path):
    write_rows(ROWS, tmp_path / "out.JSONL")
    assert (tmp_path / "out.JSONL").read_bytes().decode() == (
        '{"问题": "走吗", "history": [["Hi", "a \\"b\\", c"]], "n": 1}\n'
        '{"问题": "one\\ntwo", "history": [], "answer": "Yes."}\n'
    )


def test_csv_opens_in_excel(tmp_path):
    """A byte order mark, every column that any row has, lists as JSON text."""
    write_rows(ROWS, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == (
        b"\xef\xbb\xbf"
        + (
            "问题,history,n,answer\r\n"
            '走吗,"[[""Hi"", ""a \\""b\\"", c""]]",1,\r\n'
            '"one\ntwo",[],,Yes.\r\n'
        ).encode()
    )


def test_a_csv_of_one_column_is_numbered_and_read_again(tmp_path):
    write_rows([{"text": "Once, twice"}, {"text": "thrice"}], tmp_path / "out.csv")
    text = (tmp_path / "out.csv").read_text(encoding="utf-8-sig")
    assert text == ',text\n0,"Once, twice"\n1,thrice\n'
    assert list(read_table(tmp_path / "out.csv").rows) == [
        {"text": "Once, twice"},
        {"text": "thrice"},
    ]


def test_parquet_has_one_type_a_column(tmp_path):
    """Rows without a column have null there; lists stay lists."""
    write_rows(ROWS, tmp_path / "out.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert {field.name: str(field.type) for field in table.schema} == {
        "问题": "string",
        "history": "list<element: list<element: string>>",
        "n": "int64",
        "answer": "string",
    }
    assert table.to_pylist() == [ROWS[0] | {"answer": None}, ROWS[1] | {"n": None}]


def test_what_has_other_keys_in_every_row_is_text_in_parquet(tmp_path):
    """Arguments of a call and tools: as columns they would gain each other's keys as nulls."""
    other = {"type": "function", "function": {"name": "stop", "arguments": {}}}
    rows = [
        {"m": [{"content": "", "tool_calls": [CALL]}], "tools": [{"a": {"b": 1}}]},
        {"m": [{"content": "Hi"}, {"content": "", "tool_calls": [other]}]},
    ]
    write_rows(rows, tmp_path / "out.parquet")
    first, second = pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert first["tools"] == '[{"a": {"b": 1}}]'
    assert second["tools"] is None
    function = {"name": "find", "arguments": '{"place": "Ulm", "km": 3}'}
    assert first["m"] == [{"content": "", "tool_calls": [CALL | {"function": function}]}]
    function = {"name": "stop", "arguments": "{}"}
    assert second["m"] == [
        {"content": "Hi", "tool_calls": None},
        {"content": "", "tool_calls": [other | {"function": function}]},
    ]


@pytest.mark.parametrize("values", [[1, "1"], [[1], "a"], [2**70, 1], [{}, {}], [True, {"a": 1}]])
def test_a_parquet_column_of_several_types_is_json_text(tmp_path, values):
    """Also when the types meet only after the first thousand rows."""
    rows = [{"a": value} for value in [values[0]] * 1000 + values]
    write_rows(rows, tmp_path / "out.parquet")
    cells = pyarrow.parquet.read_table(tmp_path / "out.parquet").column("a").to_pylist()
    assert cells[999:] == [
        value if isinstance(value, str) else json.dumps(value) for value in [values[0], *values]
    ]


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"])).map(str.strip)
rows_of_text = st.lists(
    st.fixed_dictionaries({"question": texts.filter(bool), "answer": texts}), min_size=1
)


@pytest.mark.parametrize("ending", ENDINGS)
@settings(deadline=None, max_examples=60)
@given(rows=rows_of_text)
def test_what_is_written_is_read(tmp_path_factory, ending, rows):
    """Columns of text come back equal from every kind of file."""
    out = tmp_path_factory.mktemp("written") / f"out{ending}"
    write_rows(rows, out)
    assert list(read_table(out).rows) == rows


@pytest.mark.parametrize(
    ("ending", "text"), [(".json", "[]\n"), (".jsonl", ""), (".parquet", None)]
)
def test_no_rows_are_a_file_all_the_same(tmp_path, ending, text):
    out = tmp_path / f"out{ending}"
    write_rows([], out)
    if text is None:
        assert pyarrow.parquet.read_table(out).num_rows == 0
    else:
        assert out.read_text() == text


def test_an_unknown_ending_names_the_known(tmp_path):
    with pytest.raises(UserError) as raised:
        write_rows(ROWS, tmp_path / "out.xml")
    assert raised.value.field == "out"
    assert raised.value.sentence.en == (
        "'out.xml' does not say what kind of file to write; let its name end in "
        ".json, .jsonl, .csv, .parquet."
    )


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path, ending):
    out = tmp_path / "none" / f"out{ending}"
    with pytest.raises(UserError, match="cannot be written .No such file") as raised:
        write_rows(ROWS, out)
    assert raised.value.field == "out"


def test_a_file_that_fails_half_way_leaves_the_old_one(tmp_path):
    """What stood there stays, and no half file lies beside it."""
    out = tmp_path / "out.jsonl"
    out.write_text("old")

    def rows():
        yield {"a": "b"}
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match="No space left on device"):
        write_rows(rows(), out)
    assert out.read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]
