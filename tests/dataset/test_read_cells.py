"""CSV and TSV as people have them: every cell is kept, and what cannot be right is said."""

import csv

import pytest

from engine.dataset.meaning.formats import to_conversations
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


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt", "a.json"])
def test_a_single_column(tmp_path, name):
    """Cells in quotes over many lines, whatever the name: texts and whole conversations."""
    assert rows_of(tmp_path, 'text\n"### Human: a\n### Assistant: b"\n"c, d"\n', name) == [
        {"text": "### Human: a\n### Assistant: b"},
        {"text": "c, d"},
    ]
    turns = 'messages\r\n"[{""role"": ""user"", ""content"": ""a""}]"\r\n'
    assert rows_of(tmp_path, turns, name) == [{"messages": '[{"role": "user", "content": "a"}]'}]


def test_a_single_column_without_quotes(tmp_path):
    """Under a name of CSV alone, and its commas part no cells; elsewhere it is plain text."""
    assert rows_of(tmp_path, "text\nHello, you\n") == [{"text": "Hello, you"}]
    assert rows_of(tmp_path, "text\nHello, you\n", "a.txt") == [
        {"text": "text"},
        {"text": "Hello, you"},
    ]
    assert len(rows_of(tmp_path, 'She\n"Hello."\n"Bye."\n', "a.txt")) == 3


def test_a_header_with_a_wrong_quote(tmp_path):
    """It is read with commas, and the quote is said."""
    table = table_of(tmp_path, '"the "q"",a\n1,2\n')
    assert list(table.rows) == [{'the q""': "1", "a": "2"}]
    assert len(table.notes) == 1


def test_a_single_column_that_nobody_knows(tmp_path):
    """The rows are read; which column is what, a person says."""
    table = table_of(tmp_path, "poem\nRoses are red\n")
    with pytest.raises(UserError, match="The columns found are poem; their names do not tell"):
        to_conversations(table)
    assert len(to_conversations(table, "poem=text").conversations) == 1


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.json"])
@pytest.mark.parametrize(
    ("begin", "sign", "kind"),
    [("sep=;\r\n", ";", "csv"), ('"sep=|"\n', "|", "csv"), ("SEP=\t\n", "\t", "tsv")],
)
def test_the_line_that_says_what_stands_between_cells(tmp_path, name, begin, sign, kind):
    """Excel's own; the commas in the header are its text then."""
    table = table_of(tmp_path, f"{begin}q, or so{sign}a\n1{sign}2\n", name)
    assert (list(table.rows), table.kind) == ([{"q, or so": "1", "a": "2"}], kind)


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.json"])
def test_a_row_with_a_cell_too_many(tmp_path, name):
    """It makes no prose of a table, and is said."""
    table = table_of(tmp_path, "q,a\n1,2\n3,4,5\n6\n" + "8,9\n" * 20, name)
    assert list(table.rows)[:3] == [
        {"q": "1", "a": "2"},
        {"q": "3", "a": "4", "column 3": "5"},
        {"q": "6"},
    ]
    assert table.notes == [
        (
            "Rows with more cells than there are columns: 1 (row 2). What is too much stands in "
            '"column 3"; a cell that holds the separator needs quotes (").',
            "单元格多于列数的行：1 行（第 2 行）。多出的内容放在“column 3”中；"
            "含有分隔符的单元格要用双引号括起来。",
        )
    ]


def test_mostly_ragged_lines_are_prose(tmp_path):
    assert len(rows_of(tmp_path, "So,then\nHi,you,there\nHi,all,of you\n", "a.txt")) == 3


def test_a_quote_that_is_not_written_twice(tmp_path):
    """Python's reader drops it; the row is named by the line where it begins."""
    table = table_of(tmp_path, '\nq,a\n"x\ny",z\n1,"he said "hi" there"\n')
    assert list(table.rows)[1] == {"q": "1", "a": 'he said hi" there"'}
    assert table.notes == [
        (
            'A quote (") inside a cell in quotes is not written twice, first in the row that '
            "begins at line 5; such quotes are lost or end their cell too early.",
            '双引号括起的单元格里有未写成两个的双引号（"），首先在从第 5 行开始的那一行；'
            "这样的引号会丢失，或使单元格提前结束。",
        )
    ]
    assert table_of(tmp_path, 'q,a\n"x, ""y""",z "1"\n').notes == []
