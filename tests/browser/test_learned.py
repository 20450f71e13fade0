"""What a run has learned, as a person looks at it: answers over time, the report, a comparison."""

import zipfile

import pytest
from playwright.sync_api import expect

from ui.runs_table import SELECT_BY_CLICK

pytestmark = pytest.mark.browser

# Every step that is shown from now on.
PLAYED = """() => {
  window.played = [];
  const said = document.querySelector('#runs_answers output');
  new MutationObserver(() => window.played.push(said.textContent))
    .observe(said, {childList: true, characterData: true, subtree: true});
}"""


def test_it_is_watched_while_it_learns(person, finished_run):
    """Verdict and answers on Runs and on Train; arrow keys walk along the steps."""
    person.select_run(finished_run)
    person.see("runs_open").click()
    expect(person.see("run_learned", ".verdict")).not_to_be_empty()
    for place in ("run_answers", "runs_answers"):
        if place == "runs_answers":
            person.select_run(finished_run)
        expect(person.see(place, "output")).to_have_text("at step 16")
        shown = person.see(place, ".answer.shown")
        expect(shown).to_have_count(1)
        expect(shown.locator(".tuned mark").first).to_be_visible()
        line = person.see(place, "input[type=range]")
        line.press("Home")
        expect(person.see(place, "output")).to_have_text("at step 0")
        expect(shown.locator("mark")).to_have_count(0)
        line.press("ArrowRight")
        expect(line).to_have_attribute("aria-valuetext", "at step 8")
    person.page.evaluate(PLAYED)
    person.see("runs_answers", "[data-play]").click()
    person.page.wait_for_function("window.played.length >= 3")
    assert person.page.evaluate("window.played") == ["at step 0", "at step 8", "at step 16"]


def test_the_report_is_read_and_taken_away(visit, finished_run, tmp_path):
    """In the page's language, with its picture; the zip holds both languages."""
    person = visit(locale="zh-CN")
    person.select_run(finished_run)
    person.see("report_box", "button").first.click()
    expect(person.see("runs_report")).to_contain_text("与默认值不同的设置")
    picture = person.see("runs_report", "img").first
    expect(picture).to_be_visible()
    person.page.wait_for_function("document.querySelector('#runs_report img').naturalWidth > 300")
    with person.page.expect_download() as coming:
        person.see("take_report").click()
    assert coming.value.suggested_filename == f"{finished_run}-report.zip"
    coming.value.save_as(tmp_path / "report.zip")
    with zipfile.ZipFile(tmp_path / "report.zip") as archive:
        assert {"report.md", "report.zh.md", "curves.svg"} <= set(archive.namelist())


MADE_ANEW = """code => {
    const made = () => {
        const table = document.createElement('div');
        table.innerHTML = '<input type="checkbox" data-compare="a"><input type="checkbox" ' +
            'data-compare="b">';
        document.body.append(table);
        new Function('element', 'trigger', code)(table, () => {});
        return table;
    };
    const ticks = (table) => [...table.children].map((one) => one.checked);
    const first = made();
    first.children[1].click();
    first.remove();
    const second = made();
    const after = ticks(second);
    second.dispatchEvent(new Event('clear'));
    const cleared = ticks(second);
    second.remove();
    return [after, cleared];
}"""


WRITTEN_OVER = """async code => {
    const table = document.createElement('div');
    table.innerHTML = '<input type="checkbox" data-compare="a"><input type="checkbox" ' +
        'data-compare="b">';
    document.body.append(table);
    new Function('element', 'trigger', code)(table, () => {});
    const [first, second] = table.children;
    first.click();
    first.dataset.compare = 'b';
    second.dataset.compare = 'a';
    await new Promise(done => setTimeout(done));
    const ticks = [first.checked, second.checked];
    table.dispatchEvent(new Event('clear'));
    table.remove();
    return ticks;
}"""


def test_ticks_go_with_their_runs(person):
    """Gradio writes over the table that is there: runs change places, their boxes do not."""
    assert person.page.evaluate(WRITTEN_OVER, SELECT_BY_CLICK) == [False, True]


def test_ticks_outlive_the_table_itself(person):
    """Gradio may make the component anew, with empty boxes, between two of a person's ticks."""
    assert person.page.evaluate(MADE_ANEW, SELECT_BY_CLICK) == [[False, True], [False, False]]


def test_runs_are_compared(person, finished_run, copied_run):
    """Ticks stay when the table is drawn anew; equal runs differ in nothing; Clear clears."""
    person.select_run(finished_run)
    boxes = [person.see("runs_table", f'[data-compare="{run_id}"]')
             for run_id in (finished_run, copied_run.name)]  # fmt: skip
    expect(boxes[1]).to_be_visible()  # else the row that is ticked may still move down
    boxes[0].check()
    expect(person.see("compare_shown")).to_contain_text("Tick one more run")
    boxes[1].check()
    expect(person.see("compare_shown", "thead")).to_contain_text("spare-vole")
    expect(person.see("compare_shown")).to_contain_text("All settings are the same.")
    person.select_run(copied_run.name)
    for box in boxes:
        expect(box).to_be_checked()
    person.see("compare_only", "input").click()
    expect(person.see("compare_shown", 'th[title="learning_rate"]')).to_be_visible()
    person.see("compare_along", "label").nth(2).click()
    expect(person.see("compare_shown", ".curves svg")).to_contain_text("seconds")
    person.see("compare_clear").click()
    expect(person.see("compare_box")).to_be_hidden()
    for box in boxes:
        expect(box).not_to_be_checked()
