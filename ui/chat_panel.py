"""The side panel of Chat: who speaks (character, system prompt) and how (sampling), all voices and
each of them. It folds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from engine.chat.sampling import DEFAULTS, RANGES
from ui import cards, character_box, own_settings
from ui.cast import card
from ui.character_box import Box
from ui.events import QUICK
from ui.own_settings import Own
from ui.text import language, say, t

CSS = Path(__file__).with_name("chat.css").read_text(encoding="utf-8")
# What is half typed, which Gradio refuses with a traceback, is told as what it will become.
IN_RANGE = f"""(character, system, temperature, seed) => {{
  const [low, high] = {[*RANGES["temperature"][:2]]};
  return [character, system, Math.min(Math.max(temperature ?? low, low), high), seed];
}}"""
SLIDERS = ("temperature", "top_p", "top_k", "repetition_penalty", "max_new_tokens")


@dataclass(frozen=True, slots=True)
class Panel:
    """The panel's components; `sampling` by the names that the engine uses, seed among them.
    `stood` is what a card has changed: {name: [what stood before, what the card asked]}."""

    column: gr.Column
    box: Box  # the character: its picker, greeting, files and form
    system: gr.Textbox
    sampling: dict[str, gr.Slider | gr.Number]
    own: Own
    marks: gr.Checkbox
    defaults: gr.Button
    stood: gr.State

    @property
    def spoken(self) -> dict[str, gr.components.Component]:
        """What a card may ask for, by name."""
        return {"system": self.system, **self.sampling}

    @property
    def manner(self) -> list:
        """What `put_on` reads and writes."""
        return [self.stood, *self.spoken.values()]


def build() -> Panel:
    with gr.Column(visible=False, scale=1, min_width=270, elem_id="chat_panel") as column:
        box = character_box.lay_out()
        system = gr.Textbox(
            "",
            label=t("chat_system"),
            info=t("chat_system_help"),
            lines=3,
            max_lines=8,
            elem_id="chat_system",
        )
        sampling: dict[str, gr.Slider | gr.Number] = {}
        for name in SLIDERS:
            low, high, step = RANGES[name]
            sampling[name] = gr.Slider(
                low,
                high,
                value=DEFAULTS[name],
                step=step,
                label=t(f"chat_{name}"),
                info=t(f"chat_{name}_help"),
                elem_id=f"chat_{name}",
            )
        sampling["seed"] = gr.Number(
            value=DEFAULTS["seed"],
            precision=0,  # without a range: Gradio would refuse before the engine can say why
            label=t("chat_seed"),
            info=t("chat_seed_help"),
            elem_id="chat_seed",
        )
        own = own_settings.build()
        marks = gr.Checkbox(True, label=t("chat_marks"), elem_id="chat_marks")
        defaults = gr.Button(t("chat_defaults"), size="sm", elem_id="chat_defaults")
    return Panel(column, box, system, sampling, own, marks, defaults, gr.State({}))


def put_on(panel: Panel, manner: Sequence, asked: dict[str, Any]) -> dict:
    """What a card asks for, {} when none is worn. What the card before it had changed goes back to
    what stood there, unless a person has changed it since."""
    stood, *values = manner
    now = dict(zip(panel.spoken, values, strict=True))
    back = {name: before for name, (before, was) in stood.items() if now[name] == was}
    shown = {panel.spoken[name]: value for name, value in (back | asked).items()}
    before = now | back
    return shown | {panel.stood: {name: [before[name], value] for name, value in asked.items()}}


def wire(panel: Panel, toggle: gr.Button, summary: gr.HTML, asked: gr.State) -> None:
    """Folding, settings that are `asked` for elsewhere, the way back to the defaults, and the line
    that says what is set."""
    is_open = gr.State(False)

    def fold(was_open: bool, request: gr.Request):
        key = "chat_settings" if was_open else "chat_settings_hide"
        return not was_open, gr.Column(visible=not was_open), say(key, language(request))

    def summed_up(
        character: str, system: str, temperature: float, seed: float, request: gr.Request
    ):
        return summary_line(character, system, temperature, seed, language(request))

    toggle.click(fold, is_open, [is_open, panel.column, toggle], **QUICK)

    def take(settings: dict):
        return {panel.sampling[name]: value for name, value in settings.items()} or gr.skip()

    asked.change(take, asked, list(panel.sampling.values()), **QUICK)
    panel.defaults.click(
        lambda: [DEFAULTS[name] for name in panel.sampling],
        None,
        list(panel.sampling.values()),
        **QUICK,
    )
    told = [panel.box.picker, panel.system, panel.sampling["temperature"], panel.sampling["seed"]]
    gr.on(
        [one.change for one in told],
        summed_up,
        told,
        summary,
        js=IN_RANGE,
        **QUICK,
    )


def summary_line(
    character: str, system: str, temperature: float, seed: float | None, lang: str
) -> str:
    """Who speaks, at which temperature and seed, in one line."""
    chosen = card(character)
    if chosen and system.strip() == chosen.system_prompt.strip():
        who = chosen.name
    else:
        who = say("chat_who_custom" if system.strip() else "chat_who_nobody", lang)
    values = {"who": who, "temperature": f"{temperature:g}", "seed": int(seed or 0)}
    return cards.paragraph(say("chat_summary", lang, **values), "soft")
