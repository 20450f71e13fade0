"""A conversation as messages, and how it leaves: JSON, Markdown, or rows of a dataset.

A talk is {"greeting", "turns": [{"question", "system": {voice: the prompt that stood before what it
read}, "answers": {voice: {"text", ..}}, "sampling"}]}.
"""

import json
from collections.abc import Iterator
from typing import Any

from engine.characters.card import Character
from engine.dataset.prompt import with_system
from engine.errors import UserError

Talk = dict[str, Any]
Message = dict[str, str]

BASE = "base"  # the voice without an adapter
FORMS = {"json": ".json", "markdown": ".md", "rows": ".jsonl"}


def history(talk: Talk, voice: str) -> list[Message]:
    """What one voice has heard and said, as the engine wants it, under the last turn's system
    prompt; that turn may have only its question. A greeting is the voice's own first message."""
    messages = []
    if greeting := talk.get("greeting", "").strip():
        messages.append({"role": "assistant", "content": greeting})
    for turn in talk["turns"]:
        messages.append({"role": "user", "content": turn["question"]})
        if voice in turn["answers"]:
            messages.append({"role": "assistant", "content": turn["answers"][voice]["text"]})
    return with_system(messages, _system(talk["turns"][-1], voice)) if talk["turns"] else messages


def voices(talk: Talk) -> list[str]:
    """Who has answered, in the order of the columns."""
    return list(dict.fromkeys(voice for turn in talk["turns"] for voice in turn["answers"]))


def _system(turn: dict[str, Any], voice: str) -> str:
    return turn.get("system", {}).get(voice, "").strip()


def without_greeting(messages: list[Message]) -> list[Message]:
    """As a row of a dataset has them: those begin with a question."""
    at = next((n for n, one in enumerate(messages) if one["role"] != "system"), len(messages))
    greets = messages[at : at + 1] and messages[at]["role"] == "assistant"
    return [*messages[:at], *messages[at + 1 :]] if greets else messages


def row(talk: Talk, voice: str) -> list[Message]:
    """One voice's conversation as a row of a dataset, up to its last answer; [] without one."""
    answered = []
    for turn in talk["turns"]:
        if not turn["answers"].get(voice, {}).get("text", "").strip():
            break  # what follows answers to something that was not said
        answered.append(turn)
    return without_greeting(history(talk | {"turns": answered}, voice)) if answered else []


def write(
    talk: Talk, form: str, names: dict[str, str], card: Character | None = None
) -> tuple[str, str]:
    """The name of the file and its text; `names` has what the voices are called, `form` is one of
    FORMS. Raises UserError for a talk in which nobody has answered."""
    if form not in FORMS:
        raise UserError(
            f"{form!r} is no form of a conversation; choose one of {', '.join(FORMS)}.",
            f"没有 {form!r} 这种对话格式；请从 {'、'.join(FORMS)} 中选择。",
            field="form",
        )
    if not voices(talk):
        raise UserError(
            "Nothing has been answered yet; ask something first.", "还没有任何回答，请先提个问题。"
        )
    make = {"json": _json, "markdown": _markdown, "rows": _rows}[form]
    name = f"conversation-{card.id}" if card else "conversation"
    return name + FORMS[form], make(talk, names, card)


def _json(talk: Talk, names: dict[str, str], card: Character | None) -> str:
    told = {
        "character": card.name if card else "",
        "greeting": talk.get("greeting", ""),
        "voices": {voice: names.get(voice, voice) for voice in voices(talk)},
        "turns": talk["turns"],
    }
    return json.dumps(told, ensure_ascii=False, indent=2) + "\n"


def _markdown(talk: Talk, names: dict[str, str], card: Character | None) -> str:
    parts = [f"# {card.name}"] if card else []
    told: dict[str, str] = {}
    first, *_ = talk["turns"]
    parts += _told(first, told, names)
    if greeting := talk.get("greeting", "").strip():
        parts.append(f"**{card.name if card else '·'}**\n\n{greeting}")
    for turn in talk["turns"]:
        parts += _told(turn, told, names)
        parts.append(f"## {' '.join(turn['question'].split())}")
        for voice, answer in turn["answers"].items():
            parts.append(f"**{names.get(voice, voice)}**\n\n{answer['text'].strip()}")
    return "\n\n".join(parts) + "\n"


def _told(turn: dict[str, Any], told: dict[str, str], names: dict[str, str]) -> Iterator[str]:
    """The system prompts that begin to count with a turn: one for all voices, or each with its
    name. `told` holds those that counted before, and is brought up to date."""
    now = {voice: _system(turn, voice) for voice in turn["answers"]}
    new = {voice: prompt for voice, prompt in now.items() if prompt != told.get(voice, "")}
    told |= now
    if new and new == now and len(set(new.values())) == 1:
        yield _quoted(next(iter(new.values())))
        return
    for voice, prompt in new.items():
        yield f"**{names.get(voice, voice)}**\n\n{_quoted(prompt)}"


def _quoted(prompt: str) -> str:
    return "\n".join(f"> {line}" for line in prompt.splitlines() or ["–"])


def _rows(talk: Talk, names: dict[str, str], card: Character | None) -> str:
    """One row a voice; voices that said the same make one row."""
    found: Iterator[list[Message]] = (row(talk, one) for one in voices(talk))
    lines = (json.dumps({"messages": one}, ensure_ascii=False) for one in found if one)
    text = "".join(f"{line}\n" for line in dict.fromkeys(lines))
    if not text:
        raise UserError(
            "No voice has said anything that could be learned.", "没有任何可以用来训练的回答。"
        )
    return text
