"""The Runs tab: all runs in a table; the selected one can be opened, resumed, cloned, deleted .."""

from dataclasses import dataclass

import gradio as gr
from gradio.context import Context

from engine import launch
from engine.errors import UserError
from engine.export import zipped
from engine.training import runs
from engine.training.runs import Run
from ui import cards, comparing, learned_card, report_view, runs_line, runs_table, timeline
from ui.chosen import Chosen
from ui.conversation import BASE
from ui.events import QUICK, TELLING
from ui.text import language, say, t

FETCH = "() => document.querySelector('#runs_file')?.click()"


@dataclass(frozen=True, slots=True)
class Parts:
    """The components that handlers write to."""

    seen: gr.State  # the stamp of what is shown
    selected: gr.State  # id of the selected run
    table: gr.HTML
    comparing: comparing.Comparing
    detail: gr.Column
    head: gr.HTML
    notice: gr.HTML
    open: gr.Button
    talk: gr.Button
    resume: gr.Button
    clone: gr.Button
    rename: gr.Button
    download: gr.Button
    delete: gr.Button
    file: gr.DownloadButton
    line: runs_line.LineButtons
    ask_rename: gr.Row
    new_name: gr.Textbox
    save_name: gr.Button
    leave_name: gr.Button
    ask_delete: gr.Row
    delete_question: gr.HTML
    delete_yes: gr.Button
    delete_no: gr.Button
    learned: gr.HTML
    answers: gr.HTML
    take_report: gr.Button
    report: gr.Markdown


def build(chosen: Chosen, looks: list) -> None:
    """`looks`: the events at which the table is looked at anew."""
    parts = _components()
    _wire_table(parts, chosen, looks)
    _wire_ways_on(parts, chosen)
    _wire_changes(parts)
    comparing.wire(parts.comparing, parts.table, looks)


def _components() -> Parts:
    made: dict = {"seen": gr.State(""), "selected": gr.State("")}
    made["table"] = gr.HTML(
        elem_id="runs_table", elem_classes="bare", js_on_load=runs_table.SELECT_BY_CLICK
    )
    made["comparing"] = comparing.build()
    with gr.Column(visible=False, elem_id="runs_detail") as made["detail"]:
        made["head"] = gr.HTML(elem_id="runs_head", elem_classes="bare")
        with gr.Row(elem_id="runs_actions"):
            for name in ("talk", "open", "resume", "clone", "rename", "download", "delete"):
                variant = "primary" if name == "talk" else "secondary"
                made[name] = gr.Button(t(f"runs_{name}"), variant=variant, elem_id=f"runs_{name}")
        made["line"] = runs_line.build("runs")
        with gr.Row(visible=False, elem_id="runs_ask_rename") as made["ask_rename"]:
            made["new_name"] = gr.Textbox(
                label=t("runs_new_name"),
                info=t("runs_new_name_help"),
                max_length=80,
                elem_id="runs_new_name",
            )
            made["save_name"] = gr.Button(
                t("runs_save_name"), variant="primary", elem_id="runs_save_name"
            )
            made["leave_name"] = gr.Button(t("runs_leave_name"), elem_id="runs_leave_name")
        with gr.Row(visible=False, elem_id="runs_ask_delete") as made["ask_delete"]:
            made["delete_question"] = gr.HTML(elem_id="runs_delete_question", elem_classes="bare")
            made["delete_yes"] = gr.Button(
                t("runs_delete_yes"), variant="stop", elem_id="runs_delete_yes"
            )
            made["delete_no"] = gr.Button(t("runs_delete_no"), elem_id="runs_delete_no")
        made["file"] = gr.DownloadButton("zip", visible="hidden", elem_id="runs_file")
        made["notice"] = gr.HTML(elem_id="runs_notice", elem_classes="bare")
        made["learned"] = gr.HTML(elem_id="runs_learned", elem_classes="bare")
        made["answers"] = gr.HTML(
            elem_id="runs_answers", elem_classes="bare", js_on_load=timeline.FOLLOW
        )
        with gr.Accordion(t("runs_report"), open=False, elem_id="report_box"):
            made["take_report"] = gr.Button(t("report_download"), elem_id="take_report")
            made["report"] = gr.Markdown(elem_id="runs_report", sanitize_html=True)
    return Parts(**made)


def _wire_table(parts: Parts, chosen: Chosen, looks: list) -> None:
    """The table follows the run folders; a click selects."""
    shown = [parts.seen, parts.selected, parts.table, *_detail(parts)]

    def refresh(seen: str, selected: str, request: gr.Request):
        return _shown(parts, seen, selected, language(request))

    def pick(event: gr.EventData, seen: str, selected: str, request: gr.Request):
        if event.go:
            return {chosen.tabs: gr.Tabs(selected="train")}
        updates = _shown(parts, "", event.run, language(request))
        return updates | _questions_closed(parts) | {parts.notice: cards.nothing()}

    inputs = [parts.seen, parts.selected]
    Context.root_block.load(refresh, inputs, shown, **QUICK)
    gr.on(looks, refresh, inputs, shown, **QUICK)
    asks = [parts.ask_rename, parts.ask_delete, parts.notice]
    parts.table.click(pick, inputs, [*shown, *asks, chosen.tabs], **QUICK)


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


