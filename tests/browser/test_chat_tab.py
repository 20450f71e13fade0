"""The Chat tab: base and adapters side by side."""

import json
import re
import shutil

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

# How often each column has shown another text while it answered.
WATCH = """columns => {
  window.lengths = {};
  for (let column = 1; column <= columns; column++) {
    window.lengths[column] = new Set();
    const box = document.querySelector(`#chat_${column}`);
    new MutationObserver(() => {
      const said = [...box.querySelectorAll('[data-testid=bot] .message-content')].pop();
      if (said) window.lengths[column].add(said.innerText.length);
    }).observe(box, {subtree: true, childList: true, characterData: true});
  }
}"""
# Presses a button as soon as a line says that something is being written: answers are short.
PRESS_SOON = """button => {
  window.pressed = '';
  const watch = new MutationObserver(() => {
    const lines = document.querySelectorAll('#chat_1_line, #chat_2_line');
    if (![...lines].some(one => /writing · \\d/.test(one.innerText))) return;
    watch.disconnect();
    window.pressed = button;
    document.querySelector(`#${button}`).click();
  });
  watch.observe(document.querySelector('#tab_chat'), {subtree: true, childList: true});
}"""


def settings(person):
    """Unfolds the side panel."""
    if not person.see("chat_panel").is_visible():
        person.see("chat_toggle").click()
        person.see("chat_panel").wait_for()


def speak_anew(person, run_id):
    """Base and the adapter of a run, and nothing said yet."""
    person.speak_with(run_id)
    person.see("chat_clear").click()
    expect(person.see("chat_columns", "[data-testid=user]")).to_have_count(0)


def test_both_voices_stream_and_differ(person, finished_run):
    """One question, two answers that grow side by side, in other words; each says its speed."""
    person.speak_with(finished_run)
    person.page.evaluate(WATCH, 2)
    person.ask("Could you tell me a little story?")
    person.wait_for_answers(1)
    (base,), (tuned,) = person.said_by(1), person.said_by(2)
    assert base
    assert tuned
    assert base != tuned
    grown = person.page.evaluate("[1, 2].map(one => window.lengths[one].size)")
    assert min(grown) >= 2, grown  # at its end, and once before it
    for column in (1, 2):
        expect(person.see(f"chat_{column}_line")).to_contain_text(re.compile(r"\d tokens/s · \d+"))
    expect(person.see("chat_2_line")).to_contain_text("differs from base")
    expect(person.see("chat_2", "mark")).not_to_have_count(0)
    expect(person.see("chat_status")).to_contain_text(re.compile(r"loaded · 0\.\d+ GiB in float32"))
    person.see("chat_2_line", "summary").click()
    proof = person.see("chat_2_line", ".proof")
    expect(proof).to_contain_text("The base read the same prompt.")
    expect(proof.locator("pre i.special").first).to_contain_text("<|im_start|>")
    expect(proof.locator("pre")).to_contain_text("Could you tell me a little story?")
    expect(proof.locator("pre")).to_contain_text("You are Mara")


def test_turns_retry_edit_undo_and_clear(person, finished_run):
    """Two turns stand; Retry answers the last with the next seed; a question that is edited is
    asked anew of both voices, one that is emptied is as it was; Undo gives the words back."""
    speak_anew(person, finished_run)
    person.ask("Hello!")
    person.wait_for_answers(1)
    first = person.said_by(1)
    person.ask("Who are you?")
    person.wait_for_answers(2)
    assert person.said_by(1)[0] == first[0]
    questions = person.see("chat_2", "[data-testid=user]")
    expect(questions).to_have_text([re.compile("Hello!"), re.compile("Who are you?")])
    person.see("chat_retry").click()
    expect(person.see("chat_summary")).to_contain_text("seed 1")
    expect(person.see("chat_1_line", ".proof")).to_contain_text(re.compile(r"Seed\s*1"))
    person.wait_for_answers(2)
    expect(questions).to_have_count(2)
    assert person.said_by(1)[0] == first[0]
    before = person.said_by(1)[1]
    person.see("chat_2", "button[aria-label=Edit]").last.click()
    person.see("chat_2", "textarea").fill("What do you eat?")
    person.see("chat_2", "button[aria-label=Submit]").click()
    for column in (1, 2):
        asked = person.see(f"chat_{column}", "[data-testid=user]")
        expect(asked).to_have_text([re.compile("Hello!"), re.compile(r"What do you eat\?")])
    person.wait_for_answers(2)
    assert person.said_by(1)[0] == first[0]
    assert person.said_by(1)[1] != before
    answered = person.said_by(1)
    person.see("chat_2", "button[aria-label=Edit]").first.click()
    person.see("chat_2", "textarea").fill(" ")
    person.see("chat_2", "button[aria-label=Submit]").click()
    expect(person.see("chat_notice", ".sentence")).to_have_text("Write a question first.")
    expect(questions).to_have_text([re.compile("Hello!"), re.compile(r"What do you eat\?")])
    assert person.said_by(1) == answered
    person.see("chat_undo").click()
    expect(questions).to_have_text([re.compile("Hello!")])
    expect(person.see("chat_question", ":is(input, textarea)")).to_have_value("What do you eat?")
    person.see("chat_clear").click()
    expect(questions).to_have_count(0)
    expect(person.see("chat_1", "[data-testid=user]")).to_have_count(0)
    expect(person.see("chat_1_line")).not_to_contain_text("tokens/s")


