"""Many questions at once in the Chat tab: asked of two voices, measured, taken along as a file."""

import csv
import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def open_area(person):
    if not person.see("judging_run").is_visible():
        person.see("judging_box", "> button").click()
        person.see("judging_run").wait_for()


def test_a_table_of_two_voices_and_its_file(person, finished_run, tmp_path):
    """Rows of the sample that training held back, both voices' answers, figures, and the CSV. The
    base has a length of its own, in the talk and here."""
    person.speak_with(finished_run)
    person.see("chat_toggle").click()
    person.unfold("chat_own")
    person.fill("chat_own_max_new_tokens", 3)
    expect(person.see("chat_own", "button.label-wrap")).to_contain_text("of one voice · 1")
    open_area(person)
    person.see("judging_run").click()
    expect(person.see("judging_notice", ".sentence")).to_have_text(
        "Write a question first, one a line."
    )
    person.see("judging_source", "input").nth(1).click()
    expect(person.see("judging_dataset", "input")).to_have_value("Lighthouse keeper")
    person.fill("judging_count", 3)
    person.see("judging_run").click()
    figures = person.see("judging_summary", ".figures")
    figures.wait_for(timeout=240_000)
    expect(figures.locator("thead th")).to_have_text([re.compile("base"), re.compile(".")])
    for name in ("bleu", "rougeL", "chrf", "perplexity"):
        values = figures.locator(f"tr[data-figure={name}] td")
        expect(values).to_have_text([re.compile(r"^\d"), re.compile(r"^\d")])
    rows = person.see("judging_table", "tbody tr")
    expect(rows).to_have_count(3)
    expect(person.see("judging_table", "mark")).not_to_have_count(0)
    expect(person.see("judging_said")).to_contain_text("Answers: 6, in ")
    expect(person.see("judging_said")).not_to_contain_text("word for word in the training rows")
    expect(person.see("judging_run")).to_be_visible()
    with person.page.expect_download() as taken:
        person.see("judging_csv").click()
    taken.value.save_as(tmp_path / "answers.csv")
    with (tmp_path / "answers.csv").open(encoding="utf-8-sig", newline="") as file:
        written = list(csv.DictReader(file))
    assert len(written) == 3
    assert {row["base tokens"] for row in written} == {"3"}
    assert all(int(row[f"{finished_run} tokens"]) > 3 for row in written)
    shown = rows.nth(0).locator("td").nth(2).locator("div").inner_text()
    assert written[0]["base"].split() == shown.split()
    assert {"prompt", "reference", "base bleu", f"{finished_run} chrf"} <= written[0].keys()


def test_stop_keeps_what_is_there(person, finished_run):
    """Own texts with the rewriting preset; a stop in the midst still gives a table."""
    person.speak_with(finished_run)
    open_area(person)
    person.see("judging_source", "input").first.click()
    person.see("judging_preset", "input").click()
    person.page.get_by_role("option", name="Rewrite each text").click()
    words = person.see("judging_instruction", "textarea")
    expect(words).to_have_value(re.compile("Rewrite the following text"))
    person.fill("judging_prompts", "\n".join(f"The sea was calm on day {n}." for n in range(300)))
    person.see("judging_run").click()
    expect(person.see("judging_said")).to_contain_text(
        re.compile(r"\d+ of 600 answers · about"), timeout=90_000
    )
    person.see("judging_stop").click()
    expect(person.see("judging_said", ".sentence")).to_contain_text("Stopped by you")
    expect(person.see("judging_table", "tbody tr")).not_to_have_count(0)
    expect(person.see("judging_table")).to_contain_text("The first 100 of 300 are shown")
    expect(person.see("judging_csv")).to_be_visible()
    expect(person.see("judging_run")).to_be_visible()
