"""The report on a dataset, whole, and the table page."""

import os

import pytest

from engine.dataset.inspect import inspect, one_row, table_page, understood
from engine.dataset.opened import for_second
from engine.errors import UserError
from tests.dataset.made_files import xlsx

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
    told = []
    report = inspect(
        file, tokenizer, progress=lambda share, so_far=None: told.append((share, so_far)), **OPTIONS
    )
    longest = report["lengths"]["max"]
    problems = report.pop("problems")
    found = [(one["kind"], one["rows"], [e["row"] for e in one["examples"]]) for one in problems]
    assert found == [
        ("empty_answers", 1, [2]),
        ("nothing_to_learn", 1, [4]),
        ("few_rows", 3, []),
        ("duplicates", 1, [3]),
        ("too_long", 1, [4]),
        ("short_answers", 3, [1, 3, 4]),
    ]
    copies = next(one for one in problems if one["kind"] == "duplicates")
    assert (copies["severity"], copies["repair"]) == ("mild", "duplicates")
    assert copies["repair_title"].keys() == copies["advice"].keys() == {"en", "zh"}
    assert report.pop("placeholders") == []
    so_far = next(figures for _, figures in told if figures)
    assert so_far == report
    assert [share for share, _ in told] == sorted(share for share, _ in told)
    assert longest > 16
    assert report.pop("pictures")["packing"] == {"rows": 2, "packs": 2, "filled": 0.8125}
    pairs = {"en": "question and answer columns", "zh": "问答两列"}
    assert report == {
        "format": "pairs",
        "format_title": pairs,
        "kind": "jsonl",
        "encoding": "UTF-8",
        "rows": 4,
        "usable": 3,
        "nothing": None,
        "columns": ["prompt", "response"],
        "mapping": {"prompt": "user", "response": "assistant"},
        "shapes": [{"format": "pairs", "title": pairs, "rows": 4}],
        "speaker": "",
        "lines": {},
        "speakers": [],
        "splits": {},
        "notes": [],
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
    report = one_row(file, tokenizer, 1, **OPTIONS)
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


def test_a_file_of_which_no_row_is_left_is_understood_and_examined(tmp_path, write_rows, tokenizer):
    """So that the page can offer what mends it."""
    talk = [{"from": "gpt", "value": "Hi"}, {"from": "human", "value": "Ho"}]
    row = {"conversations": [*talk, {"from": "gpt", "value": "Ha"}]}
    report = inspect(write_rows(tmp_path / "a.jsonl", [row] * 2), tokenizer, **OPTIONS)
    assert (report["format"], report["rows"], report["usable"]) == ("sharegpt", 2, 0)
    assert report["nothing"]["en"].startswith(
        "No row can be learned from: 2 x it does not begin with a question. "
    )
    assert [(one["kind"], one["rows"], one["repair"]) for one in report["problems"]] == [
        ("role_order", 2, "role_order")
    ]
    assert (report["total_tokens"], report["lengths"]["max"]) == (0, 0)


def test_a_script_counts_its_lines(tmp_path, tokenizer):
    file = tmp_path / "a.txt"
    file.write_text("甲：一\n乙：二\n甲：三\n乙：四\n甲：五\n", encoding="utf-8")
    report = inspect(file, tokenizer, speaker="甲", **OPTIONS)
    assert (report["speaker"], report["usable"]) == ("甲", 2)
    assert report["lines"] == {"learned": 2, "prompts": 2, "dropped": 1}
    assert [one["count"] for one in report["dropped"]] == [1]


def test_no_end_learned_is_said(tmp_path, write_rows, tokenizer):
    file = write_rows(tmp_path / "a.jsonl", [{"prompt": "Hi", "response": "Yes. " * 30}])
    report = inspect(file, tokenizer, **OPTIONS)
    assert report["end_token_trained"] is False
    kinds = {one["kind"] for one in report["problems"]}
    assert kinds >= {"end_not_learned", "too_long"}


@pytest.mark.parametrize("row", [-1, 3])
def test_a_row_that_is_not_there(file, tokenizer, row):
    with pytest.raises(UserError, match=f"There is no row {row}; the rows go from 0 to 2") as e:
        one_row(file, tokenizer, row, **OPTIONS)
    assert e.value.field == "row"


def test_the_table_page_is_the_file_as_it_is(file, write_rows):
    page = table_page(file, start=1, count=2)
    assert page == {
        "columns": ["prompt", "response"],
        "numbers": [1, 2],
        "rows": [["Hi", ""], ["Hi", "Yes."]],
        "total": 4,
    }
    found = table_page(file, 0, 9, search="go")
    assert (found["numbers"], found["total"]) == ([3], 1)
    write_rows(file, [{"prompt": "x" * 400, "response": "y"}])
    os.utime(file, (1, 1))  # a changed file is read anew
    assert table_page(file, 0, 9)["rows"] == [["x" * 300 + " ...", "y"]]


def test_rows_that_stand_in_the_validation_file_too(file, tmp_path, write_rows, tokenizer):
    second = write_rows(tmp_path / "held.jsonl", [{"question": "Hi", "answer": "Yes."}])
    report = inspect(file, tokenizer, held_out=second, **OPTIONS)
    assert {one["kind"]: one["rows"] for one in report["problems"]}["leakage"] == 2


def test_what_reading_notes_is_in_the_report(tmp_path):
    file = tmp_path / "a.xlsx"
    file.write_bytes(xlsx([["prompt", "response"], ["Hi", "Yes."]], [["About"]]))
    (note,) = understood(file)["notes"]
    assert note["en"].startswith("Sheets read from the workbook: 'S1'. Sheets not read ")
    assert note.keys() == {"en", "zh"}


def test_a_second_file_is_read_as_the_first(tmp_path, tokenizer):
    """By the columns chosen for the first: its question is found in both."""
    for name, rows in {"odd.csv": "Hi,Yes.\nHo,No.\n", "oddval.csv": "hi,Well.\n"}.items():
        (tmp_path / name).write_text("alpha,beta\n" + rows, encoding="utf-8")
    asked = {"mapping": "alpha=user, beta=assistant", "held_out": tmp_path / "oddval.csv"}
    report = inspect(tmp_path / "odd.csv", tokenizer, **asked, **OPTIONS)
    (leak,) = (one for one in report["problems"] if one["kind"] == "leakage")
    assert (leak["rows"], leak["examples"]) == (1, [{"row": 1, "text": "Hi"}])


def test_what_a_second_file_shares_of_the_choice():
    """A name in quotes too; what is left has to make a conversation."""
    mapping = '"a, b"=user, c=assistant, d=system'
    assert for_second(mapping, ["c", "a, b"]) == '"a, b"=user, c=assistant'
    assert for_second(mapping, ["a, b", "d"]) == for_second("", ["c"]) == ""