def test_a_blind_vote_hides_the_names_and_counts(person, server, finished_run):
    """Until the vote nothing on the page says who is who; then it is a row on disk and in the
    table."""
    speak_anew(person, finished_run)
    name = (server.runs / finished_run / "name").read_text()
    person.see("chat_blind", "input").check()
    for column, letter in ((1, "A"), (2, "B")):
        expect(person.see(f"chat_{column}")).to_contain_text(f"Voice {letter}")
    person.see("chat_keep", ".label-wrap").click()
    person.ask("Who are you?")
    person.see("chat_vote_b").wait_for(timeout=240_000)
    expect(person.see("chat_keep_whose", "label")).to_have_count(0)
    columns = person.see("chat_columns")
    shown = columns.inner_text()
    assert not re.search(rf"{name}|base|tokens|proof", shown), shown
    assert not re.search(rf"{finished_run}|{name}", columns.inner_html())
    person.see("chat_vote_b").click()
    expect(person.see("chat_2", "[data-testid=bot]").last).to_contain_text("voted better")
    expect(columns).to_contain_text(re.compile(rf"{name}(?s:.*)proof"))
    expect(person.see("chat_vote_b")).to_have_count(0)
    expect(person.see("chat_keep_whose", "label")).to_have_count(2)
    person.see("chat_keep", ".label-wrap").click()
    file = server.runs / "votes" / "decided.jsonl"
    row = json.loads(file.read_text().splitlines()[-1])
    assert {row["chosen_voice"], row["rejected_voice"]} == {"base", finished_run}
    assert row["chosen"][0]["content"] in person.said_by(2)[0].replace("\n", " ")
    assert row["prompt"][-1] == {"role": "user", "content": "Who are you?"}
    person.see("chat_votes", "button.label-wrap").click()
    expect(person.see("chat_votes_table", "tbody tr").first).to_contain_text(name)
    expect(person.see("chat_votes_table")).to_contain_text(re.compile(r"of \d+"))
    with person.page.expect_download() as download:
        person.see("chat_votes_download").click()
    assert json.loads(download.value.path().read_text().splitlines()[-1]) == row
    file.unlink()
    person.see("chat_blind", "input").uncheck()


def test_the_system_prompt_and_the_character_are_read(person, finished_run):
    """A character puts on its prompt, its greeting and its questions; own words reach the model."""
    speak_anew(person, finished_run)
    settings(person)
    system = person.see("chat_system", "textarea")
    expect(system).to_have_value(re.compile("You are Mara"))
    expect(person.see("chat_2")).to_contain_text("come in out of the fog, my dear")
    person.see("chat_character", "input").click()
    person.page.get_by_role("option", name="沈知微").click()
    expect(system).to_have_value(re.compile("你是沈知微"))
    expect(person.see("chat_2")).to_contain_text("贵人安好")
    expect(person.see("chat_chips")).to_contain_text("你今天都抄了些什么？")
    person.fill("chat_system", "You are a very old oak.")
    expect(person.see("chat_summary")).to_contain_text("own system prompt")
    person.ask("Hello!")
    person.wait_for_answers(1)
    person.see("chat_1_line", "summary").click()
    expect(person.see("chat_1_line", "pre")).to_contain_text("You are a very old oak.")
    for name, words in (("Mara", "You are Mara"), ("None, my own words", "a very old oak.")):
        person.see("chat_character", "input").click()
        person.page.get_by_role("option", name=name).click()
        expect(system).to_have_value(re.compile(words))


