"""The Chat tab: the base and a tuned voice answer the same words side by side, in one stream."""

import gradio as gr
from gradio.context import Context

from engine.chat import client
from engine.errors import UserError
from ui import batch_answers, cards, chat_flow, chat_panel, conversation
from ui.chat_panel import QUIET, TELLING
from ui.chat_parts import Parts, lay_out
from ui.chosen import Chosen
from ui.text import language, say

# Whatever touches the model waits for whatever does: one group, one at a time.
MODEL = {
    "concurrency_id": "chat",
    "concurrency_limit": 1,
    "show_progress": "hidden",
    "api_visibility": "private",
}


def build(chosen: Chosen) -> None:
    parts = lay_out()
    chat_panel.wire(parts.panel, parts.toggle, parts.summary, chosen.sampling)
    _wire_voice(parts, chosen)
    _wire_panel(parts)
    _wire_following(parts, chosen)
    _wire_questions(parts, chosen)
    _wire_second_thoughts(parts)
    batch_answers.build(chosen, parts.panel)


def _columns(parts: Parts) -> list:
    return [*parts.chats.values(), *parts.lines.values()]


def _scene(parts: Parts) -> list:
    """All that depends on whose adapter speaks."""
    panel = parts.panel
    chosen_words = [panel.character, panel.system, parts.chips, parts.notice]
    return [parts.talk, parts.voice, *chosen_words, *_columns(parts)]


def _wire_voice(parts: Parts, chosen: Chosen) -> None:
    """A voice chosen here or elsewhere is put on, then loaded."""

    def put_on(talk: dict, voice: str, request: gr.Request):
        return chat_flow.set_voice(parts, talk, voice, language(request))

    def first(talk: dict, voice: str, request: gr.Request):
        lang = language(request)
        status = {parts.status: chat_flow.loaded(client.status(), lang)}
        return chat_flow.set_voice(parts, talk, voice, lang) | status

    def load(voice: str, request: gr.Request):
        lang = language(request)
        if not voice:
            return
        try:
            for _, line in chat_flow.load(voice, lang):
                yield {parts.status: line}
        except UserError as error:
            yield {
                parts.status: chat_flow.loaded(client.status(), lang),
                parts.notice: cards.sentence(error.sentence.in_language(lang)),
            }

    parts.voice.input(lambda voice: voice, parts.voice, chosen.voice, **TELLING)
    inputs = [parts.talk, chosen.voice]
    Context.root_block.load(first, inputs, [*_scene(parts), parts.status], **QUIET)
    chosen.voice.change(put_on, inputs, _scene(parts), **QUIET).then(
        load, chosen.voice, [parts.status, parts.notice], **MODEL
    )


def _wire_panel(parts: Parts) -> None:
    """Another character begins anew; marks come and go on what was said."""

    def change_character(character: str, talk: dict, request: gr.Request):
        return chat_flow.set_character(parts, talk["voice"], character, language(request))

    def redraw(talk: dict, marks: bool, request: gr.Request):
        return chat_flow.shown(parts, talk, marks, language(request))

    panel = parts.panel
    panel.character.input(
        change_character,
        [panel.character, parts.talk],
        [parts.talk, panel.system, parts.chips, *_columns(parts)],
        **QUIET,
    )
    panel.marks.input(redraw, [parts.talk, panel.marks], _columns(parts), **QUIET)


def _wire_following(parts: Parts, chosen: Chosen) -> None:
    """Runs that come, go or get another name, and what the chat process holds."""

    def follow(seen: list[str], talk: dict, voice: str, request: gr.Request):
        lang = language(request)
        names, status = conversation.voices(), client.status()
        now = [repr(names), repr(status)]
        if now == seen:
            return {parts.seen: gr.skip()}
        updates: dict = {parts.seen: now}
        if now[0] != seen[0]:
            updates[parts.voice] = gr.Dropdown(chat_flow.voice_choices(lang))
        if now[1] != seen[1]:
            updates[parts.status] = chat_flow.loaded(status, lang)
        if voice and voice not in dict(names).values():
            updates |= chat_flow.set_voice(parts, talk, "", lang) | {chosen.voice: ""}
        return updates

    outputs = [parts.seen, parts.status, chosen.voice, *_scene(parts)]
    chosen.slow.tick(follow, [parts.seen, parts.talk, chosen.voice], outputs, **QUIET)


