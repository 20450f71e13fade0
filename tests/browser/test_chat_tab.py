"""The Chat tab: base and adapter side by side."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

# How often each column has shown another text while it answered.
WATCH = """() => {
  window.lengths = {base: new Set(), tuned: new Set()};
  for (const column of ['base', 'tuned']) {
    const box = document.querySelector(`#chat_${column}`);
    new MutationObserver(() => {
      const said = [...box.querySelectorAll('[data-testid=bot] .message-content')].pop();
      if (said) window.lengths[column].add(said.innerText.length);
    }).observe(box, {subtree: true, childList: true, characterData: true});
  }
}"""
# Presses Stop as soon as a line says that something is being written: answers are short.
STOP_SOON = """() => {
  const stop = new MutationObserver(() => {
    const lines = document.querySelectorAll('#chat_base_line, #chat_tuned_line');
    if (![...lines].some(one => /writing · \\d/.test(one.innerText))) return;
    stop.disconnect();
    document.querySelector('#chat_stop').click();
  });
  stop.observe(document.querySelector('#tab_chat'), {subtree: true, childList: true});
}"""


def settings(person):
    """Unfolds the side panel."""
    if not person.see("chat_panel").is_visible():
        person.see("chat_toggle").click()
        person.see("chat_panel").wait_for()


def test_both_voices_stream_and_differ(visit, finished_run):
    """One question, two answers that grow side by side, in other words; each says its speed."""
    person = visit()
    person.speak_with(finished_run)
    person.page.evaluate(WATCH)
    person.ask("Could you tell me a little story?")
    person.wait_for_answers(1)
    (base,), (tuned,) = person.said_by("base"), person.said_by("tuned")
    assert base
    assert tuned
    assert base != tuned
    grown = person.page.evaluate("['base', 'tuned'].map(one => window.lengths[one].size)")
    assert min(grown) >= 3, grown
    for voice in ("base", "tuned"):
        expect(person.see(f"chat_{voice}_line")).to_contain_text(re.compile(r"\d tokens/s · \d+"))
    expect(person.see("chat_tuned_line")).to_contain_text("differs from base")
    expect(person.see("chat_tuned", "mark")).not_to_have_count(0)
    expect(person.see("chat_status")).to_contain_text(re.compile(r"loaded · 0\.\d+ GiB in float32"))
    person.see("chat_tuned_line", "summary").click()
    proof = person.see("chat_tuned_line", ".proof")
    expect(proof).to_contain_text("Both voices read the same prompt.")
    expect(proof.locator("pre")).to_contain_text("Could you tell me a little story?")
    expect(proof.locator("pre")).to_contain_text("You are Mara")


def test_turns_retry_edit_undo_and_clear(visit, finished_run):
    """Two turns stand; Retry answers the last with the next seed; a question that is edited is
    asked anew of both voices; Undo gives the words back."""
    person = visit()
    person.speak_with(finished_run)
    person.ask("Hello!")
    person.wait_for_answers(1)
    first = person.said_by("base")
    person.ask("Who are you?")
    person.wait_for_answers(2)
    assert person.said_by("base")[0] == first[0]
    questions = person.see("chat_tuned", "[data-testid=user]")
    expect(questions).to_have_text([re.compile("Hello!"), re.compile("Who are you?")])
    person.see("chat_retry").click()
    expect(person.see("chat_summary")).to_contain_text("seed 1")
    person.wait_for_answers(2)
    expect(questions).to_have_count(2)
    assert person.said_by("base")[0] == first[0]
    before = person.said_by("base")[1]
    person.see("chat_tuned", "button[aria-label=Edit]").last.click()
    person.see("chat_tuned", "textarea").fill("What do you eat?")
    person.see("chat_tuned", "button[aria-label=Submit]").click()
    for voice in ("base", "tuned"):
        asked = person.see(f"chat_{voice}", "[data-testid=user]")
        expect(asked).to_have_text([re.compile("Hello!"), re.compile(r"What do you eat\?")])
    person.wait_for_answers(2)
    assert person.said_by("base")[0] == first[0]
    assert person.said_by("base")[1] != before
    person.see("chat_undo").click()
    expect(questions).to_have_text([re.compile("Hello!")])
    expect(person.see("chat_question", ":is(input, textarea)")).to_have_value("What do you eat?")
    person.see("chat_clear").click()
    expect(questions).to_have_count(0)
    expect(person.see("chat_base", "[data-testid=user]")).to_have_count(0)
    expect(person.see("chat_base_line")).not_to_contain_text("tokens/s")


def test_stop_ends_the_answers(visit, finished_run):
    """Answers that would go on for long end at once, say so, and the input is ready again."""
    person = visit()
    person.speak_with(finished_run)
    settings(person)
    # Hot, and punished for repeating the end-of-turn token of the prompt: it does not find an end.
    hot = {"temperature": 2, "top_p": 1, "top_k": 0, "repetition_penalty": 2}
    for name, value in (hot | {"max_new_tokens": 4096}).items():
        person.fill(f"chat_{name}", value)
    expect(person.see("chat_summary")).to_contain_text("temperature 2")
    person.page.evaluate(STOP_SOON)
    person.ask("Tell me everything.")
    lines = person.page.locator("#chat_base_line, #chat_tuned_line")
    person.wait_for_answers(1)
    expect(lines.filter(has_text="stopped by you")).not_to_have_count(0)
    expect(person.see("chat_send")).to_be_visible()


def test_the_system_prompt_and_the_character_are_read(visit, finished_run):
    """A character puts on its prompt, its greeting and its questions; own words reach the model."""
    person = visit()
    person.speak_with(finished_run)
    settings(person)
    system = person.see("chat_system", "textarea")
    expect(system).to_have_value(re.compile("You are Mara"))
    expect(person.see("chat_tuned")).to_contain_text("come in out of the fog, my dear")
    person.see("chat_character", "input").click()
    person.page.get_by_role("option", name="沈知微").click()
    expect(system).to_have_value(re.compile("你是沈知微"))
    expect(person.see("chat_tuned")).to_contain_text("贵人安好")
    expect(person.see("chat_chips")).to_contain_text("你今天都抄了些什么？")
    person.fill("chat_system", "You are a very old oak.")
    expect(person.see("chat_summary")).to_contain_text("own system prompt")
    person.ask("Hello!")
    person.wait_for_answers(1)
    person.see("chat_base_line", "summary").click()
    expect(person.see("chat_base_line", "pre")).to_contain_text("You are a very old oak.")


def test_an_empty_question_is_told_and_the_base_speaks_alone(visit):
    """Without an adapter the base answers alone, and the other column says what to do."""
    person = visit()
    person.go_to("chat")
    expect(person.see("chat_tuned")).to_contain_text("train one on the Train tab")
    person.see("chat_send").click()
    expect(person.see("chat_notice", ".sentence")).to_have_text("Write a question first.")
    field = person.see("chat_question", ":is(input, textarea)")
    field.fill("Hello!")
    field.press("Control+Enter")
    expect(person.see("chat_base_line", "details")).to_be_visible(timeout=90_000)
    expect(person.see("chat_base", "[data-testid=bot]")).to_have_count(1)
    expect(person.see("chat_tuned", "[data-testid=bot]")).to_have_count(0)
