"""The blind vote's components, and what they show: buttons under the columns, the votes so far."""

from dataclasses import dataclass

import gradio as gr

from engine.evaluation.votes import Standing
from ui import cards
from ui.cast import model_name, name_of
from ui.conversation import LETTERS, MOST
from ui.text import say, t


@dataclass(frozen=True, slots=True)
class Blind:
    """`better` are the buttons of the columns, `row` holds them while a vote is waited for."""

    on: gr.Checkbox
    row: gr.Row
    better: dict[int, gr.Button]
    tie: gr.Button
    box: gr.Accordion
    table: gr.HTML
    download: gr.DownloadButton


def toggle() -> gr.Checkbox:
    return gr.Checkbox(False, label=t("blind"), container=False, min_width=60, elem_id="chat_blind")


def vote_row() -> dict:
    better = {}
    with gr.Row(visible=False, elem_id="chat_vote") as row:
        gr.HTML(t("blind_ask"), elem_id="chat_vote_ask", elem_classes="bare", min_width=0)
        for i in range(MOST):
            better[i] = gr.Button(
                LETTERS[i], min_width=0, visible=False, elem_id=f"chat_vote_{LETTERS[i].lower()}"
            )
        tie = gr.Button(t("blind_tie"), min_width=0, elem_id="chat_vote_tie")
    return {"row": row, "better": better, "tie": tie}


def votes_box() -> dict:
    with gr.Accordion(t("blind_votes"), open=False, visible=False, elem_id="chat_votes") as box:
        table = gr.HTML(elem_id="chat_votes_table", elem_classes="bare")
        download = gr.DownloadButton(
            t("blind_download"), visible=False, size="sm", elem_id="chat_votes_download"
        )
    return {"box": box, "table": table, "download": download}


def table_html(standings: list[Standing], lang: str) -> str:
    """Each voice against its base: won, tied, lost, the share with its interval."""
    if not standings:
        return cards.paragraph(say("blind_no_base", lang), "soft")
    head = "".join(
        f'<th scope="col">{cards.text(say(f"blind_{name}", lang))}</th>'
        for name in ("voice", "base", "won", "tied", "lost", "rate")
    )
    rows = "".join(_row(one, lang) for one in standings)
    how = cards.paragraph(say("blind_how", lang), "soft")
    return f'<table class="votes"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{how}'


def _row(one: Standing, lang: str) -> str:
    low, high = one.interval
    rate = say(
        "blind_rate_of",
        lang,
        rate=f"{100 * one.rate:.0f}",
        low=f"{100 * low:.0f}",
        high=f"{100 * high:.0f}",
        votes=one.votes,
    )
    cells = [model_name(one.model), one.wins, one.ties, one.losses, rate]
    listed = "".join(f"<td>{cards.text(cell)}</td>" for cell in cells)
    return f'<tr><th scope="row">{cards.text(name_of(one.voice, lang))}</th>{listed}</tr>'
