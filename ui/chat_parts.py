"""The components of the Chat tab: voices and status, up to four columns, one input, suggestions."""

from dataclasses import dataclass

import gradio as gr

from engine.chat.conversations import BASE
from ui import answers, blind, cards, chat_panel, conversation, duet, keep_answers
from ui.blind import Blind
from ui.chat_panel import Panel
from ui.conversation import MOST
from ui.duet import Duet
from ui.keep_answers import Keep
from ui.text import t


@dataclass(frozen=True, slots=True)
class Parts:
    """What handlers read and write; columns are numbered from 0."""

    talk: gr.State  # what was said, see ui.conversation
    sent: gr.Textbox  # what was in the input at Send
    pending: gr.State  # the question to ask next, "" for none
    unasked: gr.State  # one that could not be asked, on its way back into the input
    seen: gr.State  # which voices are offered, what status is shown, which names the columns have
    voices: gr.Dropdown
    status: gr.HTML
    unload: gr.Button
    summary: gr.HTML
    toggle: gr.Button
    boxes: dict[int, gr.Column]
    chats: dict[int, gr.Chatbot]
    lines: dict[int, gr.HTML]
    way: gr.HTML
    blind: Blind
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

    @property
    def columns(self) -> list:
        """What `chat_flow.drawn` and `chat_flow.columns` write."""
        shown = [*self.boxes.values(), *self.chats.values(), *self.lines.values(), self.way]
        return [*shown, self.blind.row, *self.blind.better.values()]


def lay_out() -> Parts:
    made: dict = {
        "talk": gr.State(conversation.new_talk([BASE])),
        "sent": gr.Textbox(visible=False),
        "pending": gr.State(""),
        "unasked": gr.State(""),
        "seen": gr.State(["", "", ""]),
    }
    made |= _bar()
    with gr.Row():
        with gr.Column(scale=4, min_width=300):
            made |= _columns()
            vote = {"on": made.pop("on"), **blind.vote_row()}
            made |= _asking()
            made["blind"] = Blind(**vote, **blind.votes_box())
            made["keep"] = keep_answers.lay_out()
            made["duet"] = duet.lay_out()
        made["panel"] = chat_panel.build()
    return Parts(**made)


def _bar() -> dict:
    made: dict = {}
    with gr.Row(elem_id="chat_bar"):
        made["voices"] = gr.Dropdown(
            [(t("chat_base_voice"), BASE)],
            value=[BASE],
            multiselect=True,
            max_choices=MOST,
            allow_custom_value=True,
            label=t("chat_voices"),
            info=t("chat_voices_help"),
            min_width=280,
            elem_id="chat_voices",
        )
        with gr.Row(elem_id="chat_bar_end"):
            made["on"] = blind.toggle()
            made["toggle"] = gr.Button(t("chat_settings"), elem_id="chat_toggle")
    with gr.Row(elem_id="chat_status_box"):
        made["status"] = gr.HTML(elem_id="chat_status", elem_classes="bare")
        made["unload"] = gr.Button(
            t("chat_unload"),
            visible=False,
            size="sm",
            elem_id="chat_unload",
            elem_classes="quiet-link",
        )
        made["summary"] = gr.HTML(elem_id="chat_summary", elem_classes="bare")
    return made


def _columns() -> dict:
    boxes, chats, lines = {}, {}, {}
    with gr.Row(elem_id="chat_columns"):
        for i in range(MOST):
            with gr.Column(min_width=280, visible=i == 0) as boxes[i]:
                chats[i] = gr.Chatbot(
                    label="",
                    height=400,
                    buttons=["copy"],
                    editable="user",
                    group_consecutive_messages=False,
                    feedback_options=None,
                    elem_id=f"chat_{i + 1}",
                    elem_classes="chat-voice",
                )
                lines[i] = gr.HTML(elem_id=f"chat_{i + 1}_line", elem_classes="bare")
    way = gr.HTML(cards.nothing(), elem_id="chat_way", elem_classes="bare")
    return {"boxes": boxes, "chats": chats, "lines": lines, "way": way}


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
