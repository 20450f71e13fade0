"""What the Data tab does without tokens: the table of raw rows, and conversion."""

import tempfile
from pathlib import Path

import gradio as gr

from engine import desk
from engine.errors import UserError
from ui import cards
from ui.chosen import Chosen
from ui.text import language, say, t

FORMATS = ("messages", "alpaca", "sharegpt", "prompt-completion", "context-target", "text")
PAGE = 50
QUIET = {"show_progress": "hidden", "api_visibility": "private"}


def table(chosen: Chosen) -> None:
    """Fifty rows at a time as they stand in the file, cut on the server."""
    start = gr.Slider(
        1, 2, 1, step=PAGE, label=t("data_table_page"), elem_id="table_start", visible=False
    )
    rows = gr.Dataframe(
        interactive=False,
        wrap=True,
        datatype="str",
        type="array",
        max_height=460,
        elem_id="data_table",
        buttons=["fullscreen"],
    )
    said = gr.HTML(cards.nothing(), elem_classes="bare soft")
    chosen.dataset.change(
        _first_page, chosen.dataset, [start, rows, said], concurrency_limit=None, **QUIET
    )
    start.input(
        _page,
        [chosen.dataset, start],
        [rows, said],
        trigger_mode="always_last",
        concurrency_limit=None,
        **QUIET,
    )


def _first_page(dataset: str, request: gr.Request):
    rows, said = _page(dataset, 1, request)
    if not dataset or said == cards.nothing():
        return gr.Slider(visible=False), rows, said
    total = desk.table(dataset, 0, 1)["total"]
    slider = gr.Slider(value=1, maximum=max(2, total), visible=total > PAGE)
    return slider, rows, said


def _page(dataset: str, start: int, request: gr.Request):
    """The rows from `start` (counted from 1); reading problems are told above, not here."""
    if not dataset:
        return None, cards.nothing()
    try:
        page = desk.table(dataset, int(start) - 1, PAGE)
    except UserError:
        return None, cards.nothing()
    said = say(
        "data_table_shown",
        language(request),
        first=int(start),
        last=int(start) - 1 + len(page["rows"]),
        total=cards.number(page["total"]),
    )
    shown = {"headers": page["columns"], "data": page["rows"]}
    widths = _widths(page["columns"], page["rows"])
    return gr.Dataframe(value=shown, column_widths=widths), cards.paragraph(said, "soft")


def _widths(columns: list[str], rows: list[list[str]]) -> list[str]:
    """Shares of the table's width after the text in each column; none too narrow for its name."""
    lengths = [
        max(len(name) + 4, 12, min(60, sum(len(row[i]) for row in rows) / max(1, len(rows))))
        for i, name in enumerate(columns)
    ]
    return [f"{100 * length / sum(lengths):.0f}%" for length in lengths]


def build(chosen: Chosen) -> None:
    """Convert and download."""
    with gr.Accordion(t("data_convert_title"), open=False, elem_id="convert_box"):
        with gr.Row(equal_height=True):
            to = gr.Dropdown(
                [(t(f"data_as_{name}"), name) for name in FORMATS],
                value="messages",
                label=t("data_convert_to"),
                elem_id="convert_to",
                scale=3,
            )
            convert = gr.Button(t("data_convert"), elem_id="convert")
            download = gr.DownloadButton(
                t("data_download"), visible=False, variant="primary", elem_id="convert_download"
            )
        said = gr.HTML(cards.nothing(), elem_id="convert_said", elem_classes="bare")
    convert.click(_convert, [chosen.dataset, to], [download, said], api_visibility="private")
    to.input(lambda: gr.DownloadButton(visible=False), None, download, queue=False, **QUIET)
    chosen.dataset.change(
        lambda: gr.DownloadButton(visible=False), None, download, queue=False, **QUIET
    )


def convert_to_temp(dataset: str, to: str) -> Path:
    """A converted copy in the temporary folder, from where Gradio may hand it out."""
    ending = ".json" if to in ("alpaca", "sharegpt") else ".jsonl"
    folder = Path(tempfile.mkdtemp(prefix="greenroom-"))
    return desk.convert(dataset, to, str(folder / f"{Path(dataset).stem}-{to}{ending}"))


def _convert(dataset: str, to: str, request: gr.Request):
    lang = language(request)
    if not dataset:
        return gr.skip(), cards.sentence(say("data_no_dataset", lang), "mild")
    try:
        written = convert_to_temp(dataset, to)
    except UserError as error:
        return gr.skip(), cards.sentence(error.sentence.in_language(lang))
    return gr.DownloadButton(value=str(written), visible=True), cards.nothing()
