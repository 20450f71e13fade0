"""The form as text: what is copied from it fills it again."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_command_and_yaml_fill_the_form(visit, tmp_path):
    """The command follows the form; pasted it fills the form, also out of a file; what cannot be
    read is a sentence and changes nothing."""
    person = visit()
    person.wait_for_data()
    person.go_to("train")
    person.see("as_text", "button").first.click()
    person.fill("option_lora_r", 5)
    command = person.see("as_command", "textarea")
    expect(command).to_have_value(re.compile("python -m engine train --system.* --lora_r=5 ", re.S))
    person.fill("paste", "--lora_r=7 --learning_rat=1")
    person.see("fill_form").click()
    expect(person.see("fill_said", ".sentence")).to_contain_text("Did you mean learning_rate?")
    expect(person.see("option_lora_r", "input")).to_have_value("5")
    person.fill("paste", "python -m engine train --lora_r=7")
    person.see("fill_form").click()
    expect(person.see("option_lora_r", "input")).to_have_value("7")
    expect(command).to_have_value("python -m engine train --lora_r=7")
    file = tmp_path / "mine.yaml"
    file.write_text("lora_r: 9\nlearning_rate: 2e-3\n")
    with person.page.expect_file_chooser() as chooser:
        person.see("paste_file").click()
    chooser.value.set_files(file)
    expect(person.see("option_lora_r", "input")).to_have_value("9")
    expect(person.see("option_learning_rate", "input")).to_have_value("0.002")
    expect(person.see("as_yaml", "textarea")).to_have_value(re.compile("lora_r: 9"))


def test_a_text_brings_its_dataset_as_it_says(visit, tmp_path):
    """Columns, prompt and questions are those of the text, not those that come with the data."""
    person = visit()
    person.wait_for_data()
    file = tmp_path / "mapped.csv"
    file.write_text("alpha,beta\n" + "Say it.,Here it is.\n" * 5, encoding="utf-8")
    person.upload(file)
    expect(person.see("data_problem")).to_contain_text("alpha, beta")
    person.see("dataset", "label").filter(has_text="Palace secretary").click()
    expect(person.see("data_mask", ".mask")).to_contain_text("微臣")
    person.go_to("train")
    person.see("as_text", "button").first.click()
    person.fill("paste", "dataset: mapped.csv\nmapping: alpha=user, beta=assistant\n")
    person.see("fill_form").click()
    expect(person.see("thread_data")).to_contain_text("mapped.csv · 5 rows")
    mapped = "mapping: alpha=user, beta=assistant"
    expect(person.see("as_yaml", "textarea")).to_have_value(re.compile(mapped))
    plain = "dataset: lighthouse-keeper\nsystem_prompt: ''\nsample_prompts: ''\n"
    person.fill("paste", plain)
    person.see("fill_form").click()
    expect(person.see("thread_data")).to_contain_text("Lighthouse keeper · ")
    expect(person.see("option_system_prompt", "textarea")).to_have_value("")
    expect(person.see("as_yaml", "textarea")).to_have_value(re.compile("sample_prompts: ''"))
