"""The Chat tab: up to four voices answer the same words side by side, in one stream."""

import gradio as gr

from engine.chat import adapters, client
from engine.chat.conversations import BASE
from engine.errors import UserError
from ui import (
    answers,
    batch_answers,
    cards,
    cast,
    character_box,
    chat_asking,
    chat_flow,
    chat_loading,
    chat_panel,
    conversation,
    duet,
    keep_answers,
    voting,
)
from ui.chat_parts import Parts, lay_out
from ui.chosen import Chosen
from ui.events import LATEST, MODEL, QUICK, TELLING
from ui.text import language, say


def build(chosen: Chosen, looks: list) -> Parts:
    """`looks`: the events at which runs and what is loaded are looked at anew."""
    parts = lay_out()
    chat_panel.wire(parts.panel, parts.toggle, parts.summary, chosen.sampling)
    asks = chat_asking.wire(parts, chosen)
    _wire_voices(parts, chosen, asks)
    _wire_panel(parts, asks)
    _wire_following(parts, chosen, looks)
    voting.wire(parts, looks)
    keep_answers.wire(parts.keep, parts.talk, chosen)
    duet.wire(parts.duet, parts.panel.sampling, parts.status, MODEL)
    batch_answers.build(chosen, parts.panel)
    return parts


def _wire_voices(parts: Parts, chosen: Chosen, asks: list) -> None:
    """Voices chosen here or elsewhere are put on, whoever speaks, then loaded."""

    def choose(picked: list[str], before: list[str], request: gr.Request):
        yield from _choose(parts, chosen, picked, before, language(request))

    def typed(event: gr.SelectData, picked: list[str], before: list[str], request: gr.Request):
        """Gradio's `input` does not come for what is typed, and its `select` comes before it is in
        the value."""
        if event.index >= 0 or not event.selected:  # one of the listed: `input` comes for it
            yield {parts.voices: gr.skip()}
            return
        picked = [*(one for one in picked if one != event.value), event.value]
        yield from _choose(parts, chosen, picked, before, language(request))

    def put_on(request: gr.Request, picked, talk, voices: list[str], own, is_blind: bool, *manner):
        return _put_on(parts, picked, talk, voices, own, is_blind, manner, language(request))

    def load(voices: list[str], request: gr.Request):
        lang = language(request)
        if voices == [BASE]:  # it waits for its first question
            yield {parts.status: gr.skip()}
            return
        try:
            for _, line in chat_loading.load(voices, lang):
                yield {parts.status: line}
            said = {}
        except UserError as error:
            said = {parts.notice: cards.sentence(error.sentence.in_language(lang))}
        yield chat_loading.standing(parts, client.status(), lang) | said

    def unload(request: gr.Request):
        lang, said = language(request), {}
        try:
            client.unload()
        except UserError as error:
            said = {parts.notice: cards.sentence(error.sentence.in_language(lang), "mild")}
        return chat_loading.standing(parts, client.status(), lang) | said

    standing = [parts.status, parts.unload]
    picking = [chosen.voices, parts.voices, parts.status, parts.notice]
    picked = [parts.voices, chosen.voices]
    parts.voices.input(choose, picked, picking, **TELLING, **LATEST)
    parts.voices.select(typed, picked, picking, **TELLING, **LATEST)
    panel = parts.panel
    inputs = [parts.voices, parts.talk, chosen.voices, panel.own.kept, parts.blind.on]
    inputs += panel.manner
    scene = chat_asking.scene(parts)
    worn = chosen.voices.change(put_on, inputs, scene, cancels=asks, **TELLING)
    worn.then(*chat_asking.redrawing(parts), **QUICK, **LATEST).then(
        load, chosen.voices, [*standing, parts.notice], **MODEL, **LATEST
    )
    # The running answer ends first, and what it said stays.
    parts.unload.click(client.stop, None, None, **QUICK).then(
        unload, None, [*standing, parts.notice], **MODEL
    )


def _choose(parts: Parts, chosen: Chosen, picked: list[str], before: list[str], lang: str):
    """Takes voices that can speak together; others are refused and the picker is as it was."""
    wanted = list(dict.fromkeys(one.strip() for one in picked if one.strip())) or [BASE]
    for voice in wanted:
        if voice != BASE and not adapters.is_here(voice):
            words = say("chat_fetching", lang, what=voice)
            yield {parts.status: cards.waiting(words), parts.notice: cards.nothing()}
    standing = {parts.status: answers.loaded(client.status(), lang)}
    try:
        cast.base_of(wanted)
    except UserError as error:
        said = cards.sentence(error.sentence.in_language(lang))
        yield standing | {parts.voices: gr.Dropdown(value=before), parts.notice: said}
        return
    # One more may have been picked meanwhile: the picker is left alone where it can be.
    shown = gr.skip() if wanted == picked else gr.Dropdown(value=wanted)
    yield standing | {
        chosen.voices: wanted,
        parts.voices: shown,
        parts.notice: cards.nothing(),
    }


