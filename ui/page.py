"""The page put together: header, Show me, thread, memory strip, tabs, and the one timer.

Element ids that tests may rely on (besides those in tab_runs, tab_chat and chat_panel):
frame: language header show_me show_again own_data guide guide_close notice thread thread_data
thread_base thread_run thread_voices memory tabs
data: dataset upload upload_said mend_upload remove_upload hub_box hub_id hub_split hub_token
hub_fetch identity_box identity_name identity_maker identity_language identity_make data_statement
data_problem data_understood data_mapping role_NAME data_speaker mapping_again data_row data_learn
data_mask table_search table_start data_table table_said data_conversation data_prompt data_lengths
data_doctor repair_box repairs fill repair repair_said changes dropped_rows report_file keep_box
keep_character keep keep_said convert_box convert_to convert_ending convert convert_download
convert_said go_train
train: recipe recipe_version recipe_fill recipe_said recipe_card, option_NAME for each option,
base_said base_download base_stop advanced as_text as_command as_yaml
paste paste_file fill_form fill_said summary verdict start start_said memory_here plan_gib
plan_problem memory_plan measure measured run_side run_card run_command stop run_line run_forward
run_back run_beside run_leave stop_ask go_on stop_keep stop_delete resume another talk run_said
plot_loss loss_says run_answers run_memory curves_box log_box run_log
export: export_run export_facts export_notice, of each way out WAY (adapter, merged, gguf, hub)
export_WAY_head export_WAY export_WAY_said, export_zip_WAY export_stop_WAY, export_dtype
export_quantization export_what export_repo_id export_token export_public export_file
"""

import gradio as gr

from engine import library
from engine.chat.conversations import BASE
from engine.errors import UserError
from engine.training import runs
from ui import (
    api,
    cards,
    character_box,
    data_choice,
    form,
    lighter,
    memory,
    show_me,
    summary,
    tab_chat,
    tab_data,
    tab_export,
    tab_runs,
    tab_train,
    thread,
    visitor,
)
from ui.chosen import Chosen
from ui.events import LATEST, QUICK, QUIET, TELLING
from ui.text import language, say, switch, t

# The name of an option in its tooltip; it is the name in files, flags and the API.
TOOLTIPS = """() => document.addEventListener('mouseover', event => {
  const option = event.target.closest?.('[id^=option_]');
  if (option) option.title = option.id.slice('option_'.length);
})"""

# Gradio's language switch translates labels in the browser and tells the server nothing.
FOLLOW_LANGUAGE = """() => {
  const shown = document.querySelector('#language');
  let before = shown.textContent.trim();
  new MutationObserver(() => {
    const now = shown.textContent.trim();
    if (!now || now === before) return;
    before = now;
    document.querySelector('#language_switched').click();
  }).observe(shown, {subtree: true, childList: true, characterData: true});
}"""
LANGUAGE_SHOWN = "() => [document.querySelector('#language').textContent.trim(), null]"


def build(open_to: str = "") -> gr.Blocks:
    """`open_to`: the address, when the page listens to others without a password; it says so."""
    with gr.Blocks(title="Greenroom", analytics_enabled=False, delete_cache=(3600, 86400)) as page:
        chosen = _nothing_chosen()
        fields = form.create()
        facts, outlook = gr.State(None), gr.State(None)
        revised, wanted = gr.State(0), gr.State(0)
        again = show_me.header()
        notice = gr.HTML(_warning(open_to), elem_id="notice", elem_classes="bare")
        guided = show_me.frame(again)
        lines = thread.build(chosen), memory.build()
        chosen.tabs.render()
        with chosen.tabs:
            tabs = {name: _tab(name) for name in ("data", "train", "runs", "chat", "export")}
            looks = _wire_looks(tabs)
            with tabs["data"]:
                data = tab_data.build(chosen, fields, facts, revised)
            with tabs["train"]:
                card = tab_train.build(chosen, fields, outlook, revised, wanted)
            with tabs["runs"]:
                tab_runs.build(chosen, looks["runs"])
            with tabs["chat"]:
                chat = tab_chat.build(chosen, looks["chat"])
            with tabs["export"]:
                tab_export.build(chosen, looks["export"])
        character_box.wire_training(chat.panel.box, chosen, fields, revised)
        show_me.wire(guided, chosen, data, fields, revised, wanted)
        _wire_pulse(page, chosen, lines, facts, [fields["model_name_or_path"], outlook])
        _wire_waking()
        _wire_opening(page, chosen, guided.show, data, notice, card)
        _wire_language(page, data, fields, revised)
        page.load(None, js=TOOLTIPS)
        api.build()
        lighter.wire(page)
    return page


def _nothing_chosen() -> Chosen:
    return Chosen(
        dataset=gr.State(""),
        run=gr.State(""),
        clone=gr.State(""),
        filled=gr.State({}),
        voices=gr.State([BASE]),
        sampling=gr.State({}),
        question=gr.State(""),
        tabs=gr.Tabs(elem_id="tabs", render=False),
        tick=gr.Timer(5),
    )


