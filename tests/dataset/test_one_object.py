"""One JSON object as a whole file: the rows in it, or a row itself."""

import json

import pytest

from engine.dataset.reading.read import read_table
from tests.dataset.made_files import ROWS


def table_of(folder, content):
    path = folder / "data.json"
    path.write_text(json.dumps(content, indent=1))
    return read_table(path)


def test_splits(tmp_path):
    """One object of lists of rows: all rows, and which belong to which."""
    lists = {"train": [{"a": 1}, {"a": 2}], "valid": [], "test": [{"b": 3}]}
    table = table_of(tmp_path, lists)
    assert list(table.rows) == [{"a": 1}, {"a": 2}, {"b": 3}]
    assert table.splits == {"train": (0, 2), "valid": (2, 2), "test": (2, 3)}
    assert (table.columns, table.kind) == (["a", "b"], "json")


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Hi", "response": "Yes."},
        {"messages": [{"role": "user", "content": "Hi"}]},
        {"conversations": [{"from": "human", "value": "Hi"}], "tools": []},
        {"a": ["x", "y"], "b": ["z"]},
        {"a": [["x"]], "b": ["z"]},
        {"a": [], "b": []},
    ],
)
def test_one_object_is_one_row(tmp_path, row):
    """Turns are no splits; lists of different lengths, of lists or of nothing are no columns."""
    table = table_of(tmp_path, row)
    assert (list(table.rows), table.splits) == ([row], {})


@pytest.mark.parametrize(
    ("row", "rows", "splits"),
    [
        ({"version": "1", "data": ROWS}, ROWS, {"data": (0, 2)}),
        ({"info": {"by": "me"}, "train": ROWS, "test": ROWS[:1]}, [*ROWS, ROWS[0]],
         {"train": (0, 2), "test": (2, 3)}),
        ({"n": 2, "data": {"train": ROWS, "test": []}}, ROWS, {"train": (0, 2), "test": (2, 2)}),
    ],
)  # fmt: skip
def test_rows_beside_other_values(tmp_path, row, rows, splits):
    """What stands beside them is said to be unused."""
    table = table_of(tmp_path, row)
    assert (list(table.rows), table.splits, table.kind) == (rows, splits, "json")
    assert len(table.notes) == 1


def test_the_note_on_other_values(tmp_path):
    table = table_of(tmp_path, {"version": "1", "data": ROWS, "by": "me"})
    assert table.notes == [
        (
            "The rows under 'data' are read; what stands beside them in the file ('version', 'by') "
            "is not used.",
            "读取的是 'data' 下的数据；文件中与之并列的内容（'version', 'by'）没有使用。",
        )
    ]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Hi", "response": "Yes.", "data": [{"n": 1}]},
        {"text": "Hi", "data": [{"n": 1}]},
        {"id": 1, "messages": [{"role": "user", "content": "Hi"}]},
        {"id": 1, "Turns": [{"n": 1}]},
        {"id": 1, "found": [{"n": 1}], "lost": [{"n": 2}]},
        {"meta": {"by": "me"}},
        {"data": {"0": "x", "1": "y"}, "n": 1},
    ],
)
def test_an_object_that_is_a_row_stays_one(tmp_path, row):
    """By its names, or since nothing tells which of its lists would be the rows."""
    table = table_of(tmp_path, row)
    assert (list(table.rows), table.splits, table.notes) == ([row], {}, [])


def test_numbered_rows_of_pandas(tmp_path):
    """`to_json(orient="index")`; by default it writes columns of numbered cells."""
    numbered = {str(number): row for number, row in enumerate(ROWS)}
    assert list(table_of(tmp_path, numbered).rows) == ROWS


def test_columns_of_turns_from_pandas(tmp_path):
    """Numbered lists of objects are cells there, no splits."""
    turns = [{"role": "user", "content": "Hi"}]
    table = table_of(tmp_path, {"messages": {"0": turns, "1": turns}})
    assert list(table.rows) == [{"messages": turns}] * 2
