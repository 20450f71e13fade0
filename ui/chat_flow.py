"""What happens in a chat, as updates of the page: a voice put on, a question, streaming answers."""

from collections.abc import Iterator

import gradio as gr

from engine.characters import Character
from engine.chat import client
from engine.chat.conversations import history
from engine.config import TrainConfig
from engine.errors import UserError
from ui import answers, cards, character_box, conversation
from ui.chat_parts import Parts
from ui.conversation import COLUMNS
from ui.text import say

WHOLE = ("top_k", "max_new_tokens", "seed")


def set_voice(parts: Parts, talk: dict, voice: str, lang: str) -> dict:
    """Puts a run's voice on: its character, its system prompt, its suggested questions."""
    notice = cards.nothing()
    try:
        config = conversation.config_of(voice)
    except UserError as error:
        notice = cards.sentence(error.sentence.in_language(lang))
        voice, config = "", conversation.config_of("")
    character = conversation.character_of(config) if voice else None
    labels = {
        "base": say("chat_base", lang, model=conversation.model_name(config)),
        "tuned": conversation.name_of(voice) if voice else say("chat_tuned_none", lang),
    }
    fresh = conversation.talk_with(talk, voice)
    if fresh is not talk and character:
        greeting = character_box.greeting_of(character)
        fresh = conversation.new_talk(voice, character.id, greeting)
    updates = columns(parts, fresh, character, labels, lang)
    return updates | {
        parts.talk: fresh,
        parts.voice: gr.Dropdown(voice_choices(lang), value=voice),
        **worn(parts, character, lang),
        parts.panel.system: config.system_prompt if voice else "",
        parts.chips: answers.chips(suggestions(character, config, voice, lang), lang),
        parts.notice: notice,
    }


def set_character(
    parts: Parts, voice: str, character_id: str, lang: str, greeting: int = 0
) -> dict:
    """Another character, or another greeting (-1 for none), begins another conversation."""
    character = conversation.card(character_id)
    config = conversation.config_of(voice)
    opening = character_box.greeting_of(character, greeting)
    talk = conversation.new_talk(voice, character_id if character else "", opening)
    return columns(parts, talk, character, {}, lang) | {
        **worn(parts, character, lang, greeting),
        parts.talk: talk,
        parts.panel.system: character.system_prompt if character else gr.skip(),
        parts.chips: answers.chips(suggestions(character, config, voice, lang), lang),
    }


def worn(parts: Parts, character: Character | None, lang: str, greeting: int = 0) -> dict:
    """The side panel with a character put on, and what the card asks of the sampling."""
    asked = character.sampling if character else {}
    return character_box.put_on(parts.panel.box, character, lang, greeting) | {
        parts.panel.sampling[name]: value for name, value in asked.items()
    }


def columns(parts: Parts, talk: dict, character: Character | None, labels: dict, lang: str) -> dict:
    """The columns of a talk: who speaks; when it begins, a greeting or what to do."""
    updates, pictures = {}, [None, character_box.picture(character)]
    for column in COLUMNS:
        changes: dict = {"label": labels[column]} if labels else {}
        changes["avatar_images"] = pictures
        words = say("chat_invite" if talk["voice"] else "chat_invite_base", lang)
        if column == "tuned" and not talk["voice"]:
            changes["placeholder"] = answers.invitation(say("chat_no_voice", lang))
        else:
            changes["placeholder"] = answers.invitation(words)
        if not talk["turns"]:
            speaks = column == "base" or talk["voice"]
            changes["value"] = answers.messages(talk, column, False) if speaks else []
            updates[parts.lines[column]] = cards.nothing()
        updates[parts.chats[column]] = gr.Chatbot(**changes)
    return updates


def suggestions(
    character: Character | None, config: TrainConfig, voice: str, lang: str
) -> list[str]:
    """The character's questions, else the run's fixed questions, else everyday ones."""
    if character and character.suggestions:
        return character.suggestions
    asked = [line.strip() for line in config.sample_prompts.splitlines() if line.strip()]
    return asked[:6] if voice and asked else say("chat_try_base", lang).split("\n")


