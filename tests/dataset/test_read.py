"""A file of any kind becomes exactly its rows, told apart by content and not by its name."""

import gzip

import pytest

from engine.dataset.reading import decode, read
from engine.dataset.reading.read import read_table
from engine.errors import UserError
from tests.dataset.made_files import (
    COLUMNS,
    ROWS,
    TEXTS,
    every_kind,
    every_kind_of_several_parts,
    every_kind_of_text,
    json_lines,
)

KINDS = every_kind()
PARTS, TEXT_KINDS = every_kind_of_several_parts(), every_kind_of_text()


def file(folder, content, name="data.json"):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rows_of(path):
    return list(read_table(path).rows)


def refused(path):
    with pytest.raises(UserError) as raised:
        read_table(path)
    assert raised.value.field == "dataset"
    assert raised.value.sentence.zh
    return raised.value


def refusal(path):
    return str(refused(path))


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_whatever_its_name(tmp_path, name):
    """Two rows, their columns, the kind and the encoding, from a file whose name says nothing."""
    kind, encoding, content = KINDS[name]
    table = read_table(file(tmp_path, content, "data"))
    assert list(table.rows) == ROWS
    assert (table.columns, table.kind, table.encoding) == (COLUMNS, kind, encoding)
    assert table.splits == {}


@pytest.mark.parametrize("name", PARTS)
def test_every_kind_of_several_parts(tmp_path, name):
    """The same two rows, and which of them the file calls what."""
    kind, encoding, content, splits = PARTS[name]
    table = read_table(file(tmp_path, content, "data"))
    assert list(table.rows) == ROWS
    assert (table.kind, table.encoding, table.splits) == (kind, encoding, splits)


@pytest.mark.parametrize("name", TEXT_KINDS)
def test_every_kind_of_text(tmp_path, name):
    kind, encoding, content = TEXT_KINDS[name]
    table = read_table(file(tmp_path, content, "data"))
    assert list(table.rows) == [{"text": text} for text in TEXTS]
    assert (table.kind, table.encoding) == (kind, encoding)


@pytest.mark.parametrize("name", ["data.json", "data.jsonl", "data.csv", "data.txt"])
@pytest.mark.parametrize("kind", ["json", "json lines", "parquet", "xlsx", "gzip"])
def test_a_wrong_name_changes_nothing(tmp_path, kind, name):
    assert rows_of(file(tmp_path, KINDS[kind][2], name)) == ROWS


def test_null_between_the_rows(tmp_path):
    """It says nothing, and the rows beside it are whole; both forms of JSON."""
    note = (
        "Rows that are null and left out: 2 (rows 2, 4).",
        "有 2 行是 null，已略去（第 2, 4 行）。",
    )
    for text in ('{"a": 1}\nnull\n{"a": 2}\nnull\n', '[{"a": 1}, null, {"a": 2}, null]'):
        table = read_table(file(tmp_path, text))
        assert (list(table.rows), table.notes) == ([{"a": 1}, {"a": 2}], [note])


def test_a_name_that_stands_twice_in_an_object(tmp_path):
    """In rows, in what is inside of them, and in an object that is the whole file."""
    table = read_table(
        file(tmp_path, '[{"a": 1, "a": 2, "b": {"c": 1, "c": 2}}, {"a": 1, "a": 3}]')
    )
    assert list(table.rows) == [{"a": 2, "b": {"c": 2}}, {"a": 3}]
    assert table.notes == [
        (
            "Names that stand twice in one object: 'c', 'a' (found 3); the last value behind such "
            "a name is read.",
            "同一对象里重复的名称：'c', 'a'（3 处）；读取的是最后一个值。",
        )
    ]
    assert len(read_table(file(tmp_path, '{"train": [{"a": 1, "a": 2}]}')).notes) == 1


def test_other_text_that_is_called_json(tmp_path):
    """A table is read as one; of plain text it is said."""
    assert rows_of(file(tmp_path, "q,a\n1,2\n")) == [{"q": "1", "a": "2"}]
    table = read_table(file(tmp_path, "Hello, you.\n\nAnd you."))
    assert list(table.rows) == [{"text": "Hello, you."}, {"text": "And you."}]
    assert table.notes == [
        (
            "The file is called JSON, but begins with 'Hello, you.\\n\\nAnd you.'; it is read as "
            "plain text. A JSON file begins with [ or {.",
            "文件的扩展名是 JSON，开头却是 'Hello, you.\\n\\nAnd you.'，因此按纯文本读取。"
            "JSON 文件应以 [ 或 { 开头。",
        )
    ]


def test_columns_are_those_of_all_rows(tmp_path):
    assert read_table(file(tmp_path, '[{"b": 1}, {"a": 2, "b": 3}]')).columns == ["b", "a"]


