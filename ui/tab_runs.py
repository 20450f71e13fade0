"""The Runs tab: all runs in a table; the selected one can be opened, resumed, cloned, deleted .."""

import gradio as gr

from engine import launch
from engine.chat.conversations import BASE
from engine.errors import UserError
from engine.export import client as exporting
from engine.export import zipped
from engine.training import run_changes, runs
from ui import cards, comparing, report_view, runs_line
from ui.chosen import Chosen
from ui.events import LATEST, QUICK, QUIET, TELLING
from ui.runs_parts import Parts, drawn, lay_out, questions_closed, shown
from ui.text import language, say

FETCH = "() => document.querySelector('#runs_file')?.click()"


def build(chosen: Chosen, looks: list) -> None:
    """`looks`: the events at which the table is looked at anew."""
    parts = lay_out()
    _wire_table(parts, chosen, looks)
    _wire_ways_on(parts, chosen)
    runs_line.wire(
        parts.line,
        parts.selected,
        parts.notice,
        lambda run_id, lang: shown(parts, "", run_id, lang),
        drawn(parts),
    )
    _wire_name(parts)
    _wire_delete(parts)
    _wire_download(parts)
    comparing.wire(parts.comparing, parts.table, looks)


def _wire_table(parts: Parts, chosen: Chosen, looks: list) -> None:
    """The table follows the run folders; a click selects."""

    def refresh(seen: str, selected: str, request: gr.Request):
        updates = shown(parts, seen, selected, language(request))
        if updates.get(parts.selected) == selected:  # another may have been clicked meanwhile
            updates[parts.selected] = gr.skip()
        elif parts.selected in updates:  # it is gone, and what was asked of it with it
            updates |= questions_closed(parts)
        return updates

    def pick(event: gr.EventData, seen: str, selected: str, request: gr.Request):
        if event.go:
            return {chosen.tabs: gr.Tabs(selected="train")}
        updates = shown(parts, "", event.run, language(request))
        return updates | questions_closed(parts) | {parts.notice: cards.nothing()}

    inputs = [parts.seen, parts.selected]
    asks = [parts.ask_rename, parts.ask_delete]
    looked = [*drawn(parts), *asks]
    gr.on(looks, refresh, inputs, looked, **QUICK)
    # Every click, in their order: an event that waits would come with the row of the one before.
    clicked = parts.table.click(
        pick, inputs, [*looked, parts.notice, chosen.tabs], trigger_mode="multiple", **QUIET
    )
    # A look that began before the click may have drawn the run that was selected then.
    clicked.then(refresh, inputs, looked, **QUICK, **LATEST)


def _wire_ways_on(parts: Parts, chosen: Chosen) -> None:
    """What leads to another tab: watch, talk, resume, clone."""

    def open_run(run_id: str):
        return run_id, gr.Tabs(selected="train")

    def talk(run_id: str):
        return [BASE, run_id], gr.Tabs(selected="chat")

    def resume(run_id: str, request: gr.Request):
        try:
            launch.resume(run_id)
        except UserError as error:
            return {parts.notice: cards.sentence(error.sentence.in_language(language(request)))}
        return {
            chosen.run: run_id,
            chosen.tabs: gr.Tabs(selected="train"),
            parts.notice: cards.nothing(),
        }

    parts.open.click(open_run, parts.selected, [chosen.run, chosen.tabs], **TELLING)
    parts.talk.click(talk, parts.selected, [chosen.voices, chosen.tabs], **TELLING)
    parts.resume.click(resume, parts.selected, [chosen.run, chosen.tabs, parts.notice], **TELLING)
    # Emptied first, so that cloning the same run twice is a change both times.
    parts.clone.click(lambda: "", None, chosen.clone, **TELLING).then(
        lambda run_id: (run_id, gr.Tabs(selected="train")),
        parts.selected,
        [chosen.clone, chosen.tabs],
        **TELLING,
    )


