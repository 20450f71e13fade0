"""What people write is text: it never becomes an element of the page, nor runs."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

EVIL = '<script>window.pwned=1</script><img src=x onerror="window.pwned=1"><b id=evil>bold</b>'
FOUND = """() => window.pwned || document.querySelectorAll(
  '#evil, img[src="x"], [onerror], main script:not([src])').length"""


def test_user_text_is_never_html(visit, copied_run, tmp_path, write_rows):
    """Tags in a dataset row, a system prompt, a question and a run's name are shown as text."""
    rows = [{"prompt": f"{n} {EVIL}", "completion": f"{EVIL} {n}"} for n in range(5)]
    file = write_rows(tmp_path / "evil.jsonl", rows)
    person = visit()
    person.wait_for_data()
    person.upload(file)
    expect(person.see("data_mask", ".mask")).to_contain_text("<script>window.pwned=1</script>")
    for view, shown in {"table": "data_table", "conversation": "data_conversation"}.items():
        person.see(f"view_{view}-button").last.click()
        expect(person.see(shown)).to_contain_text("<script>window.pwned=1</script>")
    person.see("view_prompt-button").last.click()
    expect(person.see("data_prompt")).to_contain_text("<b id=evil>")
    person.go_to("train")
    person.fill("option_system_prompt", EVIL)
    expect(person.see("verdict")).to_have_text("Ready")
    assert not person.page.evaluate(FOUND)

    person.select_run(copied_run.name)
    expect(person.see("runs_head")).to_contain_text(copied_run.name)
    person.see("runs_rename").click()
    person.fill("runs_new_name", "<img src=x onerror=window.pwned=1><b id=evil>hey")
    person.see("runs_save_name").click()
    expect(person.see("runs_head")).to_contain_text("<img src=x onerror=window.pwned=1>")
    expect(person.see("runs_table")).to_contain_text("<img src=x onerror=window.pwned=1>")
    person.see("runs_open").click()
    expect(person.see("run_card")).to_contain_text("<img src=x onerror=window.pwned=1>")
    expect(person.see("thread_run")).to_contain_text("<img src=x onerror=window.pwned=1>")

    person.speak_with(copied_run.name)
    person.see("chat_toggle").click()
    person.fill("chat_system", EVIL)
    person.ask(f"Hello! {EVIL}")
    person.wait_for_answers(1)
    question = person.see("chat_1", "[data-testid=user]")
    expect(question).to_contain_text("<script>window.pwned=1</script>")
    person.see("chat_1_line", "summary").click()
    expect(person.see("chat_1_line", "pre")).to_contain_text("<b id=evil>")
    expect(person.see("chat_2")).to_contain_text("<img src=x onerror=window.pwned=1>")
    assert not person.page.evaluate(FOUND)