def test_half_an_emoji_is_replaced(tmp_path):
    """Cut by a careless tool; a tokenizer would refuse the whole file."""
    text = '[{"prompt": "\\ud83d\\ude00 \\ud83d", "x": ["\\uDE00"]}, {"\\udc00": 1}]'
    assert rows_of(file(tmp_path, text)) == [{"prompt": "😀 ?", "x": ["?"]}, {"?": 1}]


def test_numbers_that_json_does_not_have_are_null(tmp_path):
    text = '[{"a": NaN, "b": -Infinity, "c": [1e999, 1.5, 12345678901234567890]}]'
    assert rows_of(file(tmp_path, text)) == [
        {"a": None, "b": None, "c": [None, 1.5, 12345678901234567890]}
    ]


def test_text_is_paragraphs_or_lines(tmp_path):
    """Blank lines part paragraphs; where there are none, each line is a row."""
    paragraphs = file(tmp_path, "  One,\r\ntwo.\r\n \r\n\r\nThree.\r\n", "a.txt")
    assert rows_of(paragraphs) == [{"text": "One,\ntwo."}, {"text": "Three."}]
    assert rows_of(file(tmp_path, "Anna: Hi\nBen: Yes.\n", "a.md")) == [
        {"text": "Anna: Hi"},
        {"text": "Ben: Yes."},
    ]
    assert read_table(paragraphs).kind == "text"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("[1] See below.\n\nAnd more.", "a.txt"),
        ("{{user}}: Hi\n\n{{char}}: Yes.", "a.md"),
        ("[Scene 1]\n\nA: Hi", "a"),
        ("Hello, world\n\nBye, world", "a.txt"),
        ("No comma\n\nat first, but here", "a"),
    ],
)
def test_prose_is_no_table_and_no_json(tmp_path, text, name):
    assert rows_of(file(tmp_path, text, name)) == [{"text": part} for part in text.split("\n\n")]


def test_a_file_that_is_not_there(tmp_path):
    assert "cannot be read (No such file or directory)" in refusal(tmp_path / "none.json")
    assert "cannot be read (Is a directory)" in refusal(tmp_path)


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(read, "MAX_BYTES", 3 * 1024**2)
    message = refusal(file(tmp_path, b" " * (4 * 1024**2)))
    assert message.startswith("data.json has 4 MB; at most 3 MB can be read here.")


def test_a_small_archive_that_unpacks_to_much(tmp_path, monkeypatch):
    """It is not unpacked to its end, and what is exactly as large as allowed still is."""
    content = json_lines().encode()
    path = file(tmp_path, gzip.compress(content), "data.jsonl.gz")
    monkeypatch.setattr(decode, "MAX_UNPACKED", len(content))
    assert rows_of(path) == ROWS
    monkeypatch.setattr(decode, "MAX_UNPACKED", len(content) - 1)
    assert refusal(path) == (
        "data.jsonl.gz unpacks to more than 1000 MB, which is more than can be read here. "
        "Split it, or take a part of its rows."
    )


def test_a_broken_archive(tmp_path):
    path = file(tmp_path, gzip.compress(json_lines().encode())[:-9], "data.gz")
    assert refusal(path) == (
        "data.gz is a broken gzip archive, perhaps cut off; pack or download it again."
    )


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        ("", "data.csv", "data.csv is empty; choose a file with at least one row."),
        (" \n\t ", "data.json", "data.json is empty; choose a file with at least one row."),
        ("[]", "data.json", "data.json holds no rows; choose a file with at least one."),
        ("a,b\n", "data.csv", "data.csv holds no rows; choose a file with at least one."),
        (
            "[1, 2]",
            "data.json",
            "Row 1 of data.json is 1, not an object; "
            'each row must look like {"instruction": ..., "output": ...}.',
        ),
        (
            '{"a": 1}\n[2]\n',
            "data.jsonl",
            "Row 2 of data.jsonl is [2], not an object; "
            'each row must look like {"instruction": ..., "output": ...}.',
        ),
    ],
)
def test_what_holds_no_rows_is_a_sentence(tmp_path, content, name, sentence):
    error = refused(file(tmp_path, content, name))
    assert (str(error), error.remedy) == (sentence, "")


@pytest.mark.parametrize(
    "content",
    [
        '[{"a": ' + "9" * 5000 + "}]",
        '[{"a": ' + "[" * 200 + "]" * 200 + "}]",
        "[" * 100_000,
        '{"a": 1}\n{"a": ' + "[" * 100_000,
        '[{"a": 1,}, ' + '{"a": ' * 100_000,
        '[{"a": 1,}, {"a": ' + "9" * 5000 + "}]",
    ],
)
def test_json_that_no_code_could_read_again(tmp_path, content):
    """Nested deeper than Python goes, or a number that it takes for an attack; broken too."""
    assert refusal(file(tmp_path, content)) == (
        "data.json nests its brackets too deep, or holds a number of thousands of digits; "
        "a dataset is a list of flat rows."
    )
