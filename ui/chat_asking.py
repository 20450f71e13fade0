"""Every way to ask in Chat (the input, a suggestion, a question from elsewhere, one asked before),
and second thoughts."""

import gradio as gr

from engine.chat import client
from engine.chat.sampling import seed_after
from ui import cards, chat_flow, conversation, own_settings
from ui.chat_panel import Panel
from ui.chat_parts import Parts
from ui.chosen import Chosen
from ui.events import LATEST, MODEL, QUICK, TELLING
from ui.text import language, say

TAKE = "(question) => [question, '']"


def wire(parts: Parts, chosen: Chosen) -> list:
    """Returns the events that ask; what begins another talk cancels them."""
    asks = [*_wire_questions(parts), _wire_elsewhere(parts, chosen), *_wire_once_more(parts)]
    _wire_second_thoughts(parts, asks)
    parts.stop.click(client.stop, None, None, **QUICK)
    return asks


def scene(parts: Parts) -> list:
    """All that depends on who speaks."""
    panel = parts.panel
    words = [parts.chips, parts.notice]
    begun = [parts.talk, parts.send, parts.stop, *parts.columns]
    return [parts.voices, *worn(panel), *words, *panel.own.outputs, *begun]


def worn(panel: Panel) -> list:
    """What a character changes in the side panel."""
    box = panel.box
    return [box.picker, box.greeting, box.train, *panel.manner]


def _wire_questions(parts: Parts) -> list:
    def send(question: str, pending: str, request: gr.Request):
        if question.strip():
            return question.strip(), cards.nothing()
        if pending:  # Enter twice
            return gr.skip(), gr.skip()
        said = say("chat_empty_question", language(request))
        return gr.skip(), cards.sentence(said, "mild")

    def clicked(event: gr.EventData):
        return event.question

    def give_back(question: str, words: str):
        return gr.skip() if words else question, ""

    # The input is emptied in the browser: what is typed into it from then on is the next question.
    taken = gr.on(
        [parts.send.click, parts.question.submit],
        None,
        parts.question,
        [parts.sent, parts.question],
        js=TAKE,
        **QUICK,
    )
    sent = taken.then(
        send, [parts.sent, parts.pending], [parts.pending, parts.notice], **QUICK, **LATEST
    )
    chip = parts.chips.click(clicked, None, parts.pending, **QUICK)
    # Unqueued, so that its own emptying is no change.
    parts.unasked.change(
        give_back, [parts.unasked, parts.question], [parts.question, parts.unasked], **QUICK
    )
    return [_then_ask(sent, parts), _then_ask(chip, parts)]


def _wire_elsewhere(parts: Parts, chosen: Chosen):
    """Another tab has a question for voices that it has chosen."""

    def from_elsewhere(
        request: gr.Request, question: str, talk: dict, voices: list[str], own, is_blind, *manner
    ):
        if not question:
            return {parts.pending: ""}
        lang = language(request)
        put_on = chat_flow.set_voices(parts, talk, voices, own, is_blind, manner, lang)
        return put_on | {parts.pending: question}

    how = [parts.panel.own.kept, parts.blind.on, *parts.panel.manner]
    elsewhere = chosen.question.change(
        from_elsewhere,
        [chosen.question, parts.talk, chosen.voices, *how],
        [*scene(parts), parts.pending],
        **QUICK,
    )
    asked = _then_ask(elsewhere, parts)
    asked.then(lambda: "", None, chosen.question, **TELLING)
    return asked


def _wire_once_more(parts: Parts) -> list:
    """Retry takes the next seeds; a question that is edited is asked anew."""
    own, seed = parts.panel.own, parts.panel.sampling["seed"]

    def retry(talk: dict, *seeds):
        return _retried(talk, 2 * len(talk["turns"]) - 1, *seeds)

    def retry_there(event: gr.RetryData, talk: dict, *seeds):
        return _retried(talk, event.index, *seeds)

    def _retried(talk: dict, message, now: float, kept: dict, whose: str):
        talk, question = conversation.up_to(talk, message)
        if not question:
            return {parts.pending: ""}
        kept = own_settings.with_next_seeds(kept)
        shown = kept.get(whose, {}).get("seed")
        asked = {parts.talk: talk, parts.pending: question, seed: seed_after(now or 0)}
        # At once, or Retry could be pressed again before the question stands there.
        asked |= chat_flow.speaking(parts)
        return asked | {own.kept: kept, own.fields["seed"]: shown}

    def edited(event: gr.EditData, talk: dict, marks: bool, is_blind: bool, request: gr.Request):
        words, lang = _words(event.value), language(request)
        if words:
            before = conversation.up_to(talk, event.index)[0]
            return {parts.talk: before, parts.pending: words}
        said = cards.sentence(say("chat_empty_question", lang), "mild")
        shown = chat_flow.drawn(parts, talk, marks, is_blind, lang)  # the browser has emptied it
        return shown | {parts.pending: "", parts.notice: said}

    again = [parts.talk, seed, own.kept, own.whose]
    outputs = [parts.talk, parts.pending, seed, own.kept, own.fields["seed"]]
    outputs += [parts.send, parts.stop]
    chats = parts.chats.values()
    wanted = [
        parts.retry.click(retry, again, outputs, **QUICK),
        gr.on([one.retry for one in chats], retry_there, again, outputs, **QUICK),
        gr.on(
            [one.edit for one in chats],
            edited,
            [parts.talk, parts.panel.marks, parts.blind.on],
            [parts.talk, parts.pending, parts.notice, *parts.columns],
            **QUICK,
        ),
    ]
    return [_then_ask(one, parts) for one in wanted]


