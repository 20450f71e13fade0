"""What a blind vote does: it is kept, the names come back, and the table counts it."""

import shutil

import gradio as gr

from engine.chat.conversations import history
from engine.errors import UserError
from engine.evaluation import votes
from engine.places import temporary_file, votes_dir
from ui import blind, cards, chat_flow, conversation
from ui.chat_parts import Parts
from ui.events import LATEST, QUICK, TELLING
from ui.text import language


def wire(parts: Parts, looks: list) -> None:
    """The vote's buttons, the switch, and the table when the tab opens, the first of `looks`."""
    made, panel = parts.blind, parts.panel
    counted = [made.box, made.table, made.download]
    drawn = [parts.talk, parts.notice, *parts.columns, *counted]
    for column, button in [*made.better.items(), (None, made.tie)]:

        def vote(talk: dict, marks: bool, is_on: bool, request: gr.Request, column=column):
            return _vote(parts, talk, column, marks, is_on, language(request))

        button.click(vote, [parts.talk, panel.marks, made.on], drawn, **TELLING)

    def switch(is_on: bool, talk: dict, marks: bool, request: gr.Request):
        lang = language(request)
        talk = talk if is_on else conversation.revealed(talk)
        return {parts.talk: talk} | chat_flow.drawn(parts, talk, marks, is_on, lang)

    inputs, outputs = [made.on, parts.talk, panel.marks], [parts.talk, *parts.columns]
    made.on.input(switch, inputs, outputs, **TELLING, **LATEST)

    def opened(request: gr.Request):
        return _counted(parts, language(request))

    looks[0](opened, None, counted, **QUICK)


def _vote(
    parts: Parts, talk: dict, column: int | None, marks: bool, is_on: bool, lang: str
) -> dict:
    """The columns show in this turn whom the order names."""
    if not conversation.waits_for_a_vote(talk):  # a second click
        return {parts.notice: gr.skip()}
    turn = talk["turns"][-1]
    best = votes.TIE if column is None else turn["order"][column]
    said = {voice: answer["text"] for voice, answer in turn["answers"].items()}
    read = {voice: history(talk, voice)[:-1] for voice in said}
    try:
        votes.cast(turn["model"], read, said, best)
    except UserError as error:
        return {parts.notice: cards.sentence(error.sentence.in_language(lang))}
    talk = conversation.voted(talk, best)
    shown = chat_flow.drawn(parts, talk, marks, is_on, lang) | _counted(parts, lang)
    return shown | {parts.talk: talk, parts.notice: cards.nothing()}


def _counted(parts: Parts, lang: str) -> dict:
    """The votes so far; the rows are copied to where a page may serve them from."""
    made, standings = parts.blind, votes.standings()
    kept = votes_dir() / votes.DECIDED
    copy = None
    if kept.is_file():
        copy = temporary_file("preferences.jsonl")
        shutil.copyfile(kept, copy)
    return {
        made.box: gr.Accordion(visible=bool(standings or copy)),
        made.table: blind.table_html(standings, lang),
        made.download: gr.DownloadButton(value=str(copy) if copy else None, visible=bool(copy)),
    }
