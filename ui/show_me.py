"""Show me: one button that goes the ordinary way through the page, its ordinary controls filled in.

How far it is stands in the browser's own storage and moves on with a timer, so a reload in the
middle changes nothing; the run itself is a run like any other.
"""

import time
from dataclasses import dataclass

import gradio as gr

from engine import characters
from engine.chat.conversations import BASE
from engine.errors import UserError
from engine.training import runs
from ui import cards, form, tab_train
from ui.chosen import Chosen
from ui.events import QUIET
from ui.tab_data import DataTab
from ui.text import language, say, t

# Queued, because unqueued events do not wake listeners of a State.
SAMPLES = {"en": "lighthouse-keeper", "zh": "palace-secretary"}
ROWS_SHOWN = 3
SECONDS_A_ROW = 2.4
SECONDS_A_LOOK = 5
START_PATIENCE_SECONDS = 60
FORGOTTEN_AFTER_SECONDS = 1800
STEPS = ("mask", "train", "talk")
PLACE = {"read": 0, "mask": 0, "start": 1, "train": 1, "failed": 1, "talk": 2}
NOWHERE = {"step": "", "since": 0.0, "dataset": "", "run": ""}


@dataclass(frozen=True, slots=True)
class ShowMe:
    """What the page's opening touches."""

    at: gr.BrowserState
    timer: gr.Timer  # ticks only while the guide is on its way
    hero: gr.Row
    again: gr.Button


@dataclass(frozen=True, slots=True)
class Frame:
    """Components above the tabs, made before them."""

    show: ShowMe
    button: gr.Button
    own: gr.Button
    guide: gr.HTML
    close: gr.Button


def header() -> gr.Button:
    """Title and tagline, and the quiet button for those who have seen the large one."""
    with gr.Row(elem_id="header-row"):
        tagline = t("shell_tagline")
        with gr.Row(elem_id="header"):
            gr.HTML("<h1>Greenroom</h1>", elem_classes="bare", min_width=0)
            gr.Markdown(tagline, elem_classes="tagline", min_width=0)
        return gr.Button(
            t("show_me_button"), size="sm", visible=False, elem_id="show_again", scale=0
        )


def frame(again: gr.Button) -> Frame:
    """The large button with its line, and the guide that takes its place."""
    with gr.Row(elem_id="hero", visible=False) as hero:
        with gr.Column(scale=3, min_width=260):
            gr.Markdown(t("show_me_title"), elem_classes="big")
            gr.Markdown(t("show_me_what"))
        with gr.Column(scale=1, min_width=200, elem_id="hero_buttons"):
            button = gr.Button(t("show_me_button"), variant="primary", elem_id="show_me")
            own = gr.Button(t("show_me_own"), elem_id="own_data", elem_classes="quiet-link")
    with gr.Row(elem_id="guide-row", visible=True):
        guide = gr.HTML(cards.nothing(), elem_id="guide", elem_classes="bare")
        close = gr.Button(
            t("show_me_close"),
            visible=False,
            size="sm",
            scale=0,
            elem_id="guide_close",
            elem_classes="quiet-link",
        )
    at = gr.BrowserState(NOWHERE, storage_key="greenroom-show-me", secret="not-a-secret")
    return Frame(ShowMe(at, gr.Timer(1, active=False), hero, again), button, own, guide, close)


def wire(
    made: Frame, chosen: Chosen, data: DataTab, fields: form.Fields, revised: gr.State, wanted
) -> None:
    """A change of `wanted` presses Start; `revised` counts what the page changed for reading."""
    show = made.show
    filled = [*fields.values(), chosen.dataset, chosen.run, data.row, revised, chosen.tabs]

    def begin(count: int, request: gr.Request):
        return _begin(made, chosen, data, fields, revised, count, language(request))

    gr.on(
        [made.button.click, show.again.click],
        begin,
        revised,
        [*filled, show.at, show.timer, show.hero, show.again, made.guide, made.close],
        **QUIET,
    )

    def go_on(at, dataset, facts, run_id, row, count, want, request: gr.Request):
        if not at or not at.get("step"):
            return gr.skip()
        state = {"facts": facts, "run": run_id, "row": row, "revised": count, "wanted": want}
        state["dataset"] = dataset
        after, updates = step(at, state, time.time())
        known = {
            "row": data.row,
            "revised": revised,
            "wanted": wanted,
            "tabs": chosen.tabs,
            "run": chosen.run,
            "voices": chosen.voices,
            "question": chosen.question,
        }
        shown = {known[name]: value for name, value in updates.items()}
        shown[made.guide] = guide_html(after, shown.get(data.row, row), language(request))
        ended = after["step"] in ("talk", "failed")
        shown[made.close] = gr.Button(visible=ended)
        if after["step"] != at["step"]:  # a run is waited for with few ticks: they cost its time
            seconds = SECONDS_A_LOOK if after["step"] == "train" else 1
            shown[show.timer] = gr.Timer(seconds, active=bool(after["step"]) and not ended)
        if not after["step"]:
            shown[show.again] = gr.Button(visible=True)
        return shown if after == at else shown | {show.at: after}

    inputs = [show.at, chosen.dataset, data.facts, chosen.run, data.row, revised, wanted]
    moved = [data.row, revised, wanted, chosen.tabs, chosen.run, chosen.voices, chosen.question]
    show.timer.tick(
        go_on,
        inputs,
        [*moved, show.at, show.timer, show.again, made.guide, made.close],
        concurrency_limit=None,
        **QUIET,
    )
    _wire_ways_out(made, chosen)


