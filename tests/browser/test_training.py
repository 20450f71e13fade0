"""Train: the form's sentences, Start, the moving loss, Stop; and a run found again."""

import re

import psutil
import pytest
from playwright.sync_api import expect

from engine import library
from engine.dataset import opened

pytestmark = pytest.mark.browser


def open_advanced(person):
    if not person.see("option_lora_alpha").is_visible():
        person.see("advanced", "button").first.click()


def test_a_wrong_value_says_so_at_its_field(person, server, free_device):
    """learning_rate -1: the sentence stands at that field and in the card, Start cannot start."""
    before = {path.name for path in server.runs.glob("*-*-*")}
    person.wait_for_data()
    person.go_to("train")
    expect(person.see("verdict")).to_have_text("Ready")
    person.fill("option_learning_rate", -1)
    expect(person.see("verdict")).to_have_text("Not yet")
    expect(person.see("option_learning_rate")).to_contain_text(re.compile(r"-1.*1e-08", re.I))
    expect(person.see("summary", ".sentence")).to_have_count(1)
    expect(person.see("start")).to_be_disabled()
    person.see("start").click(force=True)
    expect(person.see("run_side")).to_be_hidden()
    assert {path.name for path in server.runs.glob("*-*-*")} == before
    person.fill("option_learning_rate", 0.003)
    expect(person.see("verdict")).to_have_text("Ready")
    expect(person.see("option_learning_rate")).to_contain_text("how big each step is")
    expect(person.see("start")).to_be_enabled()


def test_a_validation_file_is_learned_from_by_nobody(person, free_device):
    """Chosen among the datasets, it takes the place of the rows that were held back; without it
    they are held back again."""
    learn, check = (
        len(opened.conversations(library.require(name)).conversations)
        for name in ("lighthouse-keeper", "palace-secretary")
    )
    person.go_to("train")
    held_back = person.see("summary").get_by_text(" to learn from, ")
    before = f"{learn - round(learn * 0.1)} to learn from, {round(learn * 0.1)} kept for validation"
    expect(held_back).to_have_text(before)
    open_advanced(person)
    for choice, said in (
        ("Palace secretary", f"{learn} to learn from, {check} kept for validation"),
        ("None: rows of the training data", before),
    ):
        person.see("option_eval_dataset", "input").click()
        person.page.get_by_role("option", name=choice).click()
        expect(held_back).to_have_text(said)
    expect(person.see("verdict")).to_have_text("Ready")


def test_a_method_brings_its_fields_and_its_refusals(person, free_device):
    """Prompt tuning: its own field comes, LoRA's go, packing is refused; without it all is ready.
    Values of fields that are not seen travel with the form all the same."""
    person.go_to("train")
    expect(person.see("verdict")).to_have_text("Ready")
    open_advanced(person)
    expect(person.see("option_lora_alpha")).to_be_visible()
    expect(person.see("option_num_virtual_tokens")).to_be_hidden()
    person.see("option_peft_type", "input").click()
    person.page.get_by_role("option", name="prompt_tuning", exact=True).click()
    expect(person.see("option_num_virtual_tokens")).to_be_visible()
    expect(person.see("option_lora_alpha")).to_be_hidden()
    expect(person.see("option_packing")).to_contain_text("switch packing off")
    expect(person.see("verdict")).to_have_text("Not yet")
    person.see("option_packing", "input").uncheck()
    expect(person.see("verdict")).to_have_text("Ready")
    # Method, packing, and the fixed questions, which came with the sample.
    expect(person.see("advanced")).to_contain_text("3 differ")
    person.see("option_peft_type", "input").click()
    person.page.get_by_role("option", name="lora", exact=True).click()
    person.see("option_lora_target_modules", "input").click()
    expect(person.page.get_by_role("option", name="up_proj", exact=True)).to_be_visible()


def test_the_data_gives_questions_to_watch_by(person, free_device):
    """Three of its own, in place of what stood there."""
    person.go_to("train")
    open_advanced(person)
    field = person.see("option_sample_prompts", "textarea")
    own = {
        one["messages"][-2]["content"]
        for one in opened.conversations(library.require("lighthouse-keeper")).conversations
    }
    before = field.input_value()
    assert not own.issuperset(before.splitlines())  # the card's
    person.see("watch").click()
    expect(field).not_to_have_value(before)
    taken = field.input_value().splitlines()
    assert (len(taken), own.issuperset(taken)) == (3, True)


def test_an_unknown_run_in_the_address_is_told(visit):
    """`?run=` of a path with HTML in it: one sentence, and the page works."""
    person = visit("?run=../<b>etc</b>")
    expect(person.see("notice", ".sentence")).to_have_text(
        "There is no run called ../<b>etc</b> here. The Runs tab lists those there are."
    )
    expect(person.see("thread_base")).to_contain_text("sprout")


