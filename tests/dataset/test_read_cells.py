"""CSV and TSV as people have them: every cell is kept, and what cannot be right is said."""

import csv

import pytest

from engine.dataset.reading.read import read_table
from engine.errors import UserError


def table_of(folder, text, name="a.csv"):
    path = folder / name
    path.write_bytes(text.encode())
    return read_table(path)


def rows_of(folder, text, name="a.csv"):
    return list(table_of(folder, text, name).rows)


def refusal(folder, text, name="a.csv"):
    with pytest.raises(UserError) as raised:
        table_of(folder, text, name)
    return raised.value.sentence


def test_cells(tmp_path):
    """Quoted line breaks and commas stay; a missing cell is absent; empty lines are no rows."""
    text = 'prompt,response\r\n"a, ""b""\nc",d\r\n\r\n,\r\ne\r\nf,\r\n'
    assert rows_of(tmp_path, text) == [
        {"prompt": 'a, "b"\nc', "response": "d"},
        {"prompt": "e"},
        {"prompt": "f", "response": ""},
    ]


def test_cells_beyond_the_header_are_kept(tmp_path):
    """A comma without quotes splits an answer; its end must not vanish without a word."""
    table = table_of(tmp_path, "prompt,response\nHi,Yes, sure\nHo,No,\n")
    assert list(table.rows) == [
        {"prompt": "Hi", "response": "Yes", "column 3": " sure"},
        {"prompt": "Ho", "response": "No"},
    ]
    assert table.columns == ["prompt", "response", "column 3"]


def test_names_of_columns(tmp_path):
    """Two of one name and those without a name are all kept; an empty nameless one is not."""
    assert rows_of(tmp_path, "a, a ,,\n1,2,3,\n") == [{"a": "1", "a.1": "2", "column 3": "3"}]


def test_the_index_of_pandas_is_no_column(tmp_path):
    """Only when it counts from 0; other numbers may mean something."""
    assert rows_of(tmp_path, ",q,a\n0,x,y\n1,z,w\n") == [{"q": "x", "a": "y"}, {"q": "z", "a": "w"}]
    assert rows_of(tmp_path, ",q\n0,x\n2,y\n") == [
        {"column 1": "0", "q": "x"},
        {"column 1": "2", "q": "y"},
    ]


def test_a_cell_longer_than_pythons_limit(tmp_path):
    assert rows_of(tmp_path, 'q,a\nHi,"' + "a\n" * 200_000 + '"') == [
        {"q": "Hi", "a": "a\n" * 200_000}
    ]
    assert csv.field_size_limit() > 400_000


def test_a_header_with_the_other_sign_in_quotes(tmp_path):
    assert rows_of(tmp_path, '"a, b";"c, d, e"\n1;2\n') == [{"a, b": "1", "c, d, e": "2"}]


def test_tsv_that_knows_no_quotes(tmp_path):
    """A cell that begins with a quote would swallow the lines behind it."""
    table = table_of(tmp_path, 'q\ta\nHi\t"Yes\nHo\tNo\n', "a.txt")
    assert list(table.rows) == [{"q": "Hi", "a": '"Yes'}, {"q": "Ho", "a": "No"}]
    assert table.kind == "tsv"


def test_quotes_inside_a_cell_without_quotes(tmp_path):
    assert rows_of(tmp_path, 'q,a\nHi,so "yes" he said\n') == [{"q": "Hi", "a": 'so "yes" he said'}]


def test_a_table_in_a_text_file(tmp_path):
    assert rows_of(tmp_path, "prompt,response\nHi,Yes.\n", "a.txt") == [
        {"prompt": "Hi", "response": "Yes."}
    ]


def test_a_quote_that_never_closes(tmp_path):
    """The row in which it opens is named, not the end of the file."""
    assert refusal(tmp_path, 'q,a\n"x\ny",z\nHi,"Yes\nHo,No\n') == (
        'a.csv has a quote (") that never closes, in the row that begins at line 4; '
        "close it, or write it twice where it belongs to the text.",
        'a.csv 从第 4 行开始的那一行里有一个双引号（"）没有配对；请补上，若属于文本则写成两个。',
    )


def test_a_single_column(tmp_path):
    assert refusal(tmp_path, "one\ntwo\n").en == (
        "a.csv has a single column called 'one'; a CSV needs a column for the question and one "
        "for the answer, with their names in its first line."
    )
