"""A list of turns, in any of the ways in which files write them, becomes messages.

OpenAI (role, content, tool_calls), ShareGPT (from, value, function_call, observation), xtuner
(system, input, output) and Firefly (human, assistant: a question and its answer in one turn).
"""

import json
from itertools import cycle
from typing import Any

from engine.dataset.meaning.columns import Roles, readings
from engine.dataset.meaning.marked_text import turns_in
from engine.dataset.meaning.names import columns_named
from engine.dataset.meaning.reasons import (
    BAD_HISTORY,
    EMPTY_ANSWER,
    NO_ANSWER,
    NO_QUESTION,
    NO_ROLE_OR_CONTENT,
    NOT_ONLY_TEXT,
    NOT_TEXT,
    ROLE_ORDER,
    SYSTEM_IN_THE_MIDDLE,
    UNKNOWN_ROLE,
    WEIGHT_ZERO,
    Dropped,
)
from engine.dataset.meaning.tools import calls_of, from_json
from engine.dataset.reasoning import FIELD, NAMES
from engine.dataset.weight import UNLEARNED, is_learned

Message = dict[str, Any]

SIDES = {
    **dict.fromkeys("system developer 系统".split(), "system"),
    **dict.fromkeys("user human prompter 用户 人类".split(), "user"),
    **dict.fromkeys(
        "assistant gpt chatgpt bot chatbot model ai bard bing 助手 模型".split(), "assistant"
    ),
    **dict.fromkeys(
        "tool function observation tool_response function_response ipython".split(), "tool"
    ),
    **dict.fromkeys("function_call tool_call".split(), "call"),
}
_ROLE_KEYS = "role from speaker character name 角色 说话人".split()
_CONTENT_KEYS = "content value text line 内容 台词".split()


def role_of(turn: Any) -> Any:
    """What a turn names as its role, None when it names none."""
    key = _key(turn, _ROLE_KEYS)
    return turn[key] if key else None


def side_of(turn: dict[str, Any]) -> str:
    """Which side of a chat speaks in a turn; a person's name as it is; "" for nobody."""
    role = role_of(turn)
    return "" if role is None else SIDES.get(str(role).strip().lower(), str(role))


def content_key(turn: dict[str, Any]) -> str:
    """Under which name a turn holds what is said; "" when there is none."""
    return _key(turn, _CONTENT_KEYS) or ""


def is_known(role: Any) -> bool:
    """Whether this role is a side of a chat rather than a person's name."""
    return str(role).strip().lower() in SIDES


def dialect_of(turns: list[Any]) -> str:
    """openai, sharegpt, xtuner or firefly, by the first turn; marked or unnamed if all are text."""
    first = turns[0] if turns else None
    if turns and all(isinstance(turn, str) for turn in turns):
        return "marked" if turns_in("\n".join(turns)) else "unnamed"
    if not isinstance(first, dict) or "role" in first:
        return "openai"
    if role_of(first) is None and _question_and_answer(first):
        return "xtuner" if columns_named(["input"], first) else "firefly"
    return "sharegpt"


def messages_of(turns: list[Any]) -> list[Message]:
    """Raises Dropped for a turn that cannot be read."""
    messages: list[Message] = []
    was_call = False
    for turn in turns:
        pair = _question_and_answer(turn) if role_of(turn) is None else None
        new = _from_pair(turn, pair) if pair else [_message(turn)]
        if was_call and _is_call(turn) and FIELD not in new[0]:  # calls made at once are one turn
            messages[-1]["tool_calls"] += new[0]["tool_calls"]
        else:
            messages += new
        was_call = _is_call(turn)
    return messages


def messages_by_turns(lines: list[str]) -> list[Message]:
    """Lines that name nobody: user and assistant by turns, unless marks in them say otherwise."""
    sides = cycle(("user", "assistant"))
    spoken = [{"role": next(sides), "content": line.strip()} for line in lines]
    return turns_in("\n".join(lines)) or spoken


def text_of(value: Any) -> str:
    """A cell as text without the white space around it; "" for an empty one. Raises Dropped."""
    if isinstance(value, str):
        return value.strip()
    if value is None:
        return ""
    if not isinstance(value, int | float):
        raise Dropped(NOT_TEXT)
    return str(value)


def history_of(value: Any) -> list[Message]:
    """Turns before the question: pairs, or a list of turns. Raises Dropped."""
    turns = from_json(value)
    if not turns:
        return []
    if not isinstance(turns, list):
        raise Dropped(BAD_HISTORY)
    if isinstance(turns[0], dict):
        return messages_of(turns)
    messages: list[Message] = []
    for turn in turns:
        if not (isinstance(turn, list) and len(turn) == 2):
            raise Dropped(BAD_HISTORY)
        messages += question_and_answer(text_of(turn[0]), text_of(turn[1]))
    return messages


