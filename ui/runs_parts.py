"""The components of the Runs tab, and what they show: the table, and the selected run below it."""

from dataclasses import dataclass

import gradio as gr

from engine.training import runs
from engine.training.runs import Run
from ui import comparing, learned_card, report_view, runs_line, runs_table, timeline
from ui.text import say, t


@dataclass(frozen=True, slots=True)
class Parts:
    """The components that handlers write to."""

    seen: gr.State  # the stamp of what is shown
    selected: gr.State  # id of the selected run
    asked: gr.State  # id of the run that an open question is about
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


def lay_out() -> Parts:
    made: dict = {name: gr.State("") for name in ("seen", "selected", "asked")}
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


def drawn(parts: Parts) -> list:
    """What `shown` writes."""
    return [
        parts.seen,
        parts.selected,
        parts.table,
        parts.detail,
        parts.head,
        parts.talk,
        parts.resume,
        parts.download,
        parts.delete,
        parts.learned,
        parts.answers,
        parts.take_report,
        *parts.line.drawn(),
        parts.report,
    ]


def questions_closed(parts: Parts) -> dict:
    return {parts.ask_rename: gr.Row(visible=False), parts.ask_delete: gr.Row(visible=False)}


def shown(parts: Parts, seen: str, selected: str, lang: str) -> dict:
    """The table and the selected run; nothing when both are shown already."""
    found = runs.list_runs()
    one = next((run for run in found if run.id == selected), found[0] if found else None)
    selected = one.id if one else ""
    now = runs_table.stamp(found, selected, lang)
    now += repr(runs_line.standing(one)) if one else ""  # others may join behind it, unseen
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
