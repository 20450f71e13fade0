"""The fixed questions that a run is watched by, taken from its data with one click."""

import gradio as gr

from engine.desk import client as desk
from engine.errors import UserError
from ui import form
from ui.chosen import Chosen
from ui.events import QUIET
from ui.text import language, say, t

_COUNT = 3


def build() -> gr.Button:
    """Not yet placed: it stands below the field."""
    return gr.Button(
        t("train_watch"), size="sm", elem_id="watch", elem_classes="quiet-link", render=False
    )


def wire(button: gr.Button, fields: form.Fields, chosen: Chosen) -> None:
    """What the field holds is replaced; where the data has no short question, it says so."""

    def take(dataset: str, mapping: str, speaker: str, request: gr.Request):
        lang = language(request)
        try:
            found = desk.to_watch(dataset, _COUNT, mapping, speaker) if dataset else []
        except UserError as error:  # told on the Data tab too, where the data is read
            return gr.update(info=error.sentence.in_language(lang))
        if not found:
            return gr.update(info=say("train_watch_none", lang))
        info = form.OPTIONS["sample_prompts"].metadata["help"].in_language(lang)
        return gr.update(value="\n".join(found), info=info)

    inputs = [chosen.dataset, fields["mapping"], fields["speaker"]]
    button.click(take, inputs, fields["sample_prompts"], **QUIET)