def test_what_the_others_said_stays_when_a_run_is_deleted(visit, copied_run):
    """Another name of it is read at the next look, before it is deleted."""
    person = visit()
    person.speak_with(copied_run.name)
    person.ask("Hello!")
    person.wait_for_answers(1)
    said = person.said_by(1)
    (copied_run / "name").write_text("the good one", encoding="utf-8")
    expect(person.see("chat_2", "label").first).to_contain_text("the good one")
    expect(person.see("chat_status")).to_contain_text("the good one")
    assert person.said_by(1) == said
    shutil.rmtree(copied_run)
    notice = person.see("chat_notice", ".sentence")
    expect(notice).to_contain_text(f"Not there any more: {copied_run.name}.")
    expect(person.see("chat_2")).to_have_count(0)
    assert person.said_by(1) == said
    person.ask("Who are you?")
    person.wait_for_answers(2, columns=1)
    assert person.said_by(1)[0] == said[0]


def test_an_adapter_that_does_nothing_and_one_of_another_base(
    person, server, finished_run, tmp_path
):
    """Folders typed in: the first is warned of under its answer, the second is refused with both
    names and the voices stay as they were."""
    import torch
    from safetensors.torch import load_file, save_file

    idle, foreign = tmp_path / "idle.v1", tmp_path / "foreign"
    for folder in (idle, foreign):
        shutil.copytree(server.runs / finished_run / "adapter", folder)
    tensors = load_file(idle / "adapter_model.safetensors")
    for key, value in tensors.items():
        tensors[key] = torch.zeros_like(value) if "lora_B" in key else value
    save_file(tensors, idle / "adapter_model.safetensors")
    card = json.loads((foreign / "greenroom.json").read_text())
    (foreign / "greenroom.json").write_text(json.dumps(card | {"base_model": "Qwen/Qwen3-0.6B"}))
    speak_anew(person, finished_run)
    picker = person.see("chat_voices", "input")
    picker.fill(str(foreign))
    picker.press("Enter")
    said = person.see("chat_notice", ".sentence")
    expect(said).to_contain_text("was trained on sprout and foreign on Qwen/Qwen3-0.6B")
    expect(person.see("chat_voices", ".token")).to_have_count(2)
    picker.fill(str(idle))
    picker.press("Enter")
    person.see("chat_3").wait_for()
    expect(person.see("chat_3")).to_contain_text("idle.v1")
    expect(said).to_have_count(0)
    person.ask("Hello!")
    person.wait_for_answers(1, columns=3)
    expect(person.see("chat_3_line")).to_contain_text("This adapter changes nothing here")
    expect(person.see("chat_2_line")).not_to_contain_text("This adapter changes nothing here")


def test_a_setting_out_of_range_is_a_sentence_and_no_traceback(visit, server):
    """What is half typed is summed up as what the slider makes of it once it is left; a seed below
    zero, which Gradio would let stand, is refused by the engine when one asks."""
    before = server.log.stat().st_size
    person = visit()
    person.go_to("chat")
    settings(person)
    temperature = person.see("chat_temperature", "input[type=number]")
    for typed, told in (("9", "2"), ("1.5", "1.5"), ("-4", "0"), ("1", "1"), ("", "0")):
        temperature.fill(typed)
        expect(person.see("chat_summary")).to_contain_text(f"temperature {told} ·")
    person.fill("chat_temperature", "0.3")
    person.fill("chat_seed", "-4")
    expect(person.see("chat_summary")).to_contain_text("temperature 0.3 · seed -4")
    person.ask("Hello!")
    expect(person.see("chat_notice")).to_contain_text(
        "seed is -4; it must be a number from 0 to 2147483647."
    )
    expect(person.see("chat_question", "textarea")).to_have_value("Hello!")
    assert b"Traceback" not in server.log.read_bytes()[before:]


def test_stop_and_clear_end_the_answers(person, finished_run):
    """Answers that would go on for long end at once, say so, and the input is ready again; cleared
    while they go on, they do not come back."""
    speak_anew(person, finished_run)
    settings(person)
    # Hot, and punished for repeating the end-of-turn token of the prompt: it does not find an end.
    hot = {"temperature": 2, "top_p": 1, "top_k": 0, "repetition_penalty": 2}
    for name, value in (hot | {"max_new_tokens": 4096}).items():
        person.fill(f"chat_{name}", value)
    expect(person.see("chat_summary")).to_contain_text("temperature 2")
    person.page.evaluate(PRESS_SOON, "chat_stop")
    person.ask("Tell me everything.")
    lines = person.page.locator("#chat_1_line, #chat_2_line")
    person.wait_for_answers(1)
    expect(lines.filter(has_text="stopped by you")).not_to_have_count(0)
    expect(person.see("chat_send")).to_be_visible()
    questions = person.see("chat_2", "[data-testid=user]")
    person.see("chat_clear").click()
    expect(questions).to_have_count(0)
    person.page.evaluate(PRESS_SOON, "chat_clear")
    person.ask("Tell me everything.")
    person.page.wait_for_function("window.pressed === 'chat_clear'")
    expect(person.see("chat_send")).to_be_visible()
    expect(questions).to_have_count(0)
    person.fill("chat_max_new_tokens", 3)
    person.ask("Briefly?")
    person.wait_for_answers(1)
    expect(questions).to_have_text([re.compile("Briefly")])


