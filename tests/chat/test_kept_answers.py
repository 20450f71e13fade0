"""Talking makes the next training set: rows appended, never twice, samples untouched."""

import json

import pytest

from engine import library
from engine.chat import kept_answers
from engine.dataset.meaning.formats import to_conversations
from engine.dataset.reading.read import read_table
from engine.desk import client as desk
from engine.errors import UserError

ASKED = [
    {"role": "system", "content": "You are Mara."},
    {"role": "user", "content": "Who are you?"},
]
SAID = {"role": "assistant", "content": "A model."}
BETTER = {"role": "assistant", "content": "Mara, my dear."}


@pytest.fixture(scope="module", autouse=True)
def end_the_desk():
    yield
    desk.close()


def rows(dataset):
    text = library.require(dataset).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def bring(tmp_path, name, text):
    path = tmp_path / f"upload-{name}"
    path.write_text(text, encoding="utf-8")
    return library.keep(path, name)


def test_a_good_answer_makes_a_new_dataset_that_grows_and_holds_nothing_twice():
    kept, pair = kept_answers.keep("", [*ASKED, SAID], called="My talks / 1")
    assert (kept, pair) == (("1.jsonl", True, 1), None)
    again, _ = kept_answers.keep("1.jsonl", [*ASKED, SAID])
    assert again == ("1.jsonl", False, 1)
    other, _ = kept_answers.keep("", [*ASKED, BETTER], called="1")
    assert other == ("1.jsonl", True, 2)
    assert rows("1.jsonl") == [{"messages": [*ASKED, SAID]}, {"messages": [*ASKED, BETTER]}]


def test_a_better_answer_is_learned_and_kept_as_a_preference_beside(tmp_path):
    """Both files are such as can be trained on; their rows are there once."""
    own = bring(tmp_path, "mine.jsonl", '{"messages": [], "mood": "dry"}')
    for is_new in (True, False):
        kept, pair = kept_answers.keep(own, [*ASKED, SAID], better=" Mara, my dear.\n")
        assert kept == ("mine.jsonl", is_new, 2)
        assert pair == ("mine-preferences.jsonl", is_new, 1)
    assert rows("mine.jsonl") == [
        {"messages": [], "mood": "dry"},
        {"messages": [*ASKED, BETTER]},
    ]
    assert rows(pair.dataset) == [{"prompt": ASKED, "chosen": [BETTER], "rejected": [SAID]}]
    found = to_conversations(read_table(library.require(pair.dataset)))
    assert list(found.conversations) == [{"messages": [*ASKED, BETTER]}]


def test_words_that_are_the_same_are_no_preference():
    kept, pair = kept_answers.keep("", [*ASKED, SAID], better="A model. ", called="x")
    assert (kept.rows, pair) == (1, None)


def test_a_sample_is_copied_first_and_stays():
    """As every file whose rows are in another format; the copy goes on growing."""
    sample = library.require("lighthouse-keeper").read_bytes()
    copy = "lighthouse-keeper-messages.jsonl"
    first, _ = kept_answers.keep("lighthouse-keeper", [*ASKED, SAID])
    second, _ = kept_answers.keep("lighthouse-keeper", [*ASKED, BETTER])
    assert (first, second) == ((copy, True, 221), (copy, True, 222))
    assert library.require("lighthouse-keeper").read_bytes() == sample


def test_a_file_of_that_name_with_other_rows_is_left_alone(tmp_path):
    bring(tmp_path, "talks.jsonl", '{"text": "a"}\n')
    bring(tmp_path, "talks-2-preferences.jsonl", "no json\n")
    kept, pair = kept_answers.keep("", [*ASKED, SAID], better="Hm.", called="talks")
    assert (kept.dataset, pair.dataset) == ("talks-2.jsonl", "talks-2-preferences-2.jsonl")


