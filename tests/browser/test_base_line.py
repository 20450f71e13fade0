"""Under the base model: what a download costs, the download, stopped and gone on with; what is here
is marked."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

WEIGHTS = "model.safetensors"


@pytest.fixture
def hub(page_hub, tiny_model_folder):
    page_hub.add_folder("me/tiny", tiny_model_folder)
    page_hub.hold[WEIGHTS] = 1 << 16
    yield page_hub
    page_hub.let_go()


def choose(person, name):
    field = person.see("option_model_name_or_path", "input").first
    field.click()
    field.fill(name)
    field.press("Enter")
    field.blur()


def test_a_base_is_downloaded_from_the_form(visit, hub):
    """Only the small files are asked for until Download is pressed; a second visitor sees the
    download go on; at its end the base stands marked among the choices."""
    person = visit()
    person.go_to("train")
    expect(person.see("base_said")).to_be_hidden()
    choose(person, "me/tiny")
    expect(person.see("base_said")).to_contain_text("GiB to download")
    expect(person.see("base_said")).to_contain_text("free on the disk · licence apache-2.0 · about")
    expect(person.see("base_said", "a")).to_have_attribute("href", f"{hub.url}/me/tiny")
    expect(person.see("base_stop")).to_be_hidden()
    assert hub.ranges(WEIGHTS) == []

    person.see("base_download").click()
    expect(person.see("base_said", ".bar")).to_be_visible()
    expect(person.see("base_said")).to_contain_text("Downloading, 0.0")
    other = visit(locale="zh-CN", width=390, height=844)
    other.go_to("train")
    choose(other, "me/tiny")
    expect(other.see("base_said")).to_contain_text("正在下载，0.0")
    assert other.width() <= 390
    other.see("base_stop").click()
    expect(other.see("base_download")).to_have_text("下载")
    expect(person.see("base_download")).to_be_visible()

    hub.let_go()
    person.see("base_download").click()
    expect(person.see("base_said", ".good")).to_have_text("✓ here · 0.00 GiB")
    expect(person.see("base_download")).to_be_hidden()
    expect(person.see("base_stop")).to_be_hidden()
    assert hub.ranges(WEIGHTS)[-1] == f"bytes={1 << 16}-"
    field = person.see("option_model_name_or_path", "input").first
    expect(field).to_have_value("me/tiny · here · 0.00 GiB")
    expect(person.see("thread_base")).to_contain_text("tiny")

    choose(person, "nobody/nothing")
    expect(person.see("option_model_name_or_path")).to_contain_text("The Hub has no model nobody")
    expect(person.see("base_said")).to_be_hidden()
