"""The form as a command and as YAML, to be copied; and a text that fills the form."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
from gradio.components import Component

from engine.config import TrainConfig
from engine.errors import UserError
from engine.options.as_text import from_text, to_command
from ui import cards
from ui.events import QUIET
from ui.text import language, say, t

_LARGEST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class FormText:
    command: gr.Textbox
    yaml: gr.Textbox
    pasted: gr.Textbox
    file: gr.UploadButton
    fill: gr.Button
    said: gr.HTML

    def shown(self, config: TrainConfig) -> dict:
        """Updates that say the form in words for a shell and for a file."""
        return {self.command: to_command(config), self.yaml: config.to_yaml()}


def build() -> FormText:
    with gr.Accordion(t("train_as_text"), open=False, elem_id="as_text"):
        made = {
            name: gr.Textbox(
                label=t(f"train_as_{name}"),
                lines=2,
                max_lines=8,
                interactive=False,
                buttons=["copy"],
                elem_id=f"as_{name}",
            )
            for name in ("command", "yaml")
        }
        made["pasted"] = gr.Textbox(
            label=t("train_paste"),
            info=t("train_paste_help"),
            lines=3,
            max_lines=8,
            elem_id="paste",
        )
        with gr.Row():
            made["file"] = gr.UploadButton(
                t("train_paste_file"), file_types=[".yaml", ".yml"], elem_id="paste_file"
            )
            made["fill"] = gr.Button(t("train_fill"), elem_id="fill_form")
        made["said"] = gr.HTML(cards.nothing(), elem_id="fill_said", elem_classes="bare")
    return FormText(**made)


def wire(
    made: FormText,
    filled: Callable[[TrainConfig, int, str], dict],
    revised: gr.State,
    dataset: gr.State,
    outputs: list[Component],
) -> None:
    """`filled(config, count of revisions, chosen dataset)` gives the updates of the form for
    `outputs`; a text that cannot be read becomes a sentence and changes nothing."""

    def fill(text: str, count: int, chosen: str, request: gr.Request):
        lang = language(request)
        try:
            config = from_text(text or "")
        except UserError as error:
            return {made.said: cards.sentence(error.sentence.in_language(lang))}
        said = cards.sentence(say("train_filled", lang), "calm")
        return filled(config, count, chosen) | {made.said: said}

    def read(path: str, request: gr.Request):
        """The file's text goes where one pastes, so that it can be seen before it counts."""
        file = Path(path)
        if file.stat().st_size > _LARGEST_BYTES:
            said = say("train_paste_large", language(request))
            return gr.skip(), cards.sentence(said)
        return file.read_text(encoding="utf-8", errors="replace"), cards.nothing()

    inputs = [made.pasted, revised, dataset]
    outputs = [*outputs, made.said]
    made.fill.click(fill, inputs, outputs, **QUIET)
    made.file.upload(read, made.file, [made.pasted, made.said], **QUIET).then(
        fill, inputs, outputs, **QUIET
    )