def shown(parts: Parts, talk: dict, marks: bool, lang: str) -> dict:
    """Both columns and the lines under them."""
    spoken = COLUMNS if talk["voice"] else ("base",)
    updates: dict = {}
    for column in spoken:
        updates[parts.chats[column]] = answers.messages(talk, column, marks)
        updates[parts.lines[column]] = (
            answers.line(talk["turns"][-1], column, lang) if talk["turns"] else cards.nothing()
        )
    return updates


def ask(
    parts: Parts,
    question: str,
    talk: dict,
    settings: dict,
    lang: str,
) -> Iterator[dict]:
    """Streams what both voices say. settings: system, marks, and the sampling by name."""
    sampling = {name: number(name, value) for name, value in settings["sampling"].items()}
    turn = {"question": question, "answers": {}, "sampling": sampling}
    before, talk = talk, talk | {"turns": [*talk["turns"], turn]}
    marks = settings["marks"]
    try:
        status: dict = {}
        for now, line in load(talk["voice"], lang):
            status = now or {}
            yield {parts.status: line}
        spoken = dict(zip(status["voices"], COLUMNS, strict=False))
        histories = {
            voice: history(talk, column, settings["system"]) for voice, column in spoken.items()
        }
        for heard in client.chat(histories, **sampling):
            turn["answers"] = {spoken[voice]: dict(answer) for voice, answer in heard.items()}
            if not all(answer["done"] for answer in heard.values()):
                yield shown(parts, talk, marks, lang)
    except UserError as error:
        yield (
            ready(parts)
            | shown(parts, before, marks, lang)
            | {
                parts.talk: before,
                parts.question: question,
                parts.status: loaded(client.status(), lang),
                parts.notice: cards.sentence(error.sentence.in_language(lang)),
            }
        )
        return
    yield ready(parts) | shown(parts, talk, marks, lang) | {parts.talk: talk}


def ready(parts: Parts) -> dict:
    """The next question may come."""
    return {parts.send: gr.Button(visible=True), parts.stop: gr.Button(visible=False)}


def begin(parts: Parts, question: str, talk: dict, marks: bool, lang: str) -> dict:
    """The question stands there at once, whatever the answer has to wait for."""
    turn = {"question": question, "answers": {}}
    return shown(parts, talk | {"turns": [*talk["turns"], turn]}, marks, lang) | {
        parts.send: gr.Button(visible=False),
        parts.stop: gr.Button(visible=True),
        parts.notice: cards.nothing(),
    }


def load(voice: str, lang: str) -> Iterator[tuple[dict | None, str]]:
    """The engine's status and its line: while it loads, when that is needed, and when it has."""
    config = conversation.config_of(voice)
    status = client.status()
    if not status or status["voices"][1:] != ([voice] if voice else []):
        yield status, answers.loading(what(voice, lang), lang)
    status = client.load(
        config.model_name_or_path,
        [voice] if voice else [],
        load_in_4bit=config.load_in_4bit,
        load_in_8bit=config.load_in_8bit,
    )
    yield status, loaded(status, lang)


def loaded(status: dict | None, lang: str) -> str:
    """The line that says what is in memory, with names where the engine says ids."""
    names = [conversation.name_of(voice) for voice in status["voices"][1:]] if status else []
    return answers.loaded(status, names, lang)


def voice_choices(lang: str) -> list[tuple[str, str]]:
    return [(say("chat_voice_none", lang), ""), *conversation.voices()]


def what(voice: str, lang: str) -> str:
    """Base and voice by their names."""
    base = conversation.model_name(conversation.config_of(voice))
    if not voice:
        return base
    return say("chat_and", lang, base=base, voice=conversation.name_of(voice))


def number(name: str, value: float | None) -> float | int:
    return int(value or 0) if name in WHOLE else float(value or 0.0)
