"""The Export tab: what was trained on the page leaves through it."""

import re
import zipfile

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_a_run_is_merged_checked_and_fetched(person, finished_run, server, tmp_path):
    """The run that speaks is chosen; needs are said; merging shows what it does and how its check
    went; both zips come."""
    person.speak_with(finished_run)
    person.go_to("export")
    expect(person.see("export_run", "input")).to_have_value(_name(server, finished_run))
    expect(person.see("export_merged_head", ".needs")).to_contain_text("of memory and")
    person.see("export_merged").click()
    expect(person.see("export_stop_merged")).to_be_visible()
    expect(person.see("export_gguf")).to_be_disabled()
    said = person.see("export_merged_said", ".sentence")
    # Two words may be equally likely after so short a training.
    expect(said).to_contain_text(
        re.compile(r"Checked: loaded anew, it answered [34] of 4 prompts"), timeout=120_000
    )
    place = server.runs / finished_run / "export" / "merged"
    expect(person.see("export_merged_said", "code")).to_have_text(str(place))
    assert {"model.safetensors", "tokenizer.json", "generation_config.json", "README.md"} <= {
        one.name for one in place.iterdir()
    }
    names = fetched(person, "export_zip_merged", tmp_path / "merged.zip")
    assert {"model.safetensors", "config.json", "export.json"} <= names
    names = fetched(person, "export_adapter", tmp_path / "adapter.zip")
    assert {"adapter_model.safetensors", "README.md", "greenroom.json"} <= names
    expect(said).to_have_count(2)  # that the zip is on its way, and still how the check went
    expect(said.last).to_contain_text("Checked")


def fetched(person, button, path):
    with person.page.expect_download() as coming:
        person.see(button).click()
    coming.value.save_as(path)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return set(archive.namelist())


def _name(server, run_id):
    name = (server.runs / run_id / "name").read_text(encoding="utf-8")
    return f"{name} ({run_id})"


def test_a_push_that_cannot_be_is_a_sentence(person, finished_run):
    """A wrong name at once, a Hub that refuses after a moment; the token leaves the field."""
    person.go_to("export")
    person.fill("export_repo_id", "not a name")
    person.fill("export_token", "hf_secret")
    person.see("export_hub").click()
    expect(person.see("export_notice")).to_contain_text("is no name for a model on the Hub")
    expect(person.see("export_token", "input")).to_have_value("")
    person.fill("export_repo_id", "me/mine")
    person.fill("export_token", "hf_secret")
    person.see("export_hub").click()
    expect(person.see("export_hub_said")).to_contain_text("me/mine could not be pushed")
    expect(person.see("export_notice", ".sentence")).to_have_count(0)
