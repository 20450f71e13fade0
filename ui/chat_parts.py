"""The components of the Chat tab: voice and status, two columns, one input, suggestions."""

from dataclasses import dataclass

import gradio as gr

from ui import answers, cards, chat_panel, conversation, duet, keep_answers
from ui.chat_panel import Panel
from ui.conversation import COLUMNS
from ui.duet import Duet
from ui.keep_answers import Keep
from ui.text import t


@dataclass(frozen=True, slots=True)
class Parts:
    """What handlers read and write."""

    talk: gr.State  # what was said, see ui.conversation
    pending: gr.State  # the question to ask next, "" for none
    seen: gr.State  # which voices and what status are shown
    voice: gr.Dropdown
    status: gr.HTML
    summary: gr.HTML
    toggle: gr.Button
    chats: dict[str, gr.Chatbot]
    lines: dict[str, gr.HTML]
    notice: gr.HTML
    question: gr.Textbox
    send: gr.Button
    stop: gr.Button
    retry: gr.Button
    undo: gr.Button
    clear: gr.Button
    chips: gr.HTML
    panel: Panel
    keep: Keep
    duet: Duet


def lay_out() -> Parts:
    made: dict = {
        "talk": gr.State(conversation.new_talk("")),
        "pending": gr.State(""),
        "seen": gr.State(["", repr(None)]),
    }
    with gr.Row(elem_id="chat_bar"):
        made["voice"] = gr.Dropdown(
            [(t("chat_voice_none"), "")],
            value="",
            label=t("chat_voice"),
            scale=1,
            min_width=260,
            elem_id="chat_voice",
        )
        with gr.Column(scale=3, min_width=240, elem_id="chat_status_box"):
            made["status"] = gr.HTML(elem_id="chat_status", elem_classes="bare")
            made["summary"] = gr.HTML(elem_id="chat_summary", elem_classes="bare")
        made["toggle"] = gr.Button(t("chat_settings"), elem_id="chat_toggle")
    with gr.Row():
        with gr.Column(scale=4, min_width=300):
            made |= _columns()
            made |= _asking()
            made["keep"] = keep_answers.lay_out()
            made["duet"] = duet.lay_out()
        made["panel"] = chat_panel.build()
    return Parts(**made)


def _columns() -> dict:
    chats, lines = {}, {}
    with gr.Row(elem_id="chat_columns"):
        for column in COLUMNS:
            with gr.Column(min_width=280):
                chats[column] = gr.Chatbot(
                    label="",
                    height=400,
                    buttons=["copy"],
                    editable="user",
                    group_consecutive_messages=False,
                    feedback_options=None,
                    elem_id=f"chat_{column}",
                    elem_classes="chat-voice",
                )
                lines[column] = gr.HTML(elem_id=f"chat_{column}_line", elem_classes="bare")
    return {"chats": chats, "lines": lines}


def _asking() -> dict:
    made = {"notice": gr.HTML(cards.nothing(), elem_id="chat_notice", elem_classes="bare")}
    with gr.Row(elem_id="chat_ask"):
        made["question"] = gr.Textbox(
            label=t("chat_question"),
            show_label=False,
            placeholder=t("chat_question_hint"),
            lines=1,
            max_lines=8,
            scale=5,
            elem_id="chat_question",
        )
        made["send"] = gr.Button(t("chat_send"), variant="primary", elem_id="chat_send")
        made["stop"] = gr.Button(t("chat_stop"), visible=False, elem_id="chat_stop")
    with gr.Row(elem_id="chat_more"):
        made["chips"] = gr.HTML(
            elem_id="chat_chips", elem_classes="bare", js_on_load=answers.ASK_BY_CLICK
        )
        for name in ("retry", "undo", "clear"):
            made[name] = gr.Button(
                t(f"chat_{name}"), size="sm", elem_id=f"chat_{name}", elem_classes="quiet-link"
            )
    return made
