"""What the page asks of its data, through the real process: kept, read, measured, mended."""

import hashlib
import json

import pytest

from engine import library
from engine.desk import client as desk
from engine.errors import UserError

ASKED = {"max_length": 64, "loss_on": "answers", "system_prompt": "", "mapping": "", "speaker": ""}


@pytest.fixture(scope="module", autouse=True)
def process():
    yield
    desk.close()


def bring(folder, rows, name="mine.jsonl"):
    path = folder / name
    text = rows if isinstance(rows, str) else "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return desk.add(path, name)


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


ROWS = [
    {"prompt": "Hi", "response": "Yes."},
    {"prompt": "Hi", "response": "Yes."},
    {"prompt": "Ho", "response": ""},
    {"prompt": "Ha", "response": "No."},
]


def test_a_file_is_kept_understood_and_measured(tmp_path):
    """The report by and by, then one row; the row left out comes with its reason."""
    dataset = bring(tmp_path, ROWS)
    facts = desk.understood(dataset)
    assert (facts["format"], facts["rows"], facts["usable"]) == ("pairs", 4, 3)
    assert facts["mapping"] == {"prompt": "user", "response": "assistant"}
    looks = list(desk.inspecting(dataset, "sprout", **ASKED))
    assert all(set(look) - {"so_far"} == {"share"} for look in looks[:-1])
    report = looks[-1]["report"]
    assert report["pictures"]["packing"]["rows"] == 3
    found = {one["kind"]: one["rows"] for one in report["problems"]}
    assert found["duplicates"] == 1
    assert desk.inspect(dataset, "sprout", **ASKED) == report
    row = desk.row(dataset, "sprout", 2, **ASKED)
    assert (row["source_row"], row["messages"][1]["content"]) == (3, "No.")
    (left_out,) = lines_of(desk.dropped(dataset))
    assert (left_out["row"], left_out["content"]) == (3, ROWS[2])
    assert left_out["reason"] == "it has no answer"


def test_a_file_that_cannot_be_read_is_not_kept(tmp_path, runs_folder):
    with pytest.raises(UserError, match="is a PDF document, not a dataset"):
        bring(tmp_path, "%PDF-1.4", "poem.json")
    assert len(library.list_datasets()) == 2
    assert not list((runs_folder / "datasets").iterdir())


def test_what_lies_there_stays_when_the_same_is_brought_again(tmp_path):
    assert [bring(tmp_path, ROWS), bring(tmp_path, ROWS)] == ["mine.jsonl", "mine.jsonl"]


def test_a_broken_file_is_mended_into_a_new_one(tmp_path):
    """The comma behind the last row."""
    path = tmp_path / "broken.json"
    path.write_text('[{"prompt": "Hi", "response": "Yes."},\n]', encoding="utf-8")
    with pytest.raises(UserError, match="line 1, column 38") as raised:
        desk.add(path, path.name)
    assert raised.value.remedy == "mend"
    added, changes = desk.add_mended(path, path.name)
    assert added == "broken-mended.jsonl"
    assert len(changes) == 1
    assert desk.understood(added)["rows"] == 1


def test_a_choice_of_columns_is_read_and_kept(tmp_path):
    dataset = bring(tmp_path, [{"a": "Hi", "b": "Yes."}])
    with pytest.raises(UserError, match="a, b"):
        desk.understood(dataset)
    mapping = "a=user, b=assistant"
    assert desk.understood(dataset, mapping)["mapping"] == {"a": "user", "b": "assistant"}
    kept = desk.keep_as_messages(dataset, mapping, system_prompt="Be kind.")
    assert kept == "mine-messages.jsonl"
    (row,) = lines_of(library.require(kept))
    assert [m["content"] for m in row["messages"]] == ["Be kind.", "Hi", "Yes."]


def test_a_copy_is_mended_and_its_changes_listed(tmp_path):
    dataset = bring(tmp_path, ROWS)
    before = library.require(dataset).read_bytes()
    added, changes, counts = desk.repair(dataset, ["duplicates"], {})
    assert added == "mine-repaired.jsonl"
    assert counts == [{"kind": "duplicates", "removed": 1, "changed": 0}]
    assert [one["row"] for one in lines_of(changes)] == [2]
    assert desk.understood(added)["rows"] == 2
    assert library.require(dataset).read_bytes() == before
    sha256 = hashlib.sha256(before).hexdigest()
    for language, title in (("en", "Dataset report"), ("zh", "数据报告")):
        kept = library.report_file(added, language).read_text(encoding="utf-8")
        assert title in kept
        assert sha256 in kept


