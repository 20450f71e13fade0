"""What is said in a conversation, as texts: all of it, the question, the answer."""

from collections.abc import Callable
from typing import Any

from engine.dataset.reasoning import FIELD

_SPOKEN = (FIELD, "content")


def texts_of(conversation: dict[str, Any]) -> list[str]:
    """Every text of it in order; the system prompt, reasoning and tool results too."""
    if "text" in conversation:
        return [conversation["text"]]
    return [m[name] for m in conversation["messages"] for name in _SPOKEN if name in m]


def with_texts(conversation: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """The conversation with each of its texts changed."""
    if "text" in conversation:
        return conversation | {"text": change(conversation["text"])}
    messages = [
        m | {name: change(m[name]) for name in _SPOKEN if name in m}
        for m in conversation["messages"]
    ]
    return conversation | {"messages": messages}


def answer_of(conversation: dict[str, Any]) -> str:
    """What the assistant says last; a plain text is all answer. "" when only tools are called."""
    if "text" in conversation:
        return conversation["text"]
    return _last(conversation["messages"], "assistant")


def question_of(conversation: dict[str, Any]) -> str:
    """What the user says last; "" in a plain text."""
    return _last(conversation.get("messages", []), "user")


def _last(messages: list[dict[str, Any]], role: str) -> str:
    return next((m["content"] for m in reversed(messages) if m["role"] == role), "")
