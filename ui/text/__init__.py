"""Every word of the page, in English and Chinese: one module of `WORDS` a tab, keys named after it.

Static text is translated in the browser (`t`), text composed in a handler in Python (`say`).
"""

import dataclasses
import importlib
import pkgutil

import gradio as gr

from engine.config import GROUPS, TrainConfig
from engine.errors import Sentence

LANGUAGES = ("en", "zh")
_SESSIONS_KEPT = 1000
_switched: dict[str, str] = {}  # by session, where Gradio's language switch was used


def _all_words() -> dict[str, Sentence]:
    """The words of all modules here, and those of the options, which live in engine.config."""
    words = {}
    for module in pkgutil.iter_modules(__path__):
        words |= importlib.import_module(f"{__name__}.{module.name}").WORDS
    for one in dataclasses.fields(TrainConfig):
        words[f"option_{one.name}"] = one.metadata["label"]
        words[f"option_{one.name}_help"] = one.metadata["help"]
    return words | {f"group_{name}": title for name, title in GROUPS.items()}


WORDS = _all_words()
i18n = gr.I18n(
    en={key: one.en for key, one in WORDS.items()}, zh={key: one.zh for key, one in WORDS.items()}
)


def t(key: str):
    """A word that the browser puts into the person's language: labels, titles, buttons."""
    assert key in WORDS, key
    return i18n(key)


def say(key: str, language: str, **values) -> str:
    """A sentence in one language, with its values filled in."""
    sentence = WORDS[key].in_language(language)
    return sentence.format(**values) if values else sentence


def switch(request: gr.Request, language: str) -> None:
    """From now on this open page is spoken to in this language."""
    _switched.pop(request.session_hash, None)
    while len(_switched) >= _SESSIONS_KEPT:
        del _switched[next(iter(_switched))]  # whose page was switched the longest ago
    _switched[request.session_hash] = language if language in LANGUAGES else "en"


def language(request: gr.Request | None) -> str:
    """What the page was switched to; without that "zh" when the browser asks for Chinese before all
    else, otherwise "en"."""
    if request and request.session_hash in _switched:
        return _switched[request.session_hash]
    header = request.headers.get("accept-language", "") if request else ""
    return "zh" if header.strip().lower().startswith("zh") else "en"


def both(words) -> Sentence:
    """A Sentence out of what the engine's JSON carries: {en, zh} or a pair."""
    if isinstance(words, dict):
        return Sentence(words["en"], words["zh"])
    return Sentence(*words)