def _wire_changes(parts: Parts) -> None:
    """What changes the run itself: its name, its being there; and its adapter as a file."""
    shown = [parts.seen, parts.selected, parts.table, *_detail(parts)]
    asks = [parts.ask_rename, parts.ask_delete, parts.notice]

    def ask_name(run_id: str):
        name = runs.get(run_id).name
        return gr.Row(visible=True), gr.Row(visible=False), cards.nothing(), gr.Textbox(value=name)

    def save_name(run_id: str, name: str, request: gr.Request):
        lang = language(request)
        try:
            runs.rename(run_id, name)
        except UserError as error:
            return {parts.notice: cards.sentence(error.sentence.in_language(lang))}
        said = say("runs_renamed", lang, name=runs.get(run_id).name)
        return (
            _shown(parts, "", run_id, lang)
            | _questions_closed(parts)
            | {parts.notice: cards.sentence(said, "calm")}
        )

    def ask_delete(run_id: str, request: gr.Request):
        question = say(
            "runs_delete_question", language(request), name=runs.get(run_id).name, id=run_id
        )
        return (
            gr.Row(visible=False),
            gr.Row(visible=True),
            cards.nothing(),
            cards.paragraph(question),
        )

    def delete(run_id: str, request: gr.Request):
        lang = language(request)
        try:
            name = runs.get(run_id).name
            runs.delete(run_id)
        except UserError as error:
            return {parts.notice: cards.sentence(error.sentence.in_language(lang))}
        said = cards.sentence(say("runs_deleted", lang, name=name), "calm")
        return _shown(parts, "", "", lang) | _questions_closed(parts) | {parts.notice: said}

    def redraw(run_id: str, lang: str) -> dict:
        return _shown(parts, "", run_id, lang)

    runs_line.wire(parts.line, parts.selected, parts.notice, redraw, shown)
    parts.rename.click(ask_name, parts.selected, [*asks, parts.new_name], **QUICK)
    gr.on(
        [parts.save_name.click, parts.new_name.submit],
        save_name,
        [parts.selected, parts.new_name],
        [*shown, *asks],
        **QUICK,
    )
    parts.delete.click(ask_delete, parts.selected, [*asks, parts.delete_question], **QUICK)
    parts.delete_yes.click(delete, parts.selected, [*shown, *asks], **QUICK)
    for button in (parts.leave_name, parts.delete_no):
        button.click(lambda: _questions_closed(parts), None, asks, **QUICK)
    _wire_download(parts)


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
        said = say("runs_packing", language(request), name=runs.get(run_id).name)
        return cards.waiting(said)

    packed = parts.download.click(packing, parts.selected, parts.notice, **QUICK).then(
        pack, parts.selected, [parts.file, parts.notice], **TELLING
    )
    report = parts.take_report.click(
        pack_report, parts.selected, [parts.file, parts.notice], **TELLING
    )
    for ready in (packed, report):
        ready.then(None, None, None, js=FETCH, **QUICK)


def _detail(parts: Parts) -> list:
    return [
        parts.detail,
        parts.head,
        parts.talk,
        parts.resume,
        parts.download,
        parts.delete,
        parts.learned,
        parts.answers,
        parts.take_report,
        parts.line.row,
        parts.report,
    ]


def _questions_closed(parts: Parts) -> dict:
    return {parts.ask_rename: gr.Row(visible=False), parts.ask_delete: gr.Row(visible=False)}


def _shown(parts: Parts, seen: str, selected: str, lang: str) -> dict:
    """The table and the selected run; nothing when both are shown already."""
    found = runs.list_runs()
    one = next((run for run in found if run.id == selected), found[0] if found else None)
    selected = one.id if one else ""
    now = runs_table.stamp(found, selected, lang)
    if now == seen:
        return {parts.seen: gr.skip()}
    updates = {
        parts.seen: now,
        parts.selected: selected,
        parts.table: runs_table.table(found, selected, lang),
        parts.detail: gr.Column(visible=one is not None),
    }
    return updates | (_detail_of(parts, one, lang) if one else {})


def _detail_of(parts: Parts, run: Run, lang: str) -> dict:
    going = run.alive or run.state in runs.ACTIVE
    report = "" if going else report_view.markdown(run, lang)
    written = bool(report)
    report = report or say("runs_report_later" if going else "runs_report_none", lang)
    return parts.line.of(run) | {
        parts.head: runs_table.head(run, lang),
        parts.talk: gr.Button(interactive=run.has_adapter),
        parts.resume: gr.Button(visible=run.can_resume and not run.alive),
        parts.download: gr.Button(interactive=run.has_adapter),
        parts.delete: gr.Button(interactive=not run.alive),
        parts.learned: learned_card.html(run, lang),
        parts.answers: timeline.html(run, lang),
        parts.take_report: gr.Button(visible=written),
        parts.report: report,
    }
