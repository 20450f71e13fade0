"""The raw rows of the Data tab: fifty at a time, as they stand in the file, cut on the server."""

import gradio as gr

from engine.desk import client as desk
from engine.errors import UserError
from ui import cards
from ui.chosen import Chosen
from ui.events import LATEST, QUIET
from ui.text import language, say, t

PAGE = 50


def build(chosen: Chosen) -> None:
    with gr.Row(elem_id="table_controls"):
        search = gr.Textbox(
            label=t("data_search"), elem_id="table_search", max_lines=1, scale=2, visible=False
        )
        start = gr.Slider(
            1,
            2,
            1,
            step=PAGE,
            label=t("data_table_page"),
            elem_id="table_start",
            scale=3,
            visible=False,
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
    said = gr.HTML(cards.nothing(), elem_id="table_said", elem_classes="bare soft")
    shared = {"concurrency_limit": None, **QUIET, **LATEST}
    chosen.dataset.change(
        _opened, chosen.dataset, [search, start, rows, said], concurrency_limit=None, **QUIET
    )
    search.change(_first_page, [chosen.dataset, search], [start, rows, said], **shared)
    start.input(_page, [chosen.dataset, start, search], [rows, said], **shared)


def _opened(dataset: str, request: gr.Request):
    rows, said, total = _read(dataset, 1, "", language(request))
    return gr.Textbox(value="", visible=total > 0), _slider(total), rows, said


def _first_page(dataset: str, search: str, request: gr.Request):
    rows, said, total = _read(dataset, 1, search, language(request))
    return _slider(total), rows, said


def _slider(total: int) -> gr.Slider:
    return gr.Slider(value=1, maximum=max(2, total), visible=total > PAGE)


def _page(dataset: str, start: int, search: str, request: gr.Request):
    return _read(dataset, int(start), search, language(request))[:2]


def _read(dataset: str, start: int, search: str, lang: str):
    """The rows from `start` (counted from 1), what is said of them, and how many there are;
    reading problems are told above, not here."""
    if not dataset:
        return None, cards.nothing(), 0
    try:
        page = desk.table(dataset, start - 1, PAGE, search)
    except UserError:
        return None, cards.nothing(), 0
    total = page["total"]
    key = "data_table_found" if search else "data_table_shown"
    last = start - 1 + len(page["rows"])
    said = say(key, lang, first=min(start, total), last=last, total=cards.number(total))
    numbered = [
        [str(number + 1), *row] for number, row in zip(page["numbers"], page["rows"], strict=True)
    ]
    columns = ["#", *page["columns"]]
    shown = {"headers": columns, "data": numbered}
    table = gr.Dataframe(value=shown, column_widths=_widths(columns, numbered))
    return table, cards.paragraph(said, "soft"), total


def _widths(columns: list[str], rows: list[list[str]]) -> list[str]:
    """Shares of the table's width after the text in each column; none too narrow for its name."""
    lengths = [
        max(len(name) + 4, 8, min(60, sum(len(row[i]) for row in rows) / max(1, len(rows))))
        for i, name in enumerate(columns)
    ]
    return [f"{100 * length / sum(lengths):.0f}%" for length in lengths]
