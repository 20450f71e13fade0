"""What happens in a chat, as updates of the page: voices put on, a question, streaming answers."""

import time
from collections.abc import Iterator, Sequence

import gradio as gr

from engine.characters import Character
from engine.chat import client
from engine.chat.adapters import Adapter
from engine.chat.conversations import BASE, history
from engine.errors import UserError
from ui import (
    answers,
    cards,
    cast,
    character_box,
    chat_loading,
    chat_panel,
    conversation,
    keep_answers,
    own_settings,
    proof,
)
from ui.chat_parts import Parts
from ui.conversation import LETTERS
from ui.own_settings import number
from ui.text import say

SECONDS_A_LOOK = 0.08  # each makes the browser work, and nobody reads faster


def set_voices(
    parts: Parts,
    talk: dict,
    voices: list[str],
    own: dict,
    is_blind: bool,
    manner: Sequence,
    lang: str,
    before: list[str] | None = None,
) -> dict:
    """Puts voices on: their names, the first tuned one's character, system prompt and suggested
    questions, and what each has of its `own`. While that one stays, so do the character, greeting
    and prompt that a person may have chosen. `manner` are the values of the panel's; `before` who
    spoke until now, where those of the talk are others already."""
    notice = cards.nothing()
    try:
        adapter, prompts = cast.lead(voices), cast.system_prompts(voices)
    except UserError as error:
        notice = cards.sentence(error.sentence.in_language(lang))
        voices, adapter, prompts = [BASE], None, [""]
    stays = conversation.tuned(voices)[:1] == conversation.tuned(before or talk["voices"])[:1]
    character = cast.card(talk["character"]) if stays else cast.character_of(adapter)
    goes_on = stays or talk["turns"]  # what another character opened and nobody answered does not
    fresh = conversation.talk_with(talk, voices) if goes_on else conversation.new_talk(voices)
    if fresh is not talk and character:
        greeting = talk["greeting"] if stays else character_box.greeting_of(character)
        fresh = conversation.new_talk(voices, character.id, greeting)
    put_on = {}
    if not stays:
        put_on = worn(parts, character, prompts[0], _without_system(manner), lang)
        put_on |= {parts.panel.system: prompts[0]}
    names = {voice: cast.name_of(voice, lang) for voice in voices}
    known = talk["voices"] if stays else []  # else the prompt for all is another's from now on
    fold = own_settings.put_on(parts.panel.own, own, known, names, prompts, lang)
    shown = columns(parts, fresh, character, is_blind, lang)
    return (
        shown
        | fold
        | put_on
        | {
            parts.talk: fresh,
            parts.voices: gr.Dropdown(cast.choices(lang), value=voices),
            parts.chips: answers.chips(suggestions(character, adapter, lang), lang),
            parts.notice: notice,
        }
        | ready(parts)
    )


def first_look(parts: Parts, lang: str) -> dict:
    """What the base's empty column says, and what may be asked of it; nothing that a person may
    have begun already when this arrives."""
    invitation = answers.invitation(say("chat_invite_alone", lang))
    return {
        parts.chats[0]: gr.Chatbot(label=_label(BASE, [BASE], lang), placeholder=invitation),
        parts.chips: answers.chips(suggestions(None, None, lang), lang),
        parts.panel.box.picker: gr.Dropdown(character_box.choices(lang), value=""),
    }


def set_character(
    parts: Parts,
    voices: list[str],
    character_id: str,
    is_blind: bool,
    manner: Sequence,
    lang: str,
    greeting: int = 0,
) -> dict:
    """Another character, or another greeting (-1 for none), begins another conversation."""
    character = cast.card(character_id)
    opening = character_box.greeting_of(character, greeting)
    system = character.system_prompt if character else ""
    talk = conversation.new_talk(voices, character_id if character else "", opening)
    asked = suggestions(character, cast.lead(cast.left(voices)), lang)
    return columns(parts, talk, character, is_blind, lang) | {
        **ready(parts),
        **worn(parts, character, system, manner, lang, greeting),
        parts.talk: talk,
        parts.chips: answers.chips(asked, lang),
    }


