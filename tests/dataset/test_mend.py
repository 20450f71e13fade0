"""Broken JSON: where and what is wrong, what a mend would do, and that it does just that."""

import pytest

from engine.dataset.reading.mend import mend
from engine.dataset.reading.read import read_table
from engine.errors import UserError


def refused(folder, text, name="data.json"):
    """The error of the reader, and the file."""
    path = folder / name
    path.write_bytes(text.encode())
    with pytest.raises(UserError) as raised:
        read_table(path)
    assert raised.value.field == "dataset"
    return raised.value, path


def mended(folder, text):
    """The rows after mending and what was done, in English; the original is as it was."""
    error, path = refused(folder, text)
    assert error.remedy == "mend"
    out = folder / "mended.jsonl"
    done = mend(path, out)
    assert path.read_bytes() == text.encode()
    assert all(one.zh for one in done)
    assert "; ".join(one.en for one in done) in str(error)
    table = read_table(out)
    assert table.kind == "jsonl" or table.splits
    return list(table.rows), [one.en for one in done]


@pytest.mark.parametrize(
    ("text", "rows", "done"),
    [
        (
            '[\n {"a": "x",},\n {"a": [1, 2,]},\n]\n',
            [{"a": "x"}, {"a": [1, 2]}],
            ["commas before a closing bracket taken out: 3 (lines 2, 3)"],
        ),
        (
            '[{"a": 1}\n{"a": 2} {"a": 3}]',
            [{"a": 1}, {"a": 2}, {"a": 3}],
            ["missing commas put in: 2 (lines 1, 2)"],
        ),
        (
            '[{"a": "x"\n  "b": {"c": 1}\n  "d": 2}]',
            [{"a": "x", "b": {"c": 1}, "d": 2}],
            ["missing commas put in: 2 (lines 1, 2)"],
        ),
        (
            '{"a": "x"\n  "turns": [{"c": 1} {"c": 2}]}',
            [{"a": "x", "turns": [{"c": 1}, {"c": 2}]}],
            ["missing commas put in: 2 (lines 1, 2)"],
        ),
        ('[{"a": 1}, {"a": 2}\n', [{"a": 1}, {"a": 2}],
         ["closing ] put in at the end: 1 (line 1)"]),
        ('[{"a": 1},', [{"a": 1}], ["closing ] put in at the end: 1 (line 1)"]),
        (
            '[{"a": "one\ntwo\tthree"}, {"a\tb": 1}]',
            [{"a": "one\ntwo\tthree"}, {"a\tb": 1}],
            ["line breaks and tabs inside a text escaped: 2 (lines 1, 2)"],
        ),
        (
            '{"a": "one\ntwo"}\n{"a": 2}\n',
            [{"a": "one\ntwo"}, {"a": 2}],
            ["line breaks and tabs inside a text escaped: 1 (line 1)"],
        ),
        (
            '{"a": 1}\n\ufeff{"a": 2}\n',
            [{"a": 1}, {"a": 2}],
            ["byte order marks taken out: 1 (line 2)"],
        ),
        (
            '{"a": 1},\n{"a": 2},\n',
            [{"a": 1}, {"a": 2}],
            ["commas between objects taken out: 2 (lines 1, 2)"],
        ),
        (
            '[{"a": 1},\n {"a": 2},\n {"a": "cut he',
            [{"a": 1}, {"a": 2}],
            ["rows cut off at the end left out: 1 (line 3)", "whole rows kept: 2"],
        ),
        ('{"a": 1}\n{"a": tr', [{"a": 1}],
         ["rows cut off at the end left out: 1 (line 2)", "whole rows kept: 1"]),
        ('[{"a": 1}, {"a": "\\u00', [{"a": 1}],
         ["rows cut off at the end left out: 1 (line 1)", "whole rows kept: 1"]),
        (
            '[{"a": NaN, "b": "\\ud83d",}]',
            [{"a": None, "b": "?"}],
            ["commas before a closing bracket taken out: 1 (line 1)"],
        ),
        (
            '[{"a": 1,},\n{"a": "x\ty"}\n{"a": 3},\n{"a"',
            [{"a": 1}, {"a": "x\ty"}, {"a": 3}],
            [
                "commas before a closing bracket taken out: 1 (line 1)",
                "line breaks and tabs inside a text escaped: 1 (line 2)",
                "missing commas put in: 1 (line 2)",
                "rows cut off at the end left out: 1 (line 4)",
                "whole rows kept: 3",
            ],
        ),
    ],
)  # fmt: skip
def test_what_is_certain_is_mended(tmp_path, text, rows, done):
    """Every fault of the file, with its line; the error says beforehand what will be done."""
    assert mended(tmp_path, text) == (rows, done)


def test_splits_stay_splits(tmp_path):
    rows, _ = mended(tmp_path, '{"train": [{"a": 1},], "valid": [{"a": 2}]}')
    assert rows == [{"a": 1}, {"a": 2}]
    assert read_table(tmp_path / "mended.jsonl").splits == {"train": (0, 1), "valid": (1, 2)}


@pytest.mark.parametrize("begin", ['o", "a": "x"}', '", "a": "x"}', 'x"}, {"a": 1}'])
def test_a_first_line_without_its_beginning(tmp_path, begin):
    """As the tail of a log has it, or a file cut in two: the line is named and can be left out."""
    text = begin + '\n{"a": 1}\n{"a": 2}\n'
    error, _ = refused(tmp_path, text, "data.jsonl")
    assert str(error).startswith("data.jsonl is broken at line 1, column ")
    rows, done = mended(tmp_path, text)
    assert rows == [{"a": 1}, {"a": 2}]
    assert done == ["broken lines left out: 1 (line 1)", "whole rows kept: 2"]


