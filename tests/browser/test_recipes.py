"""A recipe chosen at the top of the Train tab: what it needs, and one click that fills the form."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.fixture
def hub(page_hub, tiny_llama_folder):
    """A Llama of the tutorial's name, so that its config can be had."""
    page_hub.add_folder("meta-llama/Llama-2-7b-chat-hf", tiny_llama_folder)
    return page_hub


def choose(person, words):
    person.see("recipe", "input").first.click()
    person.see("recipe", "[role=option]").filter(has_text=words).first.click()


def test_a_recipe_fills_the_form(visit, hub):
    """Both memories stand there; the fields and Chat's sliders follow the click, the data stays."""
    person = visit()
    person.go_to("train")
    expect(person.see("recipe_version")).to_be_hidden()
    expect(person.see("recipe_card")).to_be_hidden()
    choose(person, "Llama-2-7B-Chat")
    expect(person.see("recipe_card", ".version .big")).to_have_count(2)
    expect(person.see("recipe_card", ".version.chosen")).to_contain_text("as in the tutorial")
    expect(person.see("recipe_card", ".version.chosen .big")).to_contain_text("GiB")
    person.see("recipe_version").get_by_text("today").click()
    expect(person.see("recipe_card", ".version.chosen")).to_contain_text("today")
    person.see("recipe_fill").click()
    expect(person.see("recipe_said", ".calm")).to_contain_text("your data stays chosen")
    expect(person.see("option_max_length", "input")).to_have_value("1024")
    expect(person.see("option_load_in_4bit", "input")).to_be_checked()
    expect(person.see("thread_data")).to_contain_text("Lighthouse keeper")
    expect(person.see("thread_base")).to_contain_text("Llama-2-7b-chat-hf")
    person.go_to("chat")
    person.see("chat_toggle").click()
    expect(person.see("chat_repetition_penalty", "input[type=number]")).to_have_value("1.3")
    expect(person.see("chat_top_p", "input[type=number]")).to_have_value("0.95")


def test_on_a_phone_in_chinese(visit):
    """What cannot be known says why; nothing is wider than the page; none takes it all away."""
    person = visit(locale="zh-CN", width=390, height=844)
    person.go_to("train")
    choose(person, "Falcon-RW-1B")
    expect(person.see("recipe_card")).to_contain_text("拿到模型的配置文件后才知道显存")
    expect(person.see("recipe_version")).to_contain_text("按教程原样")
    assert person.width() <= 390
    choose(person, "不用配方")
    expect(person.see("recipe_card")).to_be_hidden()
    expect(person.see("recipe_fill")).to_be_hidden()
