"""The Runs tab: what is done with a run when it is over."""

import zipfile

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_a_run_is_renamed(person, copied_run):
    """A new name appears in the table and in the card; an empty one is refused in a sentence."""
    person.select_run(copied_run.name)
    person.see("runs_rename").click()
    person.fill("runs_new_name", "   ")
    person.see("runs_save_name").click()
    expect(person.see("runs_notice", ".sentence")).to_contain_text("The name is empty")
    person.fill("runs_new_name", "the good one")
    person.see("runs_save_name").click()
    row = person.see("runs_table", f'tr[data-run="{copied_run.name}"]')
    expect(row).to_contain_text("the good one")
    expect(row).to_contain_text("finished")
    expect(row.locator("svg.spark path")).not_to_have_count(0)
    expect(person.see("runs_head")).to_contain_text("the good one")
    expect(person.see("runs_learned", ".verdict")).not_to_be_empty()


def test_a_clone_fills_the_form(person, finished_run):
    """Clone brings the options of a run, its data and its prompt back into the form."""
    person.go_to("data")
    person.see("dataset", "label").filter(has_text="Palace secretary").click()
    expect(person.see("thread_data")).to_contain_text("Palace secretary")
    person.select_run(finished_run)
    person.see("runs_clone").click()
    expect(person.see("summary", ".big")).to_have_text("sprout on Lighthouse keeper")
    expect(person.see("advanced")).to_contain_text("differ from the default")
    person.see("advanced", "button").first.click()
    expect(person.see("option_max_steps", "input")).to_have_value("16")
    expect(person.see("option_eval_steps", "input")).to_have_value("8")
    expect(person.see("option_system_prompt", "textarea")).to_have_value(
        "You are Mara, keeper of the lighthouse on Gull Rock. "
        "You are warm and kind, with a dry sense of humour."
    )
    expect(person.see("verdict")).to_have_text("Ready")


def test_the_adapter_comes_as_a_zip(person, finished_run, tmp_path):
    """Download gives the whole adapter folder in one file."""
    person.select_run(finished_run)
    with person.page.expect_download() as coming:
        person.see("runs_download").click()
    coming.value.save_as(tmp_path / "adapter.zip")
    assert coming.value.suggested_filename == f"{finished_run}.zip"
    with zipfile.ZipFile(tmp_path / "adapter.zip") as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
    assert {"adapter_model.safetensors", "adapter_config.json", "greenroom.json"} <= names
    expect(person.see("runs_notice")).to_contain_text("is on its way to your downloads")


def test_delete_asks_first(person, copied_run):
    """Keep it keeps; Delete it removes the row and the folder."""
    person.select_run(copied_run.name)
    person.see("runs_delete").click()
    expect(person.see("runs_delete_question")).to_contain_text(f"({copied_run.name})?")
    person.see("runs_delete_no").click()
    expect(person.see("runs_delete_question")).to_be_hidden()
    assert copied_run.is_dir()
    person.see("runs_delete").click()
    person.see("runs_delete_yes").click()
    expect(person.see("runs_notice")).to_contain_text("spare-vole is deleted.")
    expect(person.see("runs_table", f'tr[data-run="{copied_run.name}"]')).to_have_count(0)
    assert not copied_run.exists()