def test_many_lines_are_grouped(tmp_path):
    text = "[" + ",\n".join('{"a": 1,}' for _ in range(12)) + "]"
    assert mended(tmp_path, text)[1] == [
        "commas before a closing bracket taken out: 12 (lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 ...)"
    ]


def test_the_sentence_of_a_certain_mend(tmp_path):
    error, _ = refused(tmp_path, '[\n {"问": "好"},\n]')
    assert error.sentence == (
        "data.json is broken at line 2, column 12 (a comma too many before the closing bracket), "
        'near \'{"问": "好"},\'. It can be mended: commas before a closing bracket taken out: 1 '
        "(line 2).",
        'data.json 在第 2 行第 12 列有错（右括号前多了一个逗号），附近是 \'{"问": "好"},\'。'
        "可以自动修复：去掉右括号前的逗号：1 处（第 2 行）。",
    )


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ('[\n {"a": 1},\n {"a" 2}\n]', "line 3, column 7", "a colon is missing behind the name"),
        ('{\n "a": 1,\n "b" 2\n}', "line 3, column 6", "a colon is missing behind the name"),
        ("{'a': 1}", "line 1, column 2", "a name in double quotes is missing"),
        ('[{"a": 1 "b": 2}]', "line 1, column 10", "a comma or a closing bracket is missing"),
        ('[{"a": tru}]', "line 1, column 8", "a value is missing, or is no JSON"),
        ('[{"a": 1},, {"a": 2}]', "line 1, column 11", "a value is missing, or is no JSON"),
        ('[{"a": "\\x"}]', "line 1, column 9", "a backslash that stands for nothing"),
        ('[{"a": 1}]]', "line 1, column 11", "something follows the end of the list"),
        ('[{"a": 1}]\n[{"a": 2}]', "line 2, column 1", "something follows the end of the list"),
        ('[{"a": "x}]', "line 1, column 2", "a bracket or text that begins here is never closed"),
        ("[", "line 1, column 1", "a bracket or text that begins here is never closed"),
        ('[{"a": 1}, {"a": [1,\n {"a": 3}', "line 1, column 12",
         "a bracket or text that begins here is never closed"),
        ('[{"a": 1,}, {"a" 2}]', "line 1, column 18", "a colon is missing behind the name"),
    ],
)  # fmt: skip
def test_what_is_uncertain_is_only_told(tmp_path, text, place, what):
    """The place that a person must look at, though other faults could be mended; no remedy."""
    error, path = refused(tmp_path, text)
    assert str(error).startswith(f"data.json is broken at {place} ({what}), near ")
    assert str(error).endswith(". Mend that place and choose the file again.")
    assert error.remedy == ""
    out = tmp_path / "out.jsonl"
    with pytest.raises(UserError) as raised:
        mend(path, out)
    assert str(raised.value) == str(error)
    assert not out.exists()


def test_broken_lines_are_left_out(tmp_path):
    """Few lines that nothing certain can be said of; a line that can be mended is mended."""
    text = '{"a": 1}\n{"a": }\n{"a": 3,}\nDownloading ...\n\n{"a": "x\n{"a": 7}\n'
    error, _ = refused(tmp_path, text)
    assert str(error) == (
        "data.json is broken at line 2, column 7 (a value is missing, or is no JSON), near "
        "'{\"a\": }'; 3 of its 6 rows cannot be read. It can be mended: "
        "commas before a closing bracket taken out: 1 (line 3); "
        "broken lines left out: 3 (lines 2, 4, 6); whole rows kept: 3."
    )
    assert mended(tmp_path, text) == (
        [{"a": 1}, {"a": 3}, {"a": 7}],
        [
            "commas before a closing bracket taken out: 1 (line 3)",
            "broken lines left out: 3 (lines 2, 4, 6)",
            "whole rows kept: 3",
        ],
    )


@pytest.mark.parametrize(
    ("good", "bad", "remedy"), [(400, 4, "mend"), (395, 4, ""), (3, 3, "mend")]
)
def test_how_many_lines_may_be_left_out(tmp_path, good, bad, remedy):
    """At most three, or one in a hundred."""
    error, _ = refused(tmp_path, '{"a": }\n' * bad + '{"a": 1}\n' * good)
    assert error.remedy == remedy
    assert f"; {bad} of its {good + bad} rows cannot be read. " in str(error)


def test_objects_over_several_lines_are_not_taken_apart(tmp_path):
    """Each turn is whole on its line; without the lines around them they would be the rows."""
    turn = ' {"role": "user"},\n'
    error, _ = refused(tmp_path, '{"messages": [\n' + turn * 400 + ' {"role" "user"}\n]}\n')
    assert error.remedy == ""
    assert "line 402, column 10 (a colon is missing" in str(error)


def test_a_whole_file_and_other_files(tmp_path):
    """Nothing to mend: the same rows. No JSON: a sentence."""
    path, out = tmp_path / "a.csv", tmp_path / "out.jsonl"
    path.write_text('[{"a": 1}]')
    assert mend(path, out) == []
    assert list(read_table(out).rows) == [{"a": 1}]
    path.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="is no JSON file; only JSON and JSON Lines can be mended"):
        mend(path, out)