def worn(
    parts: Parts,
    character: Character | None,
    system: str,
    manner: Sequence,
    lang: str,
    greeting: int = 0,
) -> dict:
    """The side panel with a character put on or taken off: who it is, and how it speaks under this
    system prompt."""
    asked = {"system": system, **character.sampling} if character else {}
    shown = character_box.put_on(parts.panel.box, character, lang, greeting)
    return shown | chat_panel.put_on(parts.panel, manner, asked)


def _without_system(manner: Sequence) -> Sequence:
    """Other voices come with a prompt of their own: the one of those before does not come back."""
    stood, _, *sampling = manner
    return [stood, "", *sampling]


def columns(
    parts: Parts, talk: dict, character: Character | None, is_blind: bool, lang: str
) -> dict:
    """The columns of a talk: how many, who speaks; when it begins, a greeting and what to do."""
    voices, updates = talk["voices"], {}
    labels = labels_of(talk, is_blind, lang)
    for i, box in parts.boxes.items():
        updates[box] = gr.Column(visible=i < len(voices))
        if i >= len(voices):
            continue
        words = say("chat_invite" if len(voices) > 1 else "chat_invite_alone", lang)
        changes: dict = {"label": labels[i], "placeholder": answers.invitation(words)}
        changes["avatar_images"] = [None, character_box.picture(character)]
        if not talk["turns"]:
            changes["value"] = answers.messages(talk, i, False, lang)
            updates[parts.lines[i]] = cards.nothing()
        updates[parts.chats[i]] = gr.Chatbot(**changes)
    if not talk["turns"]:
        updates[parts.way] = cards.nothing()
    return updates


def renamed(parts: Parts, talk: dict, is_blind: bool, lang: str) -> dict:
    """The voices' names as they are now, wherever they stand."""
    labels = labels_of(talk, is_blind, lang)
    names = {voice: cast.name_of(voice, lang) for voice in talk["voices"]}
    return (
        {parts.chats[i]: gr.Chatbot(label=label) for i, label in enumerate(labels)}
        | own_settings.renamed(parts.panel.own, names)
        | keep_answers.renamed(parts.keep, talk, lang)
    )


def labels_of(talk: dict, is_blind: bool, lang: str) -> list[str]:
    """Names, or letters where names would tell."""
    voices, turns = talk["voices"], talk["turns"]
    nameless = turns[-1].get("hidden", False) if turns else is_blind and len(voices) > 1
    if nameless:
        return [say("blind_letter", lang, letter=letter) for letter in LETTERS[: len(voices)]]
    shown = conversation.order(turns[-1], voices) if turns else voices
    return [_label(voice, voices, lang) for voice in shown]


def _label(voice: str, voices: list[str], lang: str) -> str:
    if voice != BASE:
        return cast.name_of(voice, lang)
    return say("chat_base", lang, model=cast.model_name(cast.base_of(cast.left(voices))[0]))


def suggestions(character: Character | None, adapter: Adapter | None, lang: str) -> list[str]:
    """The character's questions, else the run's fixed questions, else everyday ones."""
    if character and character.suggestions:
        return character.suggestions
    prompts = adapter.run.config.sample_prompts if adapter and adapter.run else ""
    asked = [line.strip() for line in prompts.splitlines() if line.strip()]
    return asked[:6] or say("chat_try_base", lang).split("\n")


def shown(parts: Parts, talk: dict, marks: bool, lang: str) -> dict:
    """All columns and the lines under them, as they change while voices speak."""
    updates: dict = {}
    turns = talk["turns"]
    for i in range(len(talk["voices"])):
        voice = conversation.order(turns[-1], talk["voices"])[i] if turns else ""
        updates[parts.chats[i]] = answers.messages(talk, i, marks, lang)
        updates[parts.lines[i]] = proof.line(turns[-1], voice, lang) if turns else cards.nothing()
    return updates