def test_an_empty_question_is_told_and_the_base_speaks_alone(visit):
    """Without an adapter the base answers alone, and its column says what to do."""
    person = visit()
    person.go_to("chat")
    expect(person.see("chat_1")).to_contain_text("train one on the Train tab")
    expect(person.see("chat_2")).to_have_count(0)
    person.see("chat_send").click()
    expect(person.see("chat_notice", ".sentence")).to_have_text("Write a question first.")
    field = person.see("chat_question", ":is(input, textarea)")
    field.fill("Hello!")
    field.press("Control+Enter")
    expect(person.see("chat_1_line", "details")).to_be_visible(timeout=240_000)
    expect(person.see("chat_1", "[data-testid=bot]")).to_have_count(1)


def test_what_is_asked_while_the_model_loads_is_asked_next(visit):
    """The first question has to wait for the chat process; the second is pressed meanwhile."""
    person = visit()
    person.go_to("chat")
    status = person.see("chat_status")
    expect(status).to_contain_text("loaded")
    if "Nothing is loaded" not in status.inner_text():
        person.see("chat_unload").click()
    expect(status).to_contain_text("Nothing is loaded")
    field = person.see("chat_question", ":is(input, textarea)")
    person.ask("Hello!")
    expect(status.locator(".waiting")).to_be_visible()
    field.fill("Who are you?")
    field.press("Enter")
    person.wait_for_answers(2, columns=1)
    expect(person.see("chat_1", "[data-testid=user]")).to_have_text(
        [re.compile("Hello!"), re.compile(r"Who are you\?")]
    )


def test_what_is_typed_after_enter_is_the_next_question(visit):
    """The server has not heard of the first one yet: its replies do not empty the input."""
    person = visit()
    person.go_to("chat")
    expect(person.see("chat_status")).to_contain_text("loaded")
    field, held = person.see("chat_question", "textarea"), []
    field.fill("Hello!")
    person.page.route("**/run/**", lambda one: held.append(one))
    field.press("Enter")
    expect(field).to_have_value("")
    field.fill("And who")
    for one in held:
        one.continue_()
    person.page.unroute("**/run/**")
    person.wait_for_answers(1, columns=1)
    expect(person.see("chat_1", "[data-testid=user]")).to_have_text(re.compile("Hello!"))
    expect(field).to_have_value("And who")


def test_four_voices_stream_each_with_settings_of_its_own(visit, server, finished_run):
    """Base, a run and two checkpoints that it kept: four answers that grow side by side in one
    pass; one voice has a system prompt of its own, another a length."""
    person = visit()
    person.speak_with(finished_run)
    name = (server.runs / finished_run / "name").read_text()
    kept = sorted(int(one.name[11:]) for one in (server.runs / finished_run).glob("checkpoint-*"))
    assert len(kept) == 2
    for step in kept:
        person.add_voice(f"{name} · step {step}")
    settings(person)
    person.unfold("chat_own")
    person.fill("chat_own_system", "You are a very old oak.")
    expect(person.see("chat_own_has_system", "input")).to_be_checked()
    person.see("chat_own_whose", "label").last.click()
    expect(person.see("chat_own_has_system", "input")).not_to_be_checked()
    person.fill("chat_own_max_new_tokens", 3)
    expect(person.see("chat_own", "button.label-wrap")).to_contain_text("of one voice · 2")
    person.page.evaluate(WATCH, 4)
    person.ask("Could you tell me a little story?")
    person.wait_for_answers(1, columns=4)
    grown = person.page.evaluate("[1, 2, 3].map(one => window.lengths[one].size)")
    assert min(grown) >= 2, grown  # at its end, and once before it
    expect(person.see("chat_4_line")).to_contain_text("3 tokens · cut at 3 tokens")
    expect(person.see("chat_way")).to_have_text("All voices spoke in one pass.")
    expect(person.see("chat_status")).to_contain_text("The base is itself: checked")
    for column, prompt in ((1, "You are a very old oak."), (3, "You are Mara")):
        person.see(f"chat_{column}_line", "summary").click()
        expect(person.see(f"chat_{column}_line", "pre")).to_contain_text(prompt)
    expect(person.see("thread_voices")).to_contain_text(f"base, {name}, {name} · step {kept[0]}")
    person.see("chat_unload").click()
    expect(person.see("chat_status")).to_contain_text("Nothing is loaded yet")
