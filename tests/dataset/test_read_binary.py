"""Parquet, Arrow and Excel: exact rows as plain JSON values, and sentences for broken files."""

import datetime
import gzip
import io
from decimal import Decimal

import pytest

from engine.dataset.reading import columnar, sheets
from engine.dataset.reading.read import read_table
from engine.errors import UserError
from tests.dataset.made_files import CELLS, ROWS, arrow, ods, parquet, xlsx


def table_of(folder, content):
    path = folder / "data"
    path.write_bytes(content)
    return read_table(path)


def rows_of(folder, content):
    return list(table_of(folder, content).rows)


def refusal(folder, content):
    with pytest.raises(UserError) as raised:
        rows_of(folder, content)
    assert raised.value.sentence.zh
    return str(raised.value)


@pytest.mark.parametrize("written", [parquet, arrow])
def test_values_that_json_does_not_have(tmp_path, written):
    """Dates are ISO text, bytes are text, Decimals are numbers, NaN is null; nested ones too."""
    row = {
        "day": datetime.date(2024, 5, 6),
        "at": datetime.datetime(2024, 5, 6, 7, 8, 9),
        "bytes": "é".encode(),
        "price": Decimal("1.50"),
        "nan": float("nan"),
        "turns": [{"role": "user", "when": datetime.time(7, 8)}],
        "long": datetime.timedelta(seconds=90),
    }
    assert rows_of(tmp_path, written([row])) == [
        {
            "day": "2024-05-06",
            "at": "2024-05-06T07:08:09",
            "bytes": "é",
            "price": 1.5,
            "nan": None,
            "turns": [{"role": "user", "when": "07:08:00"}],
            "long": "0:01:30",
        }
    ]


def test_arrow_as_datasets_writes_it(tmp_path):
    from datasets import Dataset

    Dataset.from_list(ROWS).save_to_disk(tmp_path / "saved")
    (path,) = (tmp_path / "saved").glob("*.arrow")
    assert list(read_table(path).rows) == ROWS


def test_rows_of_many_batches(tmp_path):
    rows = [{"n": number} for number in range(2500)]
    assert rows_of(tmp_path, parquet(rows)) == rows_of(tmp_path, arrow(rows)) == rows


def test_no_rows(tmp_path):
    import pyarrow
    import pyarrow.parquet

    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"prompt": pyarrow.array([], "string")}), out)
    assert (
        refusal(tmp_path, out.getvalue()) == "data holds no rows; choose a file with at least one."
    )


def test_columns_of_one_name(tmp_path):
    """A row would keep the last of them without a word."""
    import pyarrow
    import pyarrow.parquet

    table, out = pyarrow.table([["x"], ["y"]], names=["a", "a"]), io.BytesIO()
    pyarrow.parquet.write_table(table, out)
    assert refusal(tmp_path, out.getvalue()) == (
        "data has several columns called 'a'; rename them and write it again."
    )


@pytest.mark.parametrize(
    ("content", "title"),
    [
        (b"PAR1 and no more", "Parquet"),
        (parquet()[:-20], "Parquet"),
        (b"ARROW1\0\0 and no more", "Arrow"),
        (b"\xff\xff\xff\xff\x10\0\0\0 and no more", "Arrow"),
    ],
)
def test_broken_files(tmp_path, content, title):
    message = refusal(tmp_path, content)
    assert message.startswith(f"data is a broken {title} file (")
    assert message.endswith("); write it again.")


def test_arrow_that_points_outside_of_itself(tmp_path):
    """Where a text ends is a number in the file; unchecked, a wrong one reads foreign memory."""
    content = arrow([{"a": "12345678"}, {"a": "9"}])
    wrong = content.replace(b"\x08\0\0\0\x09\0\0\0", b"\x08\0\0\0\xff\xff\xff\x6f")
    assert wrong != content
    assert refusal(tmp_path, wrong).startswith("data is a broken Arrow file (")