def drawn(parts: Parts, talk: dict, marks: bool, is_blind: bool, lang: str) -> dict:
    """The columns with their names, which way they were spoken, and the vote, while nobody
    speaks."""
    updates = shown(parts, talk, marks, lang)
    for i, label in enumerate(labels_of(talk, is_blind, lang)):
        updates[parts.chats[i]] = gr.Chatbot(label=label, value=updates[parts.chats[i]])
    waits = conversation.waits_for_a_vote(talk)
    updates[parts.blind.row] = gr.Row(visible=waits)
    for i, button in parts.blind.better.items():
        updates[button] = gr.Button(visible=waits and i < len(talk["voices"]))
    turns = talk["turns"]
    methods = cast.methods(talk["voices"]) if turns else []
    way = proof.way(turns[-1], methods, lang) if turns else cards.nothing()
    return updates | {parts.way: way}


def ask(parts: Parts, question: str, talk: dict, settings: dict, lang: str) -> Iterator[dict]:
    """Streams what the voices say. settings: system, marks, blind, the sampling by name, and
    `own`: what single voices have of their own, as `own_settings.read` gives it."""
    sampling = {name: number(name, value) for name, value in settings["sampling"].items()}
    before, voices, marks = talk, talk["voices"], settings["marks"]
    systems, own = settings["own"]
    system = {voice: systems.get(voice, settings["system"]) for voice in voices}
    turn = {"question": question, "system": system, "answers": {}, "sampling": sampling}
    if settings["blind"] and len(voices) > 1:
        turn = conversation.blinded(turn, voices)
    talk = talk | {"turns": [*talk["turns"], turn]}
    histories = {voice: history(talk, voice) for voice in voices}
    yield {parts.pending: "", **speaking(parts)}
    try:
        for status, line in chat_loading.load(voices, lang):
            turn["model"] = status.get("model")
            yield {parts.status: line}
        drawn_at = 0.0
        for heard in client.chat(histories, own, status, **sampling):
            turn["answers"] = {voice: dict(answer) for voice, answer in heard.items()}
            done = all(answer["done"] for answer in heard.values())
            if not done and time.monotonic() - drawn_at > SECONDS_A_LOOK:
                drawn_at = time.monotonic()
                yield shown(parts, talk, marks, lang)
    except UserError as error:
        yield (
            ready(parts)
            | drawn(parts, before, marks, settings["blind"], lang)
            | chat_loading.standing(parts, client.status(), lang)
            | {
                parts.talk: before,
                parts.unasked: question,
                parts.notice: cards.sentence(error.sentence.in_language(lang)),
            }
        )
        return
    if any(answer["stopped_by"] == "stop" for answer in turn["answers"].values()):
        turn["hidden"] = False  # half an answer is not judged
    yield (
        ready(parts)
        | drawn(parts, talk, marks, settings["blind"], lang)
        | chat_loading.standing(parts, client.status(), lang)
        | {parts.talk: talk}
    )


def ready(parts: Parts) -> dict:
    """The next question may come."""
    return {parts.send: gr.Button(visible=True), parts.stop: gr.Button(visible=False)}


def begin(parts: Parts, question: str, talk: dict, marks: bool, is_blind: bool, lang: str) -> dict:
    """The question stands there at once, whatever the answer has to wait for."""
    turn = {"question": question, "answers": {}}
    if is_blind and len(talk["voices"]) > 1:
        turn["hidden"] = True
    talk = talk | {"turns": [*talk["turns"], turn]}
    beginning = speaking(parts) | {parts.notice: cards.nothing()}
    return drawn(parts, talk, marks, is_blind, lang) | beginning


def speaking(parts: Parts) -> dict:
    """Stop stands where Send stood; while it does, chat.css hides what would change the talk."""
    return {parts.send: gr.Button(visible=False), parts.stop: gr.Button(visible=True)}
