"""The foot of the Data tab: what was left out, a report, a copy to keep, other formats."""

import gradio as gr

from engine import characters
from engine.desk import client as desk
from engine.errors import UserError
from ui import cards, data_choice, form
from ui.chosen import Chosen
from ui.events import LATEST, QUICK, QUIET
from ui.text import both, language, say, t

FORMATS = ("messages", "alpaca", "sharegpt", "prompt-completion", "context-target", "text")
ENDINGS = (".jsonl", ".json", ".csv", ".parquet")
# What will be lost is said before the conversion is, however long it takes to find out.
_IN_TURN = {"concurrency_id": "convert", "concurrency_limit": 1}


def build(chosen: Chosen, fields: form.Fields) -> tuple[gr.DownloadButton, gr.DownloadButton]:
    """Returns the buttons of the rows that were left out and of the report; whoever reads the data
    shows them."""
    with gr.Row():
        dropped, report = (
            gr.DownloadButton(t(f"data_{name}"), visible=False, size="sm", elem_id=name)
            for name in ("dropped_rows", "report_file")
        )
    read_as = [fields["mapping"], fields["speaker"]]
    _build_keep(chosen, read_as)
    _build_convert(chosen, read_as)
    return dropped, report


def _build_keep(chosen: Chosen, read_as: list) -> None:
    with gr.Accordion(t("data_keep_title"), open=False, elem_id="keep_box") as box:
        gr.Markdown(t("data_keep_how"), elem_classes="soft")
        with gr.Row(equal_height=True):
            cast = gr.Dropdown(
                [(t("data_keep_nobody"), "")],
                value="",
                label=t("data_keep_character"),
                elem_id="keep_character",
                scale=3,
            )
            keep = gr.Button(t("data_keep"), elem_id="keep")
        said = gr.HTML(cards.nothing(), elem_id="keep_said", elem_classes="bare")
    made = gr.State("")  # id of the kept copy

    def kept(dataset, character, mapping, speaker, request: gr.Request):
        lang = language(request)
        if not dataset:
            return gr.skip(), gr.skip(), cards.sentence(say("data_no_dataset", lang), "mild")
        prompt = characters.get(character).system_prompt if character else ""
        try:
            added = desk.keep_as_messages(dataset, mapping, speaker, prompt)
        except UserError as error:
            return gr.skip(), gr.skip(), cards.sentence(error.sentence.in_language(lang))
        return added, added, cards.sentence(say("data_added", lang, name=added), "calm")

    def cast_now(request: gr.Request):
        nobody = (say("data_keep_nobody", language(request)), "")
        return gr.Dropdown([nobody, *((one.name, one.id) for one in characters.list_characters())])

    box.expand(cast_now, None, cast, **QUICK)
    keep.click(
        kept,
        [chosen.dataset, cast, *read_as],
        [chosen.dataset, made, said],
        api_visibility="private",
    )
    data_choice.forget(chosen, made, said)


def _build_convert(chosen: Chosen, read_as: list) -> None:
    with gr.Accordion(t("data_convert_title"), open=False, elem_id="convert_box"):
        with gr.Row(equal_height=True):
            to = gr.Dropdown(
                [(t(f"data_as_{name}"), name) for name in FORMATS],
                value="messages",
                label=t("data_convert_to"),
                elem_id="convert_to",
                scale=3,
            )
            ending = gr.Dropdown(
                list(ENDINGS), value=".jsonl", label=t("data_ending"), elem_id="convert_ending"
            )
            convert = gr.Button(t("data_convert"), elem_id="convert")
            download = gr.DownloadButton(
                t("data_download"), visible=False, variant="primary", elem_id="convert_download"
            )
        said = gr.HTML(cards.nothing(), elem_id="convert_said", elem_classes="bare")
    inputs = [chosen.dataset, to, ending, *read_as]
    convert.click(_convert, inputs, [download, said], api_visibility="private", **_IN_TURN)
    gr.on(
        [to.input, ending.input],
        _losses,
        [chosen.dataset, to, *read_as],
        [download, said],
        **QUIET,
        **LATEST,
        **_IN_TURN,
    )
    # In turn with the others: what is being written is of the dataset before.
    chosen.dataset.change(
        lambda: (gr.DownloadButton(visible=False), cards.nothing()),
        None,
        [download, said],
        **QUIET,
        **_IN_TURN,
    )


def _losses(dataset, to, mapping, speaker, request: gr.Request):
    """Said before: what the format cannot hold."""
    hidden = gr.DownloadButton(visible=False)
    try:
        lost = desk.losses(dataset, to, mapping, speaker) if dataset else []
    except UserError:  # told above, where the data is read
        lost = []
    lang = language(request)
    return hidden, "".join(cards.sentence(both(one).in_language(lang), "mild") for one in lost)


def _convert(dataset, to, ending, mapping, speaker, request: gr.Request):
    lang = language(request)
    if not dataset:
        return gr.skip(), cards.sentence(say("data_no_dataset", lang), "mild")
    try:
        written, done = desk.convert(dataset, to, ending, mapping, speaker)
    except UserError as error:
        return gr.skip(), cards.sentence(error.sentence.in_language(lang))
    said = cards.sentence(say("data_converted", lang, rows=cards.number(done["rows"])), "calm")
    said += "".join(cards.sentence(both(one).in_language(lang), "mild") for one in done["lost"])
    return gr.DownloadButton(value=str(written), visible=True), said