def _wire_name(parts: Parts) -> None:
    """A run gets another name."""

    def ask(run_id: str, request: gr.Request):
        try:
            name = runs.get(run_id).name
        except UserError as error:  # deleted on another page
            return {parts.notice: cards.sentence(error.sentence.in_language(language(request)))}
        opened = {parts.ask_rename: gr.Row(visible=True), parts.ask_delete: gr.Row(visible=False)}
        opened |= {parts.asked: run_id, parts.new_name: gr.Textbox(value=name)}
        return opened | {parts.notice: cards.nothing()}

    def save(run_id: str, name: str, request: gr.Request):
        lang = language(request)
        try:
            run_changes.rename(run_id, name)
        except UserError as error:
            return {parts.notice: cards.sentence(error.sentence.in_language(lang))}
        said = cards.sentence(say("runs_renamed", lang, name=runs.get(run_id).name), "calm")
        return shown(parts, "", run_id, lang) | questions_closed(parts) | {parts.notice: said}

    asks = [parts.ask_rename, parts.ask_delete, parts.notice]
    parts.rename.click(ask, parts.selected, [*asks, parts.asked, parts.new_name], **QUICK)
    gr.on(
        [parts.save_name.click, parts.new_name.submit],
        save,
        [parts.asked, parts.new_name],
        [*drawn(parts), *asks],
        **QUICK,
    )
    parts.leave_name.click(lambda: questions_closed(parts), None, asks, **QUICK)


def _wire_delete(parts: Parts) -> None:
    """A run is deleted, when that was meant."""

    def ask(run_id: str, request: gr.Request):
        lang = language(request)
        try:
            name = runs.get(run_id).name
        except UserError as error:  # deleted on another page
            return {parts.notice: cards.sentence(error.sentence.in_language(lang))}
        question = cards.paragraph(say("runs_delete_question", lang, name=name, id=run_id))
        opened = {parts.ask_rename: gr.Row(visible=False), parts.ask_delete: gr.Row(visible=True)}
        opened |= {parts.asked: run_id, parts.delete_question: question}
        return opened | {parts.notice: cards.nothing()}

    def delete(run_id: str, request: gr.Request):
        lang = language(request)
        try:
            name = runs.get(run_id).name
            exporting.require_idle(run_id)
            run_changes.delete(run_id)
        except UserError as error:
            return {parts.notice: cards.sentence(error.sentence.in_language(lang))}
        said = cards.sentence(say("runs_deleted", lang, name=name), "calm")
        return shown(parts, "", "", lang) | questions_closed(parts) | {parts.notice: said}

    asks = [parts.ask_rename, parts.ask_delete, parts.notice]
    parts.delete.click(ask, parts.selected, [*asks, parts.asked, parts.delete_question], **QUICK)
    parts.delete_yes.click(delete, parts.asked, [*drawn(parts), *asks], **QUICK)
    parts.delete_no.click(lambda: questions_closed(parts), None, asks, **QUICK)


def _wire_download(parts: Parts) -> None:
    """The zips are made on demand and then fetched by the browser itself."""

    def pack(run_id: str, request: gr.Request):
        return packed_by(zipped.adapter, run_id, request)

    def pack_report(run_id: str, request: gr.Request):
        return packed_by(zipped.report, run_id, request)

    def packed_by(pack_it, run_id: str, request: gr.Request):
        lang = language(request)
        try:
            file = pack_it(run_id)
        except UserError as error:
            return {parts.notice: cards.sentence(error.sentence.in_language(lang))}
        size = report_view.size(file.stat().st_size)
        said = say("runs_packed", lang, file=file.name, size=size)
        return {parts.file: str(file), parts.notice: cards.sentence(said, "calm")}

    def packing(run_id: str, request: gr.Request):
        try:
            name = runs.get(run_id).name
        except UserError:  # `pack` says it
            return cards.nothing()
        return cards.waiting(say("runs_packing", language(request), name=name))

    packed = parts.download.click(packing, parts.selected, parts.notice, **QUICK).then(
        pack, parts.selected, [parts.file, parts.notice], **TELLING
    )
    report = parts.take_report.click(
        pack_report, parts.selected, [parts.file, parts.notice], **TELLING
    )
    for ready in (packed, report):
        ready.then(None, None, None, js=FETCH, **QUICK)