def _wire_ways_out(made: Frame, chosen: Chosen) -> None:
    """Closing the guide, and the quiet link for those who bring their own data."""
    show = made.show
    made.close.click(
        lambda: (NOWHERE, cards.nothing(), gr.Button(visible=False), gr.Button(visible=True)),
        None,
        [show.at, made.guide, made.close, show.again],
        **QUIET,
    )
    made.own.click(
        lambda: (gr.Tabs(selected="data"), gr.Row(visible=False), gr.Button(visible=True)),
        None,
        [chosen.tabs, show.hero, show.again],
        **QUIET,
        js="() => { setTimeout(() => document.querySelector('#upload')?.scrollIntoView("
        "{behavior: 'smooth', block: 'center'}), 300); }",
    )


def _begin(made: Frame, chosen: Chosen, data: DataTab, fields, revised, count: int, lang: str):
    """The sample in the page's language, the form at its first values with the card put on."""
    hidden = {made.show.hero: gr.Row(visible=False), made.show.again: gr.Button(visible=False)}
    alive = next((run for run in runs.list_runs() if run.alive), None)
    if alive:
        said = cards.sentence(say("train_busy", lang, name=alive.name), "mild")
        shown = {chosen.run: alive.id, chosen.tabs: gr.Tabs(selected="train"), made.guide: said}
        return hidden | shown | {made.close: gr.Button(visible=True)}
    dataset = SAMPLES[lang]
    card = characters.get(dataset)
    at = NOWHERE | {"step": "read", "since": time.time(), "dataset": dataset}
    updates = tab_train.first_values(fields) | {
        fields["system_prompt"]: card.system_prompt,
        fields["sample_prompts"]: "\n".join(card.suggestions),
        chosen.dataset: dataset,
        chosen.run: "",
        chosen.tabs: gr.Tabs(selected="data"),
        data.row: 1,
        revised: count + 1,
        made.show.at: at,
        made.show.timer: gr.Timer(active=True),
        made.guide: guide_html(at, 1, lang),
    }
    return hidden | updates


def step(at: dict, page: dict, now: float) -> tuple[dict, dict]:
    """Where the guide is after this tick, and what it changes on the page, by name."""
    passed, stage = now - at["since"], at["step"]
    if stage in ("read", "mask") and page["dataset"] != at["dataset"]:
        return NOWHERE, {}  # the person has chosen another, and goes on alone
    if stage == "read":
        facts = page["facts"]
        if facts and facts["dataset"] == at["dataset"]:
            return at | {"step": "mask", "since": now}, {}
    elif stage == "mask":
        if passed < SECONDS_A_ROW:
            return at, {}
        at = at | {"since": now}
        if page["row"] < ROWS_SHOWN:
            return at, {"row": page["row"] + 1, "revised": page["revised"] + 1}
        updates = {"wanted": page["wanted"] + 1, "tabs": gr.Tabs(selected="train")}
        return at | {"step": "start"}, updates
    elif stage == "start":
        if page["run"]:
            return at | {"step": "train", "since": now, "run": page["run"]}, {}
        if passed > START_PATIENCE_SECONDS:
            return at | {"step": "failed"}, {}
    elif stage == "train":
        return _after_training(at)
    return at, {}


def _after_training(at: dict) -> tuple[dict, dict]:
    """When the run has ended: to Chat with a question, or a sentence that it did not finish."""
    try:
        run = runs.get(at["run"])
    except UserError:
        return at | {"step": "failed"}, {}
    if run.state == "finished" and run.has_adapter:
        question = characters.get(at["dataset"]).suggestions[0]
        chat = {"voices": [BASE, run.id], "question": question, "tabs": gr.Tabs(selected="chat")}
        return at | {"step": "talk"}, chat
    if not run.alive and run.state in ("failed", "stopped"):
        return at | {"step": "failed"}, {}
    return at, {}


def still_on(at: dict | None) -> dict:
    """What a page that opens does with a guide that it finds: go on with it, or forget it."""
    if not at or at.get("step") not in ("read", "mask", "start", "train"):
        return NOWHERE
    return at if time.time() - at["since"] < FORGOTTEN_AFTER_SECONDS else NOWHERE


def guide_html(at: dict, row: int, lang: str) -> str:
    """Three steps, where we are, and one sentence on what is seen just now."""
    stage = at["step"]
    if not stage:
        return cards.nothing()
    place, items = PLACE[stage], ""
    for i, name in enumerate(STEPS):
        kind = "done" if i < place else "now" if i == place else ""
        items += f'<li class="{kind}">{cards.text(say(f"show_me_step_{name}", lang))}</li>'
    name = characters.get(at["dataset"]).name
    if stage == "failed":
        words = say("show_me_failed", lang)
    else:
        now = "train" if stage == "start" else stage
        words = say(f"show_me_now_{now}", lang, name=name, row=row)
    return cards.card("", f"<ol>{items}</ol>", cards.paragraph(words))