def question_and_answer(question: str, answer: str) -> list[Message]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def well_formed(messages: list[Message]) -> tuple[list[Message], bool]:
    """The messages as a chat template takes them, and whether turns were cut off at the end.

    What nobody answers teaches nothing and is cut off. System prompts at the beginning are joined.
    Raises Dropped for what holds no answer and for turns out of order.
    """
    talk = [m for m in messages if m["role"] != "system" or m["content"]]
    at = 0
    while at < len(talk) and talk[at]["role"] == "system":
        at += 1
    systems = list(dict.fromkeys([m["content"] for m in talk[:at]]))
    turns = [m for m in talk[at:] if m["role"] != "system" or m["content"] not in systems]
    said = len(turns)
    while turns and not _answers(turns[-1]):
        turns.pop()
    if not turns:
        raise Dropped(NO_ANSWER)
    _check_order(turns)
    if not any(is_learned(turn) for turn in turns if turn["role"] == "assistant"):
        raise Dropped(WEIGHT_ZERO)
    head = [{"role": "system", "content": "\n\n".join(systems)}] if systems else []
    return head + turns, len(turns) < said


def _check_order(turns: list[Message]) -> None:
    if turns[0]["role"] != "user" or not turns[0]["content"]:
        raise Dropped(NO_QUESTION)
    for before, turn in zip(turns, turns[1:], strict=False):
        earlier, role = before["role"], turn["role"]
        if role == "system":
            raise Dropped(SYSTEM_IN_THE_MIDDLE)
        if (earlier == "assistant") == (role == "assistant") and not earlier == role == "tool":
            raise Dropped(ROLE_ORDER)
        if role == "assistant" and not _answers(turn):
            raise Dropped(EMPTY_ANSWER)


def _answers(message: Message) -> bool:
    return message["role"] == "assistant" and bool(message["content"] or "tool_calls" in message)


def _key(turn: Any, keys: list[str]) -> str | None:
    return next((key for key in keys if key in turn), None) if isinstance(turn, dict) else None


def _question_and_answer(turn: Any) -> Roles | None:
    """The columns of a turn that holds a question and its answer."""
    if not isinstance(turn, dict):
        return None
    found = dict(reversed(readings(tuple(turn))))
    return found.get("pairs") or found.get("alpaca")


def _from_pair(turn: dict[str, Any], roles: Roles) -> list[Message]:
    system = text_of(turn[roles.system[0]]) if roles.system else ""
    asked = [text_of(turn[column]) for column in (*roles.user[:1], *roles.input)]
    answer = text_of(turn[roles.assistant[0]])
    pair = question_and_answer("\n".join(text for text in asked if text), answer)
    return [{"role": "system", "content": system}, *pair]


def _message(turn: Any) -> Message:
    role, content_key = role_of(turn), _key(turn, _CONTENT_KEYS)
    calls = (turn.get("tool_calls") or turn.get("function_call")) if role is not None else None
    if role is None or (content_key is None and not calls):
        raise Dropped(NO_ROLE_OR_CONTENT)
    side = SIDES.get(str(role).strip().lower())
    content = turn.get(content_key)
    if side is None:
        raise Dropped(UNKNOWN_ROLE)
    if side == "call":
        called = {"role": "assistant", "content": "", "tool_calls": calls_of(content)}
        return called | _reasoning(turn) | _weight(turn)
    if side == "tool" and isinstance(content, dict | list) and not _is_parts(content):
        return {"role": "tool", "content": json.dumps(content, ensure_ascii=False)}
    message = {"role": side, "content": _content(content)}
    if side == "assistant":
        message |= _reasoning(turn) | _weight(turn)
    return message | {"tool_calls": calls_of(calls)} if calls else message


def _is_call(turn: Any) -> bool:
    return SIDES.get(str(role_of(turn)).strip().lower()) == "call"


def _weight(turn: dict[str, Any]) -> dict[str, int]:
    return {} if is_learned(turn) else UNLEARNED


def _reasoning(turn: dict[str, Any]) -> dict[str, str]:
    """What was thought before the answer; {} for nothing and for a switch (thinking: true)."""
    named = (turn.get(name) for name in NAMES)
    said = next((value for value in named if value and not isinstance(value, bool)), None)
    text = text_of(said)
    return {FIELD: text} if text else {}


def _is_parts(content: Any) -> bool:
    return isinstance(content, list) and all(isinstance(p, dict) and "type" in p for p in content)


def _content(content: Any) -> str:
    if not isinstance(content, list):
        return text_of(content)
    parts = [part.get("text") if isinstance(part, dict) else part for part in content]
    if not all(isinstance(part, str) for part in parts):
        raise Dropped(NOT_ONLY_TEXT)
    return "".join(parts).strip()
