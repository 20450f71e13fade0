"""The report on a dataset, whole, and the table page."""

import os

import pytest

from engine.dataset.inspect import inspect, table_page
from engine.errors import UserError

ROWS = [
    {"prompt": "Hi", "response": "Yes."},
    {"prompt": "Hi", "response": ""},
    {"prompt": "Hi", "response": "Yes."},
    {"prompt": "Go " * 9, "response": "No."},
]
OPTIONS = {"max_length": 16, "loss_on": "answers", "system_prompt": ""}
X = -100


@pytest.fixture
def file(tmp_path, write_rows):
    return write_rows(tmp_path / "mine.jsonl", ROWS)


def test_the_whole_report(file, tokenizer):
    """Row 2 has no answer, row 3 is row 1 again, row 4 is longer than the longest row."""
    report = inspect(file, tokenizer, **OPTIONS)
    longest = report["lengths"]["max"]
    problems = [(one["kind"], one["rows"], one["examples"]) for one in report.pop("problems")]
    assert problems == [
        ("nothing_to_learn", 1, [4]),
        ("truncated", 1, [4]),
        ("duplicates", 1, [3]),
    ]
    assert longest > 16
    assert report == {
        "format": "pairs",
        "format_title": {"en": "question and answer columns", "zh": "问答两列"},
        "kind": "jsonl",
        "encoding": "UTF-8",
        "rows": 4,
        "columns": ["prompt", "response"],
        "mapping": {"prompt": "user", "response": "assistant"},
        "dropped": [{"reason": {"en": "it has no answer", "zh": "没有回答"}, "count": 1}],
        "total_tokens": 13 + 13 + 16,
        "trained_tokens": 6,
        "zero_label_rows": 1,
        "end_token_trained": True,
        "lengths": {
            "mean": round((13 + 13 + longest) / 3, 1),
            "p50": 13,
            "p95": longest,
            "max": longest,
            "truncated": 1,
            "lost_tokens": longest - 16,
        },
    }


def test_one_row_in_full(file, tokenizer):
    report = inspect(file, tokenizer, row=1, **OPTIONS)
    assert (report["row"], report["source_row"]) == (1, 2)
    assert report["messages"] == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yes."},
    ]
    ids = report["input_ids"]
    assert ids == tokenizer.convert_tokens_to_ids(report["tokens"])
    assert report["labels"] == [X] * 9 + ids[9:12] + [X]
    assert report["tokens"] == [
        *("<|im_start|>", "user", "Ċ", "Hi", "<|im_end|>", "Ċ"),
        *("<|im_start|>", "assistant", "Ċ", "Yes", ".", "<|im_end|>", "Ċ"),
    ]
    assert report["segments"] == [
        ["<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", "read"],
        ["Yes.", "learned"],
        ["<|im_end|>", "end"],
        ["\n", "read"],
    ]


def test_no_end_learned_is_said(tmp_path, write_rows, tokenizer):
    file = write_rows(tmp_path / "a.jsonl", [{"prompt": "Hi", "response": "Yes. " * 30}])
    report = inspect(file, tokenizer, **OPTIONS)
    assert report["end_token_trained"] is False
    assert [one["kind"] for one in report["problems"]] == ["end_not_learned", "truncated"]


@pytest.mark.parametrize("row", [-1, 3])
def test_a_row_that_is_not_there(file, tokenizer, row):
    with pytest.raises(UserError, match=f"There is no row {row}; the rows go from 0 to 2") as e:
        inspect(file, tokenizer, row=row, **OPTIONS)
    assert e.value.field == "row"


def test_the_table_page_is_the_file_as_it_is(file, write_rows):
    page = table_page(file, start=1, count=2)
    assert page == {
        "columns": ["prompt", "response"],
        "rows": [["Hi", ""], ["Hi", "Yes."]],
        "total": 4,
    }
    write_rows(file, [{"prompt": "x" * 400, "response": "y"}])
    os.utime(file, (1, 1))  # a changed file is read anew
    assert table_page(file, 0, 9)["rows"] == [["x" * 300 + " ...", "y"]]