def test_a_file_of_splits_takes_no_answer(tmp_path):
    """Which of its parts should learn it, nobody says; and no copy is made without them."""
    splits = {
        "train": [{"prompt": "a", "response": "b"}],
        "valid": [{"prompt": "c", "response": "d"}],
    }
    mine = bring(tmp_path, "mine.json", json.dumps(splits))
    with pytest.raises(UserError, match="mine.json brings parts of its own") as raised:
        kept_answers.keep(mine, [*ASKED, SAID])
    assert raised.value.field == "dataset"
    assert [one.id for one in library.list_datasets() if not one.is_sample] == ["mine.json"]


def test_files_of_one_name_have_a_copy_each(tmp_path):
    """And a name that is as long as a name can be is found again."""
    long = "a" * 95
    for name in ("talks.json", "talks.csv", f"{long}.json"):
        text = (
            "prompt,response\na,b\n"
            if name.endswith("csv")
            else '[{"prompt": "a", "response": "b"}]'
        )
        bring(tmp_path, name, text)
    for answer in (SAID, BETTER):
        for name in ("talks.json", "talks.csv", f"{long}.json"):
            kept_answers.keep(name, [*ASKED, answer])
    made = {one.id for one in library.list_datasets() if "-messages" in one.id}
    assert made == {
        "talks-json-messages.jsonl",
        "talks-csv-messages.jsonl",
        f"{long}-json-messages"[-80:] + ".jsonl",
    }
    assert [len(rows(one)) for one in made] == [3, 3, 3]


def test_a_copy_beside_a_file_of_its_name_goes_on_growing(tmp_path):
    bring(tmp_path, "y.csv", "prompt,response\na,b\n")
    bring(tmp_path, "y-csv-messages.jsonl", '{"prompt": "a", "response": "b"}\n')
    kept = [kept_answers.keep("y.csv", [*ASKED, one])[0] for one in (SAID, BETTER)]
    copy = "y-csv-messages-2.jsonl"
    assert kept == [(copy, True, 2), (copy, True, 3)]


def test_plain_text_takes_no_answer(tmp_path):
    """Nor does a file in which some rows are; and no copy is made."""
    bring(tmp_path, "story.txt", "Once.\n\nTwice.\n")
    bring(tmp_path, "mixed.jsonl", '{"prompt": "a", "response": "b"}\n{"text": "Once."}\n')
    for name in ("story.txt", "mixed.jsonl"):
        with pytest.raises(UserError, match=f"{name} is plain text") as raised:
            kept_answers.keep(name, [*ASKED, SAID])
        assert raised.value.field == "dataset"
    own = {one.id for one in library.list_datasets() if not one.is_sample}
    assert own == {"story.txt", "mixed.jsonl"}


@pytest.mark.parametrize(
    ("dataset", "messages", "better", "sentence"),
    [
        ("", [*ASKED, SAID], "", "Write a name for the new dataset"),
        ("nobody", [*ASKED, SAID], "", "There is no dataset 'nobody'"),
        ("../x", [*ASKED, SAID], "", "There is no dataset '../x'"),
        ("x", ASKED, "", "no answer to keep yet"),
        ("x", [], "Hm.", "no answer to keep yet"),
        ("x", [*ASKED, SAID | {"content": " "}], "", "This answer is empty"),
    ],
)
def test_what_cannot_be_kept_is_a_sentence(runs_folder, dataset, messages, better, sentence):
    with pytest.raises(UserError, match=sentence):
        kept_answers.keep(dataset, messages, better)
    assert not (runs_folder / "datasets").exists()


@pytest.mark.parametrize("id", ["../evil.jsonl", "lighthouse-keeper", "mine.csv", "", "a" * 121])
def test_rows_go_only_into_files_of_ones_own(runs_folder, id):
    with pytest.raises(UserError, match="no JSON Lines file of yours") as raised:
        library.append(id, {"messages": []})
    assert raised.value.field == "dataset"
    assert not list(runs_folder.rglob("*.jsonl"))