def plan_click_and_measure(person):
    """Another card is planned for, a rung of the ladder sets fields, and the form is measured;
    what was measured goes with the form that it was measured of."""
    person.fill("plan_gib", 24)
    expect(person.see("memory_plan", "h3")).to_have_text("Plan: on a card of 24 GiB")
    person.see("memory_here", "summary").click()
    rung = person.see("memory_here", ".rung").filter(has_text="checkpoint 4 of 4 layers")
    expect(rung).to_contain_text("+40 % time")
    expect(person.see("advanced")).to_contain_text("1 differs from the default")  # the questions
    rung.press("Enter")
    expect(person.see("advanced")).to_contain_text("2 differ from the default")
    expect(rung).to_have_count(0)
    person.see("measure").click()
    expect(person.see("measured", ".waiting")).to_be_visible()
    expect(person.see("measured", "dl")).to_contain_text("Predicted", timeout=90_000)


def test_start_watch_stop_keep_and_resume(visit, server, client, free_device):
    """Start, the loss moves; Stop asks; Go on goes on; an adapter is kept; Resume goes on."""
    person = visit()
    person.wait_for_data()
    person.go_to("train")
    plan_click_and_measure(person)
    person.fill("option_num_train_epochs", 400)
    expect(person.see("summary")).to_contain_text("6,800")  # steps, of five epochs 85
    expect(person.see("measured")).to_be_hidden()
    expect(person.see("start")).to_be_enabled()
    person.see("start").click()
    expect(person.see("run_card", ".big")).to_contain_text("step ", timeout=90_000)
    expect(person.see("loss_says")).to_contain_text("Smoothed loss")
    expect(person.see("plot_loss", ".marks").first).to_be_visible()
    expect(person.see("plot_loss")).not_to_contain_text("null")  # an axis of numbers
    expect(person.see("run_card")).to_contain_text(re.compile(r"left, ends \d\d:\d\d:\d\d"))
    expect(person.see("run_card")).to_contain_text("tokens/s")
    expect(person.see("run_memory")).to_contain_text("at its peak", ignore_case=True)
    expect(person.see("thread_run")).to_contain_text("step ")
    person.see("stop").click()
    expect(person.see("stop_ask")).to_contain_text("Stop now?")
    person.see("go_on").click()
    expect(person.see("stop_ask")).to_be_hidden()
    person.wait_for_step_after(person.step())
    run_id = person.run_id()
    person.see("stop").click()
    person.see("stop_keep").click()
    expect(person.see("run_card", ".big")).to_have_text("stopped")
    expect(person.see("talk")).to_be_visible()
    expect(person.see("resume")).to_be_visible()
    assert (server.runs / run_id / "adapter" / "adapter_model.safetensors").is_file()
    step = client.predict(run_id, api_name="/run_status")["step"]
    person.see("resume").click()
    expect(person.see("stop")).to_be_visible()
    person.wait_for_step_after(step)
    client.predict(run_id, api_name="/stop_run")


def test_a_reload_in_the_middle_finds_the_run(visit, going_run, finished_run):
    """The run goes on without the page; a reloaded page opens on it, `?run=ID` on any other."""
    person = visit()
    expect(person.see("run_card")).to_contain_text(going_run)
    step = person.step()
    person.page.reload()
    expect(person.see("run_card")).to_contain_text(going_run)
    person.wait_for_step_after(step)
    expect(person.see("plot_loss", ".marks").first).to_be_visible()
    expect(person.see("thread_run")).to_contain_text("step ")
    person.open(f"?run={finished_run}")
    expect(person.see("run_card")).to_contain_text(finished_run)
    expect(person.see("run_card", ".big")).to_have_text("finished")


def test_a_run_outlives_its_page_process(visit, server, going_run):
    """app.py is killed and started again: the run went on, the page finds it; no child is left."""
    from engine.training.living import is_training
    from engine.training.runs import status_of

    person = visit()
    expect(person.see("run_card")).to_contain_text(going_run)
    pid = status_of(server.runs / going_run)["pid"]
    children = psutil.Process(server.process.pid).children(recursive=True)
    children = [one for one in children if one.pid != pid]
    assert children, "the desk at least"
    person.wait_for_step_after(1)
    person.see("plot_loss", ".marks").first.wait_for()  # all of the page has been fetched
    step = person.step()
    server.kill()
    psutil.wait_procs(children, timeout=90)
    assert not [one for one in children if one.is_running()]
    assert is_training(pid, going_run)

    server.start()
    person.open()
    expect(person.see("run_card")).to_contain_text(going_run)
    person.wait_for_step_after(step)
    assert status_of(server.runs / going_run)["pid"] == pid


def test_stop_and_delete_leaves_nothing(visit, server, going_run):
    """The third answer to Stop ends the run and removes its folder."""
    person = visit()
    expect(person.see("run_card")).to_contain_text(going_run)
    person.see("stop").click()
    person.see("stop_delete").click()
    expect(person.see("run_side")).to_be_hidden()
    expect(person.see("start")).to_be_visible()
    assert not (server.runs / going_run).exists()
