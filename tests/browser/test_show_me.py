"""Show me: one button, from an empty page to both answers. Takes the README's pictures on its way.

GREENROOM_SCREENSHOTS=1 writes docs/data.png, docs/train.png and docs/chat.png.
"""

import json
import os
import re
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

DOCS = Path(__file__).parent.parent.parent / "docs"
LARGEST_BYTES = 400_000
MARA = re.compile("my dear|aye|lamp|gull|tide|fog|keeper", re.IGNORECASE)

# Which row the guide spoke of, and which stood there.
ROWS = """() => {
  window.rows = new Set();
  setInterval(() => {
    const said = document.querySelector('#guide')?.innerText.match(/row (\\d)/);
    const there = document.querySelector('#data_row input')?.value;
    if (said) window.rows.add(`${said[1]} ${there}`);
  }, 100);
}"""
PICTURES = os.environ.get("GREENROOM_SCREENSHOTS") == "1"


def picture(person, name):
    if not PICTURES:
        return
    person.page.evaluate("window.scrollTo(0, 0)")
    file = DOCS / f"{name}.png"
    person.page.screenshot(path=file)
    assert file.stat().st_size < LARGEST_BYTES, file


def test_show_me_leads_from_the_data_to_both_answers(visit, page_process):
    """The real thing: rows with their mask, a whole run, and a question answered in two voices."""
    server = page_process()
    server.start()
    person = visit(to=server)
    expect(person.see("own_data")).to_have_text("I have my own data")
    person.go_to("export")
    expect(person.see("export_facts")).to_contain_text("Nothing can leave yet: no run has an")
    expect(person.see("export_adapter")).to_be_hidden()
    person.page.evaluate(ROWS)
    person.see("show_me").click()
    expect(person.see("show_me")).to_be_hidden()
    expect(person.see("guide")).to_contain_text("Mara · row 1. The model learns the green tokens")
    person.wait_for_data()
    person.page.wait_for_function("['1 1', '2 2'].every(one => window.rows.has(one))")
    picture(person, "data")

    expect(person.see("guide")).to_contain_text("Mara is learning", timeout=90_000)
    shown = re.compile(r"step [67]\d of" if PICTURES else r"step \d\d of")
    expect(person.see("run_card", ".big")).to_contain_text(shown, timeout=240_000)
    expect(person.see("loss_says")).to_contain_text("Smoothed loss")
    picture(person, "train")
    (status,) = server.runs.glob("*-*-*/status.json")
    run = psutil.Process(json.loads(status.read_text(encoding="utf-8"))["pid"])
    run.suspend()  # or it may end before the page is there again
    person.page.reload()  # the guide goes on, and so does the run
    expect(person.see("guide")).to_contain_text("Mara is learning")
    run.resume()

    question = "What are you up to this evening?"
    expect(person.see("guide")).to_contain_text("Both answer the same", timeout=400_000)
    expect(person.see("chat_1", "[data-testid=user]")).to_contain_text(question)
    person.wait_for_answers(1)
    (base,), (tuned,) = person.said_by(1), person.said_by(2)
    assert base != tuned
    expect(person.see("chat_2", "mark")).not_to_have_count(0)
    expect(person.see("chat_2_line")).to_contain_text("differs from base")
    expect(person.see("thread_voices")).to_contain_text("base, ")
    person.see("guide_close").click()
    expect(person.see("guide_close")).to_be_hidden()
    expect(person.see("show_again")).to_be_visible()
    picture(person, "chat")
    (run,) = server.runs.glob("*-*-*/samples.jsonl")
    samples = [json.loads(line) for line in run.read_text(encoding="utf-8").splitlines()]
    last = [one["answer"] for one in samples if one["step"] == samples[-1]["step"]]
    assert sum(bool(MARA.search(answer)) for answer in last) > len(last) / 2, last
    server.close()
