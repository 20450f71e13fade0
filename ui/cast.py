"""Who may speak in Chat, and what comes with each voice: name, base, character, system prompt."""

from pathlib import Path

from engine import characters, library
from engine.characters import Character
from engine.chat import adapters
from engine.chat.adapters import Adapter
from engine.chat.conversations import BASE
from engine.config import default_config
from engine.errors import UserError
from ui.conversation import tuned
from ui.text import say


def choices(lang: str) -> list[tuple[str, str]]:
    """(name, voice): the base, each run with an adapter, newest first, and its checkpoints; ids
    tell runs of equal names apart."""
    known = adapters.known()
    ends = [name for _, name, step in known if not step]
    found = [(say("chat_base_voice", lang), BASE)]
    for voice, name, step in known:
        full = name if ends.count(name) < 2 else f"{name} ({voice.partition('/')[0]})"
        found.append((_at_step(full, step, lang), voice))
    return found


def name_of(voice: str, lang: str) -> str:
    """The readable name of a voice; what it is called by when its adapter is gone."""
    if voice == BASE:
        return say("chat_base_voice", lang)
    try:
        found = adapters.find(voice) if adapters.is_here(voice) else None
    except UserError:
        found = None
    return _at_step(found.name, found.step, lang) if found else voice


def _at_step(name: str, step: int, lang: str) -> str:
    return say("chat_at_step", lang, name=name, step=step) if step else name


def lead(voices: list[str]) -> Adapter | None:
    """The first tuned voice's adapter: base, character and system prompt are its. Raises
    UserError."""
    spoken = tuned(voices)
    return adapters.find(spoken[0]) if spoken else None


def base_of(voices: list[str]) -> tuple[str, bool, bool]:
    """(model_name_or_path, load_in_4bit, load_in_8bit); without a tuned voice what the page starts
    with. Raises UserError for voices that cannot speak together."""
    found = [adapters.find(voice) for voice in tuned(voices)]
    if found:
        return adapters.common_base(found)
    config = default_config()
    return config.model_name_or_path, config.load_in_4bit, config.load_in_8bit


def system_prompts(voices: list[str]) -> list[str]:
    """What each was trained with; the base reads what the first tuned voice does. Raises
    UserError."""
    found = {voice: adapters.find(voice).system_prompt for voice in tuned(voices)}
    first = next(iter(found.values()), "")
    return [found.get(voice, first) for voice in voices]


def is_gone(voice: str) -> bool:
    """Whether it was chosen and cannot speak any more, as when its run was deleted."""
    if voice == BASE or not adapters.is_here(voice):
        return False
    try:
        adapters.find(voice)
    except UserError:
        return True
    return False


def left(voices: list[str]) -> list[str]:
    """Those that are not gone."""
    return [voice for voice in voices if not is_gone(voice)]


def methods(voices: list[str]) -> list[str]:
    """Those of the tuned voices that one batch cannot tell apart, each once."""
    found = [adapters.find(voice).method for voice in tuned(left(voices))]
    return sorted(set(found) - {"LoRA"})


def character_of(adapter: Adapter | None) -> Character | None:
    """The character whose dataset its run learned from, or whose system prompt it was trained
    with, if there is one."""
    if not adapter:
        return None
    dataset = adapter.run.config.dataset if adapter.run else ""
    for one in library.list_datasets():
        if dataset in (one.id, str(one.path)) and one.character:
            return card(one.character)
    told = adapter.system_prompt.strip()
    listed = characters.list_characters() if told else []
    return next((one for one in listed if one.system_prompt.strip() == told), None)


def card(character_id: str) -> Character | None:
    try:
        return characters.get(character_id) if character_id else None
    except UserError:
        return None


def model_name(model_name_or_path: str) -> str:
    return Path(model_name_or_path).name or model_name_or_path
