"""The Data tab: samples, uploads, the token mask, and files that cannot be used."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

# The components that Gradio's renderer looks up at each step of each event, once one has ended.
LOOKED_UP = """async () => {
  const files = performance.getEntriesByType('resource').map(one => one.name);
  const status = await import(files.find(one => one.includes('statustracker')));
  const progress = new (Object.values(status).find(one => one?.prototype?.resolve_args));
  progress.register(1, [2], [3, 4], 'full');
  progress.update({fn_index: 1, status: 'complete', stream_state: 'closed'});
  return Object.keys(progress.current);
}"""
LEGEND = ["learned", "end of turn, learned", "read only", "cut off"]


def choose(person, sample):
    person.see("dataset", "label").filter(has_text=sample).click()
    expect(person.see("thread_data")).to_contain_text(f"{sample} · ")


def test_the_page_opens_on_a_sample_with_its_mask(person):
    """A newcomer sees both samples, and every token of a row marked, with the marks in words."""
    person.wait_for_data()
    expect(person.see("dataset")).to_contain_text("Lighthouse keeper")
    expect(person.see("dataset")).to_contain_text("Palace secretary")
    assert person.see("data_mask", ".legend > span").all_inner_texts() == LEGEND
    expect(person.see("data_mask", ".mask .learned")).not_to_have_count(0)
    expect(person.see("data_mask", ".mask .end")).not_to_have_count(0)
    expect(person.see("data_statement")).to_contain_text(
        re.compile(r"Of [\d,]+ tokens the model learns [\d,]+\.")
    )
    expect(person.see("thread_data")).to_contain_text("Lighthouse keeper · ")
    expect(person.see("memory")).to_contain_text("GiB")


def test_an_input_shows_no_progress(person):
    """Only what an event writes to is looked up for it: the page has sixty fields that are read."""
    assert person.page.evaluate(LOOKED_UP) == ["2"]


def test_a_sample_chosen_is_read_anew(person):
    """Choosing the other sample changes mask, statement and thread."""
    choose(person, "Palace secretary")
    expect(person.see("data_mask", ".mask")).to_contain_text("微臣")


def test_an_answer_whose_stream_was_closed_comes_after_all(person):
    """The stream of answers ends just when another row is asked for: it is shown all the same."""
    person.wait_for_data()
    person.page.route(
        "**/queue/data?*",
        lambda route: route.fulfill(
            content_type="text/event-stream", body='data: {"msg": "close_stream"}\n\n'
        ),
        times=1,
    )
    before = person.see("data_mask", ".mask").inner_text()
    person.fill("data_row", 3)
    expect(person.see("data_mask", ".mask")).not_to_have_text(before, use_inner_text=True)


def test_a_row_that_there_is_not_is_the_nearest(person, tmp_path, write_rows):
    """While it is typed, and without a word of Gradio's own."""
    rows = [{"prompt": f"Say {n}.", "completion": f"Here is {n}."} for n in range(1, 8)]
    person.upload(write_rows(tmp_path / "row.jsonl", rows))
    expect(person.see("thread_data")).to_contain_text("row.jsonl · 7 rows")
    number = person.see("data_row", "input[type=number]")
    for typed, row in ("99999", 7), ("-3", 1):
        number.fill(typed)
        expect(person.see("data_mask", ".mask")).to_contain_text(f"Here is {row}.")
    expect(person.page.locator(".toast-body")).to_have_count(0)


def test_an_upload_shows_format_rows_and_mask(person, tmp_path, write_rows):
    """A JSONL file is read at once: its format named, its rows counted, its answers marked."""
    rows = [{"prompt": f"Say {n}.", "completion": f"Here is {n}."} for n in range(7)]
    file = write_rows(tmp_path / "seven.jsonl", rows)
    person.upload(file)
    expect(person.see("upload_said")).to_contain_text("seven.jsonl is in your library")
    expect(person.see("data_understood")).to_contain_text(re.compile("prompt.*completion", re.I))
    expect(person.see("data_understood")).to_contain_text("UTF-8")
    expect(person.see("data_statement")).to_contain_text("7, all used")
    expect(person.see("data_mask", ".mask")).to_contain_text("Here is 0.")
    learned = "".join(person.see("data_mask", ".mask .learned").all_inner_texts())
    assert "Here is 0." in learned
    assert "Say 0." not in learned
    expect(person.see("thread_data")).to_contain_text("seven.jsonl · 7 rows")
    expect(person.see("remove_upload")).to_have_text("Remove seven.jsonl")
    person.see("remove_upload").click()
    expect(person.see("dataset")).not_to_contain_text("seven.jsonl")


BAD_FILES = {
    "poem.json": ("%PDF-1.4\n", "is a PDF document, not a dataset"),
    "nothing.jsonl": ("", "is empty; choose a file with at least one row"),
    "notes.bin": ("\x00\x01\x02" * 50, "save it as"),
}


def test_a_bad_file_is_told_in_a_sentence(person, tmp_path):
    """What cannot be used says why, and what was chosen before stays chosen."""
    choose(person, "Lighthouse keeper")
    person.wait_for_data()
    for name, (content, sentence) in BAD_FILES.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
        person.upload(tmp_path / name)
        expect(person.see("upload_said", ".sentence")).to_contain_text(name)
        expect(person.see("upload_said", ".sentence")).to_contain_text(sentence)
        expect(person.see("data_mask", ".mask")).to_be_visible()
        expect(person.see("thread_data")).to_contain_text("Lighthouse keeper")


