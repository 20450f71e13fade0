"""Cards that people have, and talking that makes the next training set."""

import base64
import json
import re

import pytest
from playwright.sync_api import expect

from engine.characters.avatar import drawn
from engine.characters.png_text import with_texts

pytestmark = pytest.mark.browser

TOM = {
    "spec": "chara_card_v2",
    "spec_version": "2.0",
    "data": {
        "name": "Old Tom",
        "description": "{{char}} rows a ferry.",
        "first_mes": "Mind the rope, {{user}}.",
        "alternate_greetings": ["You are late."],
        "post_history_instructions": "Be brief.",
        "extensions": {},
    },
}


def ask(person, question):
    """The base alone answers."""
    person.ask(question)
    person.page.wait_for_function(
        """() => document.querySelector('#chat_1_line details') &&
            document.querySelector('#chat_send')?.offsetParent""",
        timeout=240_000,
    )


def test_a_png_card_comes_in_and_opens_the_talk(visit, tmp_path):
    """With its picture, its prompt and a greeting that the model reads; another one can be had."""
    packed = base64.b64encode(json.dumps(TOM).encode()).decode()
    (tmp_path / "tom.png").write_bytes(with_texts(drawn("x"), {"chara": packed}))
    person = visit()
    person.go_to("chat")
    person.see("chat_toggle").click()
    with person.page.expect_file_chooser() as chooser:
        person.see("card_import").click()
    chooser.value.set_files(tmp_path / "tom.png")
    said = person.see("card_said", ".sentence")
    expect(said).to_have_text(
        ["Old Tom is here.", re.compile("not used here: its words behind the history")]
    )
    expect(person.see("chat_1", "[data-testid=bot]")).to_have_text(
        re.compile(r"Mind the rope, User\.")
    )
    expect(person.see("chat_1", ".avatar-container img").first).to_be_visible()
    system = person.see("chat_system", "textarea")
    expect(system).to_have_value("You are Old Tom.\n\nOld Tom rows a ferry.")
    person.see("card_greeting", "input").click()
    person.page.get_by_role("option", name="You are late.").click()
    expect(person.see("chat_1", "[data-testid=bot]")).to_have_text(re.compile("You are late"))
    ask(person, "Hello!")
    person.see("chat_1_line", "summary").click()
    expect(person.see("chat_1_line", "pre")).to_contain_text("You are late.<|im_end|>")


def test_what_i_would_have_said_becomes_a_row(visit, server):
    """And the answer that was given the other half of a preference; what was begun for one answer
    is closed when another has come."""
    person = visit()
    person.go_to("chat")
    ask(person, "What is the moon?")
    person.see("chat_keep", ".label-wrap").click()
    expect(person.see("chat_keep_whose", "input:checked")).to_have_count(1)
    person.see("chat_keep_better").click()
    words = person.see("chat_keep_words", "textarea")
    expect(words).not_to_have_value("")
    words.fill("A lantern.")
    ask(person, "And the sun?")
    expect(words).to_be_hidden()
    expect(person.see("chat_keep_save")).to_be_hidden()
    expect(person.see("chat_keep_whose", "input:checked")).to_have_count(1)
    person.see("chat_keep_better").click()
    expect(words).to_be_visible()
    person.see("chat_clear").click()
    expect(words).to_be_hidden()
    expect(person.see("chat_1", "[data-testid=user]")).to_have_count(0)
    ask(person, "Who are you?")
    expect(person.see("chat_keep_whose", "input:checked")).to_have_count(1)
    person.see("chat_keep_better").click()
    expect(words).not_to_have_value("")
    given = words.input_value()
    words.fill("A lamp, my dear.")
    person.fill("chat_keep_name", "lamp talks")
    person.see("chat_keep_save").click()
    expect(person.see("chat_keep_said", ".sentence")).to_contain_text(
        "Kept in lamp-talks.jsonl; rows there now: 1."
    )
    folder = server.runs / "datasets"
    asked = {"role": "user", "content": "Who are you?"}
    chosen = {"role": "assistant", "content": "A lamp, my dear."}
    assert json.loads((folder / "lamp-talks.jsonl").read_text()) == {"messages": [asked, chosen]}
    assert json.loads((folder / "lamp-talks-preferences.jsonl").read_text()) == {
        "prompt": [asked],
        "chosen": [chosen],
        "rejected": [{"role": "assistant", "content": given}],
    }
    person.see("chat_keep_see").click()
    person.page.locator("#tab_data").wait_for(state="visible")
    expect(person.see("dataset").get_by_label("lamp-talks.jsonl")).to_be_checked()


def test_two_characters_talk_to_each_other(person):
    """Both samples, spoken by the base: the greeting and as many lines as were asked for."""
    person.go_to("chat")
    person.see("duet_box", "button").first.click()
    expect(person.see("duet_second", "input")).not_to_have_value("")
    person.fill("duet_turns", 2)
    person.see("duet_start").click()
    expect(person.see("duet_said")).to_contain_text("Lines: 3.")
    lines = person.see("duet_chat", ":is([data-testid=user], [data-testid=bot])")
    expect(lines).to_have_count(3)
    assert [one.split()[0] for one in lines.all_inner_texts()] == ["Mara", "沈知微", "Mara"]
    expect(person.see("duet_start")).to_be_visible()