def _then_ask(event, parts: Parts):
    """Asks what is pending; whatever happens, the input is ready again after it."""
    panel = parts.panel

    def begin(question: str, talk: dict, marks: bool, is_blind: bool, request: gr.Request):
        if not question:
            return {parts.pending: gr.skip()}
        return chat_flow.begin(parts, question, talk, marks, is_blind, language(request))

    def ask(request: gr.Request, question, talk, system, marks, is_blind, own, *values):
        if not question:  # nothing is asked, nor is anything any more
            yield chat_flow.ready(parts)
            return
        settings = {
            "system": system,
            "marks": marks,
            "blind": is_blind,
            "sampling": dict(zip(panel.sampling, values, strict=True)),
            "own": own_settings.read(own, talk["voices"]),
        }
        yield from chat_flow.ask(parts, question, talk, settings, language(request))

    buttons = [parts.send, parts.stop]
    begun = [parts.pending, parts.notice, *buttons, *parts.columns]
    outputs = [parts.talk, parts.unasked, parts.status, parts.unload, *begun]
    how = [panel.marks, parts.blind.on]
    drawn_from = [panel.own.kept, *panel.sampling.values()]
    inputs = [parts.pending, parts.talk, panel.system, *how, *drawn_from]
    started = event.then(begin, [parts.pending, parts.talk, *how], begun, **QUICK, **LATEST)
    # What is asked while voices speak, or load, comes after it.
    asked = started.then(ask, inputs, outputs, **MODEL, **LATEST)
    asked.failure(lambda: chat_flow.ready(parts), None, buttons, **QUICK)
    return asked


def _wire_second_thoughts(parts: Parts, asks: list) -> None:
    """Undo puts the last question back into the input; Clear begins anew, whoever speaks."""

    def undo(talk: dict, marks: bool, is_blind: bool, request: gr.Request):
        return _undone(talk, 2 * len(talk["turns"]) - 1, marks, is_blind, request)

    def undo_there(
        event: gr.UndoData, talk: dict, marks: bool, is_blind: bool, request: gr.Request
    ):
        return _undone(talk, event.index, marks, is_blind, request)

    def _undone(talk: dict, message, marks: bool, is_blind: bool, request: gr.Request):
        talk, question = conversation.up_to(talk, message)
        drawn = chat_flow.drawn(parts, talk, marks, is_blind, language(request))
        return drawn | {parts.talk: talk, parts.question: question or gr.skip()}

    def clear(talk: dict, marks: bool, is_blind: bool, request: gr.Request):
        talk = conversation.anew(talk)
        drawn = chat_flow.drawn(parts, talk, marks, is_blind, language(request))
        return drawn | chat_flow.ready(parts) | {parts.talk: talk}

    inputs = [parts.talk, parts.panel.marks, parts.blind.on]
    outputs = [parts.talk, parts.question, *parts.columns]
    parts.undo.click(undo, inputs, outputs, **TELLING)
    chats = parts.chats.values()
    gr.on([one.undo for one in chats], undo_there, inputs, outputs, **TELLING)
    gr.on(
        [parts.clear.click, *(one.clear for one in chats)],
        clear,
        inputs,
        [*outputs, parts.send, parts.stop],
        cancels=asks,
        **TELLING,
    ).then(*redrawing(parts), **QUICK, **LATEST)


def redrawing(parts: Parts) -> tuple:
    """(handler, inputs, outputs) that draw the talk as it stands. What is cancelled may have sent
    words that the browser shows only after those of the event that cancelled it."""

    def redraw(talk: dict, marks: bool, is_blind: bool, request: gr.Request):
        return chat_flow.drawn(parts, talk, marks, is_blind, language(request))

    return redraw, [parts.talk, parts.panel.marks, parts.blind.on], parts.columns


def _words(value) -> str:
    """What a Chatbot's edit event carries, as text: a plain string or a list of text parts."""
    if isinstance(value, str):
        return value.strip()
    return "".join(part["text"] for part in value if part["type"] == "text").strip()