def _wire_questions(parts: Parts, chosen: Chosen) -> None:
    """Every way to ask: the input, a suggestion, a question from elsewhere, one asked before."""

    def send(question: str, request: gr.Request):
        if question.strip():
            return question.strip(), "", cards.nothing()
        said = say("chat_empty_question", language(request))
        return "", question, cards.sentence(said, "mild")

    def from_elsewhere(question: str, talk: dict, voice: str, request: gr.Request):
        if not question:
            return {parts.pending: ""}
        return chat_flow.set_voice(parts, talk, voice, language(request)) | {
            parts.pending: question
        }

    def retry(talk: dict, seed: float):
        talk, question = conversation.up_to(talk, 2 * len(talk["turns"]) - 1)
        return talk, question, (seed or 0) + (1 if question else 0)

    def retry_there(event: gr.RetryData, talk: dict, seed: float):
        talk, question = conversation.up_to(talk, event.index)
        return talk, question, (seed or 0) + 1

    def edited(event: gr.EditData, talk: dict):
        return conversation.up_to(talk, event.index)[0], _words(event.value)

    seed = parts.panel.sampling["seed"]
    again, outputs = [parts.talk, seed], [parts.talk, parts.pending, seed]
    asked = [
        gr.on(
            [parts.send.click, parts.question.submit],
            send,
            parts.question,
            [parts.pending, parts.question, parts.notice],
            **QUIET,
        ),
        parts.chips.click(_asked_by_click, None, parts.pending, **QUIET),
        parts.retry.click(retry, again, outputs, **QUIET),
    ]
    for chat in parts.chats.values():
        asked.append(chat.retry(retry_there, again, outputs, **QUIET))
        asked.append(chat.edit(edited, parts.talk, [parts.talk, parts.pending], **QUIET))
    for event in asked:
        _then_ask(event, parts)
    elsewhere = chosen.question.change(
        from_elsewhere,
        [chosen.question, parts.talk, chosen.voice],
        [*_scene(parts), parts.pending],
        **QUIET,
    )
    _then_ask(elsewhere, parts).then(lambda: "", None, chosen.question, **TELLING)
    parts.stop.click(client.stop, None, None, **QUIET)


def _asked_by_click(event: gr.EventData) -> str:
    return event.question


def _then_ask(event, parts: Parts):
    """Asks what is pending; whatever happens, the input is ready again after it."""
    panel = parts.panel

    def begin(question: str, talk: dict, marks: bool, request: gr.Request):
        if not question:
            return {parts.pending: gr.skip()}
        return chat_flow.begin(parts, question, talk, marks, language(request))

    def ask(request: gr.Request, question, talk, system, marks, *values):
        if not question:  # a generator that yields nothing would empty its outputs
            yield {parts.talk: gr.skip()}
            return
        settings = {
            "system": system,
            "marks": marks,
            "sampling": dict(zip(panel.sampling, values, strict=True)),
        }
        yield from chat_flow.ask(parts, question, talk, settings, language(request))

    buttons = [parts.send, parts.stop]
    begun = [parts.pending, parts.notice, *buttons, *_columns(parts)]
    outputs = [parts.talk, parts.question, parts.status, *begun[1:]]
    inputs = [parts.pending, parts.talk, panel.system, panel.marks, *panel.sampling.values()]
    started = event.then(begin, [parts.pending, parts.talk, panel.marks], begun, **QUIET)
    asked = started.then(ask, inputs, outputs, **MODEL)
    asked.failure(lambda: chat_flow.ready(parts), None, buttons, **QUIET)
    return asked


def _wire_second_thoughts(parts: Parts) -> None:
    """Undo puts the last question back into the input; Clear begins anew."""

    def undo(talk: dict, marks: bool, request: gr.Request):
        return _undone(talk, 2 * len(talk["turns"]) - 1, marks, request)

    def undo_there(event: gr.UndoData, talk: dict, marks: bool, request: gr.Request):
        return _undone(talk, event.index, marks, request)

    def _undone(talk: dict, message, marks: bool, request: gr.Request):
        talk, question = conversation.up_to(talk, message)
        drawn = chat_flow.shown(parts, talk, marks, language(request))
        return drawn | {parts.talk: talk, parts.question: question or gr.skip()}

    def clear(talk: dict, marks: bool, request: gr.Request):
        talk = conversation.new_talk(talk["voice"])
        return chat_flow.shown(parts, talk, marks, language(request)) | {parts.talk: talk}

    inputs = [parts.talk, parts.panel.marks]
    outputs = [parts.talk, parts.question, *_columns(parts)]
    parts.undo.click(undo, inputs, outputs, **QUIET)
    for chat in parts.chats.values():
        chat.undo(undo_there, inputs, outputs, **QUIET)
        chat.clear(clear, inputs, outputs, **QUIET)
    parts.clear.click(clear, inputs, outputs, **QUIET)


def _words(value) -> str:
    """What a Chatbot's edit event carries, as text: a plain string or a list of text parts."""
    if isinstance(value, str):
        return value.strip()
    return "".join(part["text"] for part in value if part["type"] == "text").strip()
