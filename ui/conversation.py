"""What was said and by whom, as plain data: turns, histories for the engine, the run of a voice.

A talk is {"voice": run id or "", "character": id or "", "greeting": the words that open it or "",
"turns": [..]}, a turn {"question", "answers", "sampling"} with the engine's answers under "base"
and "tuned".
"""

from pathlib import Path

from engine import characters, library
from engine.characters import Character
from engine.config import TrainConfig, default_config
from engine.errors import UserError
from engine.training import runs

COLUMNS = ("base", "tuned")


def new_talk(voice: str, character: str = "", greeting: str = "") -> dict:
    return {"voice": voice, "character": character, "greeting": greeting, "turns": []}


def anew(talk: dict) -> dict:
    """The same people meet again."""
    return talk | {"turns": []}


def talk_with(talk: dict, voice: str) -> dict:
    """The same talk while the voice is the same; another voice has not said what stands there."""
    return talk if talk["voice"] == voice else new_talk(voice)


def up_to(talk: dict, message: int | list | tuple) -> tuple[dict, str]:
    """The talk before the turn that a column's message belongs to, and that turn's question."""
    index = message[0] if isinstance(message, list | tuple) else message
    turn = min((index - bool(talk["greeting"])) // 2, len(talk["turns"]) - 1)
    if turn < 0:
        return talk, ""
    return talk | {"turns": talk["turns"][:turn]}, talk["turns"][turn]["question"]


def config_of(voice: str) -> TrainConfig:
    """What the voice was trained with; for the base alone what the page starts with."""
    return runs.get(voice).config if voice else default_config()


def config_or_default(voice: str) -> TrainConfig:
    """As config_of, also for a run that is gone meanwhile."""
    try:
        return config_of(voice)
    except UserError:
        return default_config()


def name_of(voice: str) -> str:
    """The readable name of a voice; its id when its run is gone."""
    try:
        return runs.get(voice).name
    except UserError:
        return voice


def voices() -> list[tuple[str, str]]:
    """(name, run id) of every run that has an adapter, newest first; ids tell equal names apart."""
    found = [(run.name, run.id) for run in runs.list_runs() if run.has_adapter]
    names = [name for name, _ in found]
    return [(name if names.count(name) == 1 else f"{name} ({one})", one) for name, one in found]


def character_of(config: TrainConfig) -> Character | None:
    """The character whose dataset or whose system prompt the run learned from, if there is one."""
    for dataset in library.list_datasets():
        if config.dataset in (dataset.id, str(dataset.path)) and dataset.character:
            return card(dataset.character)
    told = config.system_prompt.strip()
    listed = characters.list_characters() if told else []
    return next((one for one in listed if one.system_prompt.strip() == told), None)


def card(character_id: str) -> Character | None:
    try:
        return characters.get(character_id) if character_id else None
    except UserError:
        return None


def model_name(config: TrainConfig) -> str:
    return Path(config.model_name_or_path).name or config.model_name_or_path