def _tab(name: str) -> gr.Tab:
    return gr.Tab(t(f"shell_{name}"), id=name, elem_id=f"tab_{name}")


def _wire_looks(tabs: dict[str, gr.Tab]) -> dict[str, list]:
    """For each tab that shows what comes and goes by itself, the events at which it looks: it is
    opened, and ten seconds more have passed with it open. Every tick costs the browser work."""
    timers = {name: gr.Timer(10, active=False) for name in ("runs", "chat", "export")}
    for name, tab in tabs.items():

        def turn_to(opened=name):
            return [gr.Timer(active=one == opened) for one in timers]

        tab.select(turn_to, None, list(timers.values()), **QUICK)
    return {name: [tabs[name].select, timer.tick] for name, timer in timers.items()}


def _warning(open_to: str) -> str:
    """In both languages: nobody has asked for the page yet."""
    if not open_to:
        return cards.nothing()
    return "".join(
        cards.sentence(say("shell_open", lang, host=open_to), "mild") for lang in ("en", "zh")
    )


def _wire_pulse(
    page: gr.Blocks, chosen: Chosen, lines: tuple, facts: gr.State, looked: list
) -> None:
    """Thread and memory strip follow what is chosen and read, and the timer; what has not changed
    is not sent again."""
    seen = gr.State(("", ""))

    def pulse(before, dataset, run_id, voices, facts, model, outlook, request: gr.Request):
        lang = language(request)
        now = (
            thread.line(dataset, facts, model, outlook, run_id, voices, lang),
            memory.strip(lang),
        )
        if now == before:
            return gr.skip()
        shown = (new if new != old else gr.skip() for new, old in zip(now, before, strict=True))
        return now, *shown

    inputs = [seen, chosen.dataset, chosen.run, chosen.voices, facts, *looked]
    told = [one.change for one in (chosen.dataset, chosen.run, facts)]
    gr.on([page.load, *told, chosen.tick.tick], pulse, inputs, [seen, *lines], **QUICK)


def _wire_waking() -> None:
    """In Gradio's client (6.31) the server's "nothing is left, close the stream" can cross a new
    question, whose answer then waits until one more is asked. So one is asked every ten seconds,
    also while an earlier one waits."""
    gr.Timer(10).tick(lambda: None, trigger_mode="multiple", **TELLING)


def _wire_opening(page: gr.Blocks, chosen: Chosen, show: show_me.ShowMe, data, notice, card):
    """What an opened (or reloaded) page finds: the run in its address, or the one that is alive."""

    who = visitor.remembered()

    def opened(at: dict, secret: str | None, request: gr.Request):
        secret = visitor.arrive(request, secret)
        lang = language(request)
        asked = request.query_params.get("run", "")
        listed, run, updates = runs.list_runs(), None, {}
        if asked:
            try:
                run = runs.get(asked)
            except UserError:
                said = cards.sentence(say("shell_unknown_run", lang, run=asked[:60]), "mild")
                updates[notice] = said
        alive = [one for one in listed if one.alive]  # one that trains before one that waits
        run = run or min(alive, key=lambda one: one.state == "queued", default=None)
        guide = show_me.still_on(at)
        dataset = guide["dataset"] or show_me.SAMPLES[lang]
        if run:
            dataset = run.config.dataset or dataset
            updates |= {chosen.run: run.id, chosen.tabs: gr.Tabs(selected="train")}
        known = {one.id for one in library.list_datasets()}
        return updates | {
            who: secret,
            show.at: guide,
            show.timer: gr.Timer(active=bool(guide["step"])),
            show.hero: gr.Row(visible=not listed and not guide["step"]),
            show.again: gr.Button(visible=bool(listed) and not guide["step"]),
            chosen.dataset: dataset,
            data.picker: gr.Radio(
                data_choice.choices(lang), value=dataset if dataset in known else None
            ),
            card: summary.waiting(lang),
        }

    outputs = [show.at, show.timer, show.hero, show.again, chosen.dataset, chosen.run, chosen.tabs]
    # Queued, as all that writes a State with listeners: unqueued events do not wake them.
    page.load(
        opened,
        [show.at, who],
        [*outputs, who, notice, data.picker, card],
        **QUIET,
    )


def _wire_language(page: gr.Blocks, data, fields: form.Fields, revised: gr.State) -> None:
    """What the server composes follows the language that the labels are shown in."""
    gr.HTML(t("shell_language"), elem_id="language", visible="hidden")
    switched = gr.Button("", elem_id="language_switched", visible="hidden")

    def follow(lang: str, count: int, request: gr.Request):
        switch(request, lang)
        listed = data_choice.choices(lang)
        second = gr.Dropdown(choices=form.no_second(lang) + listed)
        return count + 1, gr.Radio(choices=listed), second

    switched.click(
        follow,
        [switched, revised],
        [revised, data.picker, fields["eval_dataset"]],
        js=LANGUAGE_SHOWN,
        **QUIET,
        **LATEST,
    )
    page.load(None, js=FOLLOW_LANGUAGE)