def _put_on(parts: Parts, picked, talk, voices, own, is_blind, manner, lang: str) -> dict:
    """The voices with all that depends on them; `picked` is what the picker says by now."""
    if talk["voices"] == voices:  # `choose` and `typed` at once: Gradio tells of it twice
        return {parts.talk: gr.skip()}
    updates = chat_flow.set_voices(parts, talk, voices, own, is_blind, manner, lang)
    if picked != talk["voices"]:  # chosen there, where one more may have been picked meanwhile
        updates[parts.voices] = gr.Dropdown(cast.choices(lang))
    return updates


def _wire_panel(parts: Parts, asks: list) -> None:
    """Another character or greeting begins anew, whoever speaks; marks come and go on what was
    said."""

    def change_character(
        request: gr.Request, character: str | None, talk: dict, is_blind: bool, *manner
    ):
        if character is None:
            return {parts.talk: gr.skip()}
        voices, lang = talk["voices"], language(request)
        return chat_flow.set_character(parts, voices, character, is_blind, manner, lang)

    def change_greeting(
        request: gr.Request, greeting: int, character: str, talk: dict, is_blind: bool, *manner
    ):
        voices, lang = talk["voices"], language(request)
        return chat_flow.set_character(parts, voices, character, is_blind, manner, lang, greeting)

    def redraw(talk: dict, marks: bool, request: gr.Request):
        return chat_flow.shown(parts, talk, marks, language(request))

    panel, box = parts.panel, parts.panel.box
    talk = [parts.talk, parts.blind.on, *panel.manner]
    buttons = [parts.send, parts.stop]
    outputs = [parts.talk, *buttons, *chat_asking.worn(panel), parts.chips, *parts.columns]
    begins = {"cancels": asks, **TELLING, **LATEST}
    for began in (
        box.picker.input(change_character, [box.picker, *talk], outputs, **begins),
        box.greeting.input(change_greeting, [box.greeting, box.picker, *talk], outputs, **begins),
    ):
        began.then(*chat_asking.redrawing(parts), **QUICK, **LATEST)
    for event in character_box.wire(box, panel.sampling):
        event.then(change_character, [box.wanted, *talk], outputs, **TELLING)
    panel.marks.input(redraw, [parts.talk, panel.marks], parts.columns, **QUICK, **LATEST)


def _wire_following(parts: Parts, chosen: Chosen, looks: list) -> None:
    """Runs that come, go or get another name, and what the chat process holds. At the first look
    also what the base's column invites to: a page that opens on another tab need not say it."""

    def follow(
        request: gr.Request, seen: list[str], talk, voices, own, is_blind, marks: bool, *manner
    ):
        lang = language(request)
        names, status = cast.choices(lang), client.status()
        called = seen[2] if client.is_speaking() else repr(names)  # a new name waits for the answer
        now, left = [repr(names), repr(status), called], cast.left(voices) or [BASE]
        gone = [voice for voice in voices if voice not in left]
        if now == seen and not gone:
            return {parts.seen: gr.skip()}
        updates: dict = {parts.seen: now}
        if not any(seen) and voices == [BASE]:
            updates |= chat_flow.first_look(parts, lang)
        if now[0] != seen[0]:
            updates[parts.voices] = gr.Dropdown(names)
        if now[1] != seen[1]:
            updates |= chat_loading.standing(parts, status, lang)
        if called != seen[2] and any(seen):
            updates |= chat_flow.renamed(parts, talk, is_blind, lang)
            updates |= chat_loading.standing(parts, status, lang)
        if gone:
            before, talk = talk["voices"], conversation.without_the_gone(talk, left)
            scene = (parts, talk, left, own, is_blind, manner, lang, before)
            updates |= chat_flow.set_voices(*scene)
            if talk["turns"]:
                updates |= chat_flow.drawn(parts, talk, marks, is_blind, lang)
            updates |= keep_answers.renamed(parts.keep, talk, lang, one_is_gone=True)
            said = say("chat_gone", lang, names=say("chat_comma", lang).join(gone))
            updates |= {chosen.voices: left, parts.notice: cards.sentence(said, "mild")}
        return updates

    inputs = [parts.seen, parts.talk, chosen.voices, parts.panel.own.kept, parts.blind.on]
    inputs += [parts.panel.marks, *parts.panel.manner]
    outputs = [parts.seen, parts.status, parts.unload, chosen.voices, *chat_asking.scene(parts)]
    outputs.append(parts.keep.whose)
    gr.on(looks, follow, inputs, outputs, **QUICK)
