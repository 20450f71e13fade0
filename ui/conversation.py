"""What was said and by whom, as plain data: turns, and what is hidden.

A talk is {"voices": ["base", "calm-otter-ab12", ..], "character": id or "", "greeting": the words
that open it or "", "turns": [..]}, a turn {"question", "system": {voice: its system prompt},
"answers": {voice: the engine's answer}, "sampling", "model" (their base)}. A turn asked blind has
besides: "order" (the voices as the columns show them), "hidden" (whether their names are) and,
after a vote, "vote": the better voice, "" for a tie.
"""

import random

from engine.chat.conversations import BASE

MOST = 4
LETTERS = "ABCD"


def new_talk(voices: list[str], character: str = "", greeting: str = "") -> dict:
    return {"voices": voices, "character": character, "greeting": greeting, "turns": []}


def anew(talk: dict) -> dict:
    """The same people meet again."""
    return talk | {"turns": []}


def talk_with(talk: dict, voices: list[str]) -> dict:
    """The same talk while the voices are the same; others have not said what stands there."""
    return talk if talk["voices"] == voices else new_talk(voices)


def without_the_gone(talk: dict, left: list[str]) -> dict:
    """What the voices that are left have said stays; one alone has nothing to hide. Where others
    speak from now on, the talk as it is."""
    if not set(left) <= set(talk["voices"]):
        return talk
    return talk | {"voices": left, "turns": [_said_by(turn, left) for turn in talk["turns"]]}


def _said_by(turn: dict, voices: list[str]) -> dict:
    turn = turn | {"answers": {v: one for v, one in turn["answers"].items() if v in voices}}
    if "order" not in turn:
        return turn
    order = [voice for voice in turn["order"] if voice in voices]
    return turn | {"order": order, "hidden": turn["hidden"] and len(order) > 1}


def up_to(talk: dict, message: int | list | tuple) -> tuple[dict, str]:
    """The talk before the turn that a column's message belongs to, and that turn's question."""
    index = message[0] if isinstance(message, list | tuple) else message
    turn = min((index - bool(talk["greeting"])) // 2, len(talk["turns"]) - 1)
    if turn < 0:
        return talk, ""
    return talk | {"turns": talk["turns"][:turn]}, talk["turns"][turn]["question"]


def order(turn: dict, voices: list[str]) -> list[str]:
    """Which voice each column shows in this turn."""
    return turn.get("order", voices)


def tuned(voices: list[str]) -> list[str]:
    return [voice for voice in voices if voice != BASE]


def blinded(turn: dict, voices: list[str]) -> dict:
    """The turn with its voices shuffled and nameless."""
    return turn | {"order": random.sample(voices, len(voices)), "hidden": True}


def is_hidden(talk: dict) -> bool:
    """Whether the last turn's names are."""
    return bool(talk["turns"]) and talk["turns"][-1].get("hidden", False)


def waits_for_a_vote(talk: dict) -> bool:
    """Whether all voices have answered the last turn to their end, and nobody knows whose is
    whose."""
    answers = talk["turns"][-1]["answers"].values() if talk["turns"] else []
    return is_hidden(talk) and bool(answers) and all(one["done"] for one in answers)


def voted(talk: dict, best: str) -> dict:
    """The last turn with its vote, and so with its names."""
    *before, last = talk["turns"]
    return talk | {"turns": [*before, last | {"hidden": False, "vote": best}]}


def revealed(talk: dict) -> dict:
    """All names are shown."""
    turns = [turn | {"hidden": False} if "order" in turn else turn for turn in talk["turns"]]
    return talk | {"turns": turns}
