"""What is made of data on the Data tab: other formats, a copy to keep, rows made here, and what the
choices above it change."""

import json

import pytest
from playwright.sync_api import expect

from engine import characters

pytestmark = pytest.mark.browser

ROWS = [
    {"prompt": "Say one.", "response": "Here is one."},
    {"prompt": "Say two.", "response": ""},
    {"prompt": "Say three.", "response": "Here is three."},
]


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def own(server, name):
    """A dataset of one's own, as it lies in the library."""
    return server.runs / "datasets" / name


def bring(person, path, rows):
    """Uploads a file, until it is read."""
    person.upload(path)
    expect(person.see("upload_said")).to_contain_text(f"{path.name} is in your library")
    expect(person.see("data_statement")).to_contain_text(rows)


def unfold(person, box):
    person.see(box, "button").first.click()


def pick(person, elem_id, option):
    person.see(elem_id, "input").first.click()
    person.page.get_by_role("option", name=option, exact=True).click()


def saved(person, button):
    with person.page.expect_download() as coming:
        person.see(button).click()
    return coming.value.path()


def test_the_rows_left_out_are_downloaded_with_their_reasons(person, tmp_path, write_rows):
    bring(person, write_rows(tmp_path / "three.jsonl", ROWS), "2 ")
    assert lines_of(saved(person, "dropped_rows")) == [
        {"row": 2, "reason": "it has no answer", "reason_zh": "没有回答", "content": ROWS[1]}
    ]


def test_a_dataset_is_converted_and_what_is_lost_is_said(person):
    """The file holds the rows of the format; what is not in it is told with the number written."""
    unfold(person, "convert_box")
    pick(person, "convert_to", "instruction / input / output (Alpaca)")
    person.see("convert").click()
    expect(person.see("convert_said")).to_contain_text("2 rows written.")
    expect(person.see("convert_said")).to_contain_text(
        "1 rows cannot be learned from and are not written: it has no answer."
    )
    assert lines_of(saved(person, "convert_download")) == [
        {"instruction": "Say one.", "input": "", "output": "Here is one."},
        {"instruction": "Say three.", "input": "", "output": "Here is three."},
    ]


def test_a_copy_is_kept_with_a_character_in_every_row(person, server):
    """What was said of the file it was made from goes, and what was said of it when it goes."""
    card = characters.get("lighthouse-keeper")
    unfold(person, "keep_box")
    pick(person, "keep_character", card.name)
    person.see("keep").click()
    expect(person.see("keep_said")).to_contain_text("three-messages.jsonl is in your library")
    expect(person.see("thread_data")).to_contain_text("three-messages.jsonl · 2 rows")
    assert [
        [(m["role"], m["content"]) for m in row["messages"]]
        for row in lines_of(own(server, "three-messages.jsonl"))
    ] == [
        [("system", card.system_prompt), ("user", one["prompt"]), ("assistant", one["response"])]
        for one in (ROWS[0], ROWS[2])
    ]
    expect(person.see("upload_said", ".sentence")).to_have_count(0)
    expect(person.see("remove_upload")).to_have_text("Remove three-messages.jsonl")
    person.see("remove_upload").click()
    expect(person.see("keep_said", ".sentence")).to_have_count(0)


def test_what_is_learned_is_chosen(person, tmp_path, write_rows):
    """All answers, only the last, or every token: the marks follow."""
    turns = [("user", "Hi"), ("assistant", "First."), ("user", "And?"), ("assistant", "Second.")]
    row = {"messages": [{"role": role, "content": text} for role, text in turns]}
    bring(person, write_rows(tmp_path / "turns.jsonl", [row]), "1, all used")
    learned = person.see("data_mask", ".mask .learned")
    expect(learned).to_have_text(["First.", "Second."])
    pick(person, "data_learn", "Only the last answer")
    expect(learned).to_have_text(["Second."])
    pick(person, "data_learn", "Every token")
    expect(learned.filter(has_text="And?")).to_have_count(1)
    pick(person, "data_learn", "All answers")
    expect(learned).to_have_text(["First.", "Second."])


def test_whose_lines_of_a_script_are_learned_is_picked(person, tmp_path):
    """Who speaks most, until another is picked."""
    (tmp_path / "play.txt").write_text(
        "Ann: Hi.\nBob: Hm?\nAnn: I said hi.\nBob: Ah.\nAnn: Yes.\n", encoding="utf-8"
    )
    bring(person, tmp_path / "play.txt", "2")
    expect(person.see("data_speaker", "input").first).to_have_value("Ann · 3")
    expect(person.see("data_mask", ".mask .learned").first).to_contain_text("I said hi.")
    pick(person, "data_speaker", "Bob · 2")
    expect(person.see("data_mask", ".mask .learned").first).to_contain_text("Hm?")


def test_it_is_taught_who_it_is(person, server):
    """Rows with its name and maker, in the language that is chosen, become the dataset."""
    unfold(person, "identity_box")
    person.fill("identity_name", "Wisp")
    person.fill("identity_maker", "Ada")
    person.see("identity_language", "label").filter(has_text="English").click()
    person.see("identity_make").click()
    expect(person.see("upload_said")).to_contain_text("identity-Wisp.jsonl is in your library")
    rows = lines_of(own(server, "identity-Wisp.jsonl"))
    expect(person.see("thread_data")).to_contain_text(f"identity-Wisp.jsonl · {len(rows)} rows")
    text = json.dumps(rows, ensure_ascii=False)
    assert "Wisp" in text
    assert "Ada" in text
    assert text.isascii()


def test_what_the_hub_does_not_give_is_a_sentence(person):
    """And the token is gone from its field."""
    unfold(person, "hub_box")
    person.fill("hub_id", "someone/data")
    person.fill("hub_token", "hf_secret")
    person.see("hub_fetch").click()
    expect(person.see("upload_said", ".sentence")).to_contain_text("someone/data could not be")
    expect(person.see("hub_token", "input")).to_have_value("")
    expect(person.see("upload_said")).not_to_contain_text("hf_secret")
