"""What of a chat is in memory: voices that are being loaded, and the line that says what is."""

from collections.abc import Iterator

import gradio as gr

from engine.chat import client
from ui import answers, cast, conversation
from ui.chat_parts import Parts
from ui.text import both, say


def load(voices: list[str], lang: str) -> Iterator[tuple[dict, str]]:
    """(what is loaded, its line): while it loads {} with what is being done, then the rest. Raises
    UserError."""
    model, load_in_4bit, load_in_8bit = cast.base_of(voices)
    status: dict = {}
    for status in client.loading(model, conversation.tuned(voices), load_in_4bit, load_in_8bit):
        if "doing" in status:
            words = say("chat_doing", lang, what=both(status["doing"]).in_language(lang))
            yield {}, answers.loading(words)
    yield status, answers.loaded(status, lang)


def standing(parts: Parts, status: dict | None, lang: str) -> dict:
    """What is in memory, and the button that gives it back."""
    unload = gr.Button(visible=bool(status))
    return {parts.status: answers.loaded(status, lang), parts.unload: unload}
