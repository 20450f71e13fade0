"""Two characters talk to each other: each hears the other as its user."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.characters.card import Character
from engine.chat import client
from engine.chat.adapters import common_base, find
from engine.chat.conversations import BASE, Message
from engine.chat.sampling import checked, seed_after
from engine.config import default_config
from engine.dataset.prompt import with_system
from engine.errors import UserError

MOST_TURNS = 20
_stopping = threading.Event()


@dataclass(frozen=True, slots=True)
class Speaker:
    """A loaded voice ("base", or as in engine.chat.adapters), and the card that it plays."""

    voice: str
    card: Character


def load(voices: Sequence[str]) -> dict[str, Any]:
    """Loads both voices ("base", or as in engine.chat.adapters) as engine.chat.client.load. Raises
    UserError for voices that were trained on different bases."""
    tuned = {voice: find(voice) for voice in voices if voice != BASE}
    config = default_config()
    base = (config.model_name_or_path, config.load_in_4bit, config.load_in_8bit)
    name, in_4bit, in_8bit = common_base(list(tuned.values())) if tuned else base
    return client.load(name, list(tuned), load_in_4bit=in_4bit, load_in_8bit=in_8bit)


def converse(
    first: Speaker,
    second: Speaker,
    opening: str,
    turns: int,
    loaded: dict[str, Any] | None = None,
    **sampling: float,
) -> Iterator[list[dict[str, Any]]]:
    """Streams the lines so far, each {"who": 0 or 1, "name", "text", "done", "stopped_by"}. The
    first speaks the opening (its greeting where that is empty), then they alternate for `turns`
    answers, until `stop`, or until one has nothing to say. `loaded` is what `load` gave.

    A card's own sampling lies over `sampling`; every line has a seed of its own. Raises UserError.
    """
    _stopping.clear()
    cards = _each_others_user(first.card, second.card)
    opening = opening.strip() or next(iter(cards[0].greetings), "")
    if not opening:
        raise UserError(
            f"{first.card.name} has no greeting; write the line that it begins with.",
            f"{first.card.name} 没有开场白；请写下它的第一句话。",
            field="opening",
        )
    lines = [_line(0, cards[0], opening, True)]
    yield lines
    for number in range(1, min(turns, MOST_TURNS) + 1):
        who = number % 2
        speaker = (first, second)[who]
        settings = sampling | cards[who].sampling
        settings["seed"] = seed_after(checked(settings)["seed"], number)
        history = _history(lines, who, cards[who])
        heard = client.chat({speaker.voice: history}, loaded=loaded, **settings)
        for answers in heard:
            answer = answers[speaker.voice]
            now = _line(who, cards[who], answer["text"], answer["done"])
            yield [*lines, now | {"stopped_by": answer["stopped_by"]}]
        lines = [*lines, now | {"stopped_by": answer["stopped_by"]}]
        if _stopping.is_set() or answer["stopped_by"] == "stop" or not answer["text"].strip():
            return


def stop() -> None:
    """Ends the line that is being said, and the conversation with it, unless it is another
    visitor's."""
    if client.is_own():
        _stopping.set()
    client.stop()


def _each_others_user(one: Character, other: Character) -> list[Character]:
    return [replace(one, user=other.called), replace(other, user=one.called)]


def _line(who: int, card: Character, text: str, done: bool) -> dict[str, Any]:
    return {"who": who, "name": card.name, "text": text.strip(), "done": done, "stopped_by": ""}


def _history(lines: list[dict[str, Any]], who: int, card: Character) -> list[Message]:
    """One's own lines are the assistant's, the other's the user's."""
    roles = {who: "assistant", 1 - who: "user"}
    said = [{"role": roles[line["who"]], "content": line["text"]} for line in lines]
    return with_system(said, card.system_prompt)
