"""The thread: one line under the title that says what is chosen, in the order in which things flow.

Each part is a button that leads to its tab; a part that is missing says what to choose.
"""

from functools import cache
from pathlib import PurePath

import gradio as gr

from engine import library
from engine.chat.conversations import BASE
from engine.errors import Sentence, UserError
from engine.training import runs
from ui import cards, cast, run_views
from ui.chosen import Chosen
from ui.events import QUICK
from ui.text import say

# A click anywhere in a part tells the page which tab is meant.
ON_LOAD = """
element.addEventListener('click', event => {
  const part = event.target.closest('[data-tab]');
  if (part) trigger('click', {tab: part.dataset.tab});
});
"""


def build(chosen: Chosen) -> gr.HTML:
    line = gr.HTML(elem_id="thread", elem_classes="bare", js_on_load=ON_LOAD)
    line.click(_open_tab, None, chosen.tabs, **QUICK)
    return line


def _open_tab(event: gr.EventData):
    return gr.Tabs(selected=event.tab)


def line(dataset, facts, model, outlook, run_id, voices, language: str) -> str:
    """The four parts. `facts` and `outlook` are what was last found of data and base, or None."""
    pieces = (
        _data_part(dataset, facts, language),
        _base_part(model, outlook, language),
        _run_part(run_id, language),
        _voices_part(voices, language),
    )
    label = cards.text(say("shell_thread", language))
    return f'<nav aria-label="{label}">{"".join(pieces)}</nav>'


def _part(tab: str, name: str, what: str, language: str, kind: str = "", style: str = "") -> str:
    title = say(f"shell_part_{name}", language)
    return (
        f'<button type="button" id="thread_{name}" data-tab="{tab}" class="{kind}" style="{style}"'
        f' title="{cards.text(what)}"><span class="name">{cards.text(title)}</span>'
        f'<span class="what">{cards.text(what)}</span></button>'
    )


def title_of(dataset: str, language: str) -> str:
    """A dataset's title when it is in the library, else its file name."""
    title = _sample_titles().get(dataset)
    return title.in_language(language) if title else PurePath(dataset).name


@cache
def _sample_titles() -> dict[str, Sentence]:
    """Read once: samples come with Greenroom. An upload is called what its file is called."""
    return {one.id: one.title for one in library.list_datasets() if one.is_sample}


def _data_part(dataset: str, facts: dict | None, language: str) -> str:
    if not dataset:
        return _part("data", "data", say("shell_choose_data", language), language, "missing")
    what = title_of(dataset, language)
    if facts and facts["dataset"] == dataset:
        what = say("shell_rows", language, name=what, rows=cards.number(facts["rows"]))
    return _part("data", "data", what, language)


def _base_part(model: str, outlook: dict | None, language: str) -> str:
    if not model:
        return _part("train", "base", say("shell_choose_base", language), language, "missing")
    what = PurePath(model).name
    if outlook and outlook["model"] == model:
        what = f"{what} · {cards.millions(outlook['parameters'])} · {outlook['device']}"
    return _part("train", "base", what, language)


def _run_part(run_id: str, language: str) -> str:
    if not run_id:
        return _part("train", "run", say("shell_no_run", language), language, "missing")
    try:
        run = runs.get(run_id)
    except UserError:
        return _part("train", "run", say("shell_no_run", language), language, "missing")
    if not run.alive or run.state == "queued" or not run.max_steps:
        what = f"{run.name} · {run_views.state_words(run, language)}"
        return _part("train", "run", what, language)
    what = say("shell_run_going", language, name=run.name, step=run.step, steps=run.max_steps)
    if run.seconds_left is not None:
        what += " · " + say("shell_left", language, time=cards.clock(run.seconds_left))
    share = 100 * run.step / max(1, run.max_steps)
    return _part("train", "run", what, language, "going", f"--part:{share:.1f}%")


def _voices_part(voices: list[str], language: str) -> str:
    if voices == [BASE]:
        return _part("chat", "voices", say("shell_no_voice", language), language)
    names = (cast.name_of(voice, language) for voice in voices)
    return _part("chat", "voices", say("chat_comma", language).join(names), language)