def test_rows_of_which_none_is_left_are_listed_and_mended(tmp_path):
    """A copy in which nothing would be left is not made."""
    said = [{"from": "gpt", "value": "Hi"}, {"from": "human", "value": "Ho"}]
    row = {"conversations": [*said, {"from": "gpt", "value": "Ha"}]}
    dataset = bring(tmp_path, [row, {"conversations": said[1:]}], "greeting.jsonl")
    assert desk.understood(dataset)["usable"] == 0
    left_out = [(one["row"], one["reason"]) for one in lines_of(desk.dropped(dataset))]
    assert left_out == [(1, "it does not begin with a question"), (2, "it has no answer")]
    added, _, counts = desk.repair(dataset, ["role_order"], {})
    assert counts == [{"kind": "role_order", "removed": 0, "changed": 1}]
    assert desk.understood(added)["usable"] == 1
    with pytest.raises(UserError, match="Nothing would be left after this repair") as raised:
        desk.repair(dataset, ["empty_answers"], {})
    assert raised.value.field == "kinds"
    assert "greeting-repaired-2.jsonl" not in {one.id for one in library.list_datasets()}
    with pytest.raises(UserError, match="No row can be learned from"):
        desk.convert(dataset, "alpaca")


def test_a_report_says_what_was_found_and_how_a_copy_came_to_be(tmp_path):
    """A copy of a copy tells the whole way; what is removed takes its report along."""
    dataset = bring(tmp_path, ROWS)
    added, *_ = desk.repair(dataset, ["duplicates"], {})
    kept = desk.keep_as_messages(added)
    facts = desk.inspect(kept, "sprout", **ASKED)
    file = desk.report(kept, facts, "en")
    assert file.name == "mine-repaired-messages-report.md"
    page = file.read_text(encoding="utf-8")
    headings = [line for line in page.splitlines() if "eport: " in line]
    assert headings == [
        "# Dataset report: `mine-repaired-messages.jsonl`",
        "### Dataset report: `mine-repaired.jsonl`",
        "##### Dataset report: `mine.jsonl`",
    ]
    assert "- `few_rows`, 2 rows: Only 2 rows" in page
    assert "- `duplicates`: 1 rows removed, 0 changed" in page
    assert "- 1 rows: it has no answer" in page
    library.remove(kept)
    assert not library.report_file(kept, "en").exists()
    assert library.report_file(added, "en").exists()
    assert [one.id for one in library.list_datasets()][2:] == ["mine-repaired.jsonl", dataset]


def test_what_is_made_of_a_file_of_splits_has_them(tmp_path):
    """Mended, kept and mended again: what is held back for validation stays held back."""
    splits = {"train": ROWS, "valid": [{"prompt": "He", "response": "So."}]}
    dataset = bring(tmp_path, json.dumps(splits), "mine.json")
    added, changes, _ = desk.repair(dataset, ["duplicates"], {})
    assert (added, desk.understood(added)["splits"]) == (
        "mine-repaired.json",
        {"train": 2, "valid": 1},
    )
    assert [one["row"] for one in lines_of(changes)] == [2]
    kept = desk.keep_as_messages(added, system_prompt="Be kind.")
    assert kept == "mine-repaired-messages.json"
    rows = json.loads(library.require(kept).read_text(encoding="utf-8"))
    assert {
        name: [row["messages"][1]["content"] for row in some] for name, some in rows.items()
    } == {
        "train": ["Hi", "Ha"],
        "valid": ["He"],
    }


def test_a_second_file_is_read_by_the_columns_chosen_for_the_first(tmp_path):
    first = bring(tmp_path, "alpha,beta\nHi,Yes.\nHo,No.\n", "odd.csv")
    second = bring(tmp_path, "alpha,beta\nHo,Well.\n", "oddval.csv")
    added, _, counts = desk.repair(first, ["leakage"], {}, second, "alpha=user, beta=assistant")
    assert counts == [{"kind": "leakage", "removed": 1, "changed": 0}]
    (row,) = lines_of(library.require(added))
    assert row["messages"][0]["content"] == "Hi"


def test_another_format_says_what_it_cannot_hold(tmp_path):
    talk = [("user", "Hi"), ("assistant", "Yes."), ("user", "Ho"), ("assistant", "No.")]
    row = {"messages": [{"role": role, "content": text} for role, text in talk]}
    dataset = bring(tmp_path, [row])
    (before,) = desk.losses(dataset, "prompt-completion")
    out, done = desk.convert(dataset, "prompt-completion")
    assert done == {"rows": 2, "lost": [before]}
    assert lines_of(out) == [
        {"prompt": "Hi", "completion": "Yes."},
        {"prompt": "Ho", "completion": "No."},
    ]
    assert desk.losses(dataset, "sharegpt") == []


def test_rows_are_searched(tmp_path):
    dataset = bring(tmp_path, ROWS)
    page = desk.table(dataset, search="ha")
    assert (page["numbers"], page["rows"], page["total"]) == ([3], [["Ha", "No."]], 1)


def test_it_learns_who_it_is():
    dataset = desk.add_identity("小灯", "Ada", "both")
    assert dataset == "identity-小灯.jsonl"
    assert desk.understood(dataset)["rows"] >= 120


def test_the_hub_without_a_network_is_a_sentence(monkeypatch):
    """Offline, as all tests are; the token stands in no word of it."""
    with pytest.raises(UserError, match="someone/data could not be fetched") as raised:
        desk.add_from_hub("someone/data", token="hf_secret")
    assert raised.value.field == "hub"
    assert "hf_secret" not in str(raised.value)
    with pytest.raises(UserError, match="is no dataset id"):
        desk.add_from_hub("../etc")