def test_a_broken_file_is_mended_at_a_button(person, tmp_path):
    """The place of the fault, then a new file with all rows."""
    (tmp_path / "comma.json").write_text(
        '[{"prompt": "Hi", "response": "Yes."},\n{"prompt": "Ho", "response": "No."},\n]',
        encoding="utf-8",
    )
    person.upload(tmp_path / "comma.json")
    expect(person.see("upload_said", ".sentence")).to_contain_text("line 2, column 36")
    person.see("mend_upload").click()
    expect(person.see("upload_said")).to_contain_text("comma-mended.jsonl is in your library")
    expect(person.see("data_statement")).to_contain_text("2, all used")
    expect(person.see("data_mask", ".mask")).to_contain_text("Yes.")


def test_columns_that_nobody_knows_are_chosen_by_hand(person, tmp_path):
    """The sentence names the columns, the pickers stand open, and a pick is read at once."""
    (tmp_path / "odd.csv").write_text("alpha,beta\nHi,Yes.\nHo,No.\n", encoding="utf-8")
    person.upload(tmp_path / "odd.csv")
    expect(person.see("data_problem", ".sentence")).to_contain_text("alpha, beta")
    for role, column in (("user", "alpha"), ("assistant", "beta")):
        person.see(f"role_{role}", "input").first.click()
        person.page.get_by_role("option", name=column, exact=True).last.click()
        person.see("data_mapping", "p").first.click()  # elsewhere: its list closes
    expect(person.see("data_statement")).to_contain_text("2, all used")
    learned = "".join(person.see("data_mask", ".mask .learned").all_inner_texts())
    assert "Yes." in learned
    expect(person.see("data_problem", ".sentence")).to_have_count(0)


def test_where_no_row_can_be_learned_from_the_doctor_mends(person, tmp_path, write_rows):
    """The reason stands beside the repair and the list of rows; its copy can be learned from."""
    said = [("gpt", "Hail."), ("human", "Who?"), ("gpt", "The keeper.")]
    turns = [{"from": who, "value": text} for who, text in said]
    rows = [{"conversations": turns, "source": "web"}] * 2
    person.upload(write_rows(tmp_path / "greeting.jsonl", rows))
    problem = person.see("data_problem", ".sentence")
    expect(problem).to_contain_text("2 x it does not begin with a question")
    expect(person.see("data_understood")).to_contain_text("The column source is not used.")
    expect(person.see("data_mask", ".mask")).to_have_count(0)
    expect(person.see("dropped_rows")).to_be_visible()
    expect(person.see("data_mapping")).to_be_visible()
    person.see("repairs", "label").filter(has_text="Turns out of order").click()
    person.see("repair").click()
    expect(person.see("thread_data")).to_contain_text("greeting-repaired.jsonl · 2 rows")
    expect(problem).to_have_count(0)
    expect(person.see("data_mask", ".mask")).to_contain_text("The keeper.")


def test_another_speaker_is_chosen_where_one_answers_nobody(person, tmp_path):
    """Lines are counted as learned, as prompts and as dropped."""
    (tmp_path / "play.txt").write_text(
        "Ann: Hello.\nHow are you?\nBob: Fine.\n\nNight.\nAnn: Asleep?\nBob: No.\nAnn: Hm.\n",
        encoding="utf-8",
    )
    person.upload(tmp_path / "play.txt")
    lines = "2 learned, 2 as prompts, 2 dropped"
    expect(person.see("data_statement")).to_contain_text(lines)
    expect(person.see("data_understood")).to_contain_text(
        "1 lines dropped: the speaker does not answer this line"
    )
    picker = person.see("data_speaker", "input")
    expect(picker).to_have_value("Bob · 2")
    picker.click()
    person.page.get_by_role("option", name="Ann").click()
    expect(person.see("data_statement")).to_contain_text("1 learned, 1 as prompts, 4 dropped")
    expect(person.see("data_mask", ".mask .learned").first).to_contain_text("Hm.")


def test_the_doctor_finds_and_mends_into_a_copy(person, tmp_path, write_rows):
    """A copy without the doubled row becomes the dataset and tells so in its report; raw rows are
    searched; lengths drawn."""
    rows = [{"prompt": f"Say {n % 6}.", "completion": f"Here is {n % 6}."} for n in range(7)]
    file = write_rows(tmp_path / "twice.jsonl", rows)
    person.upload(file)
    finding = person.see("data_doctor", ".finding").filter(has_text="Exact copies")
    expect(finding).to_contain_text("1 rows")
    person.see("repairs", "label").filter(has_text=re.compile("cop", re.I)).first.click()
    person.see("repair").click()
    expect(person.see("repair_said")).to_contain_text("twice-repaired.jsonl is a mended copy")
    expect(person.see("thread_data")).to_contain_text("twice-repaired.jsonl · 6 rows")
    expect(person.see("data_statement")).to_contain_text("6, all used")
    expect(person.see("changes")).to_be_visible()
    with person.page.expect_download() as coming:
        person.see("report_file").click()
    report = coming.value.path().read_text(encoding="utf-8")
    assert report.startswith("# Dataset report: `twice-repaired.jsonl`\n")
    assert "- `duplicates`: 1 rows removed, 0 changed\n" in report
    person.see("view_table-button").last.click()
    person.see("table_search", ":is(input, textarea)").fill("is 4")
    expect(person.see("table_said")).to_contain_text("Rows 1 to 1 of 1 that hold these words")
    person.see("view_lengths-button").last.click()
    expect(person.see("data_lengths", ".bars i")).not_to_have_count(0)
    expect(person.see("data_lengths")).to_contain_text("Packed, 6 rows make 1 sequences")