def test_a_small_file_of_many_equal_values(tmp_path, monkeypatch):
    """Parquet writes a value once and how often it stands there: 20 kB can be a terabyte."""
    monkeypatch.setattr(columnar, "MAX_UNPACKED", 1_000_000)
    content = parquet([{"text": "a" * 1000}] * 2000)
    assert len(content) < 20_000
    assert refusal(tmp_path, gzip.compress(content)).startswith("data unpacks to more than ")


def test_the_longest_sheet(tmp_path):
    """Empty lines and columns are passed over; that others were not read is said, and which."""
    data = [[None, None], ["prompt", "n", None], ["Hi", 3, None], [None, None], ["Ho", 1.5, "x"]]
    table = table_of(tmp_path, xlsx([], [["About"], ["by me"]], data, [["only"]], CELLS))
    assert list(table.rows) == [
        {"prompt": "Hi", "n": 3},
        {"prompt": "Ho", "n": 1.5, "column 3": "x"},
    ]
    assert table.splits == {}
    assert table.notes == [
        (
            "Sheets read from the workbook: 'S3'. Sheets not read (lines of each): 'S2' (2), 'S4' "
            "(1), 'S5' (3); their columns are others. Save such a sheet as a file of its own to "
            "use it.",
            "读取的工作表：'S3'。以下工作表的列不同，没有读取（括号中是行数）：'S2' (2), 'S4' (1), "
            "'S5' (3)。要用其中的数据，请把该工作表另存为文件。",
        )
    ]


def test_sheets_of_the_same_columns(tmp_path):
    """They are read one after the other, in whatever order each has its columns."""
    table = table_of(tmp_path, xlsx([["q", "a"], [1, 2]], [], [["a", "q"], [4, 3], [6, 5]]))
    assert list(table.rows) == [{"q": 1, "a": 2}, {"a": 4, "q": 3}, {"a": 6, "q": 5}]
    assert table.splits == {"S1": (0, 1), "S3": (1, 3)}
    assert table.notes == []


def test_many_other_sheets(tmp_path):
    """Five are named."""
    table = table_of(tmp_path, xlsx(CELLS, *([[f"About {n}"]] for n in range(6))))
    assert "'S5' (1), 'S6' (1) ...; their" in table.notes[0].en


def test_the_index_of_pandas_in_excel(tmp_path):
    assert rows_of(tmp_path, xlsx([[None, "q"], [0, "x"], [1, "y"]])) == [{"q": "x"}, {"q": "y"}]


def test_dates_in_a_sheet(tmp_path):
    assert rows_of(tmp_path, ods(["day", "n"], [("2024-05-06",), 2.0])) == [
        {"day": "2024-05-06", "n": 2}
    ]


def test_an_empty_workbook(tmp_path):
    assert refusal(tmp_path, xlsx([["a", "b"]])).startswith("data holds no rows;")


@pytest.mark.parametrize("content", [b"PK\x03\x04 and no more", xlsx(CELLS)[:-30]])
def test_a_zip_that_is_no_workbook(tmp_path, content):
    assert refusal(tmp_path, content) == (
        "data is a zip archive or an Office file, but no Excel or OpenDocument table that can be "
        "read; unpack it, or save the table as .xlsx or CSV."
    )


def test_a_workbook_that_unpacks_to_much(tmp_path, monkeypatch):
    monkeypatch.setattr(sheets, "MAX_UNPACKED", 500)
    assert refusal(tmp_path, xlsx(CELLS)).startswith("data unpacks to more than ")


def test_a_reader_that_dies_is_a_sentence(tmp_path, monkeypatch):
    """A few wrong bytes in a workbook make the library ask for any memory; the system ends it."""
    script = tmp_path / "dies.py"
    script.write_text("import os; os.abort()")
    monkeypatch.setattr(sheets, "_READER", script)
    assert "no Excel or OpenDocument table" in refusal(tmp_path, xlsx(CELLS))
