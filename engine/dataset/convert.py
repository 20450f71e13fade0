"""Conversations written out in another format, as a file that other tools read."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.dataset.formats import to_conversations
from engine.dataset.read import read_table
from engine.errors import UserError


def convert(path: Path, to: str, out: Path) -> int:
    """Writes JSON Lines and returns the number of rows.

    Conversations of several turns become one row a turn, with the turns before as history, where
    the format has a place for it; else one row a turn alone. Raises UserError.
    """
    if to not in FORMATS:
        raise UserError(
            f"{to!r} is no format; choose one of {', '.join(FORMATS)}.",
            f"没有 {to!r} 这种格式；请从 {'、'.join(FORMATS)} 中选择。",
            field="to",
        )
    table = read_table(path)
    found = to_conversations(table.rows, table.columns)
    rows = [row for one in found.conversations for row in FORMATS[to](_turns(one))]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    try:
        out.write_text(lines, encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"{out} cannot be written ({error.strerror}); choose another place.",
            f"无法写入 {out}，请换一个位置。",
            field="out",
        ) from error
    return len(rows)


def _turns(conversation: dict[str, Any]) -> list[dict[str, str]]:
    """Plain text counts as an answer to nothing."""
    if "text" in conversation:
        return [{"role": "assistant", "content": conversation["text"]}]
    return conversation["messages"]


def _pairs(messages: list[dict[str, str]]) -> tuple[str, list[tuple[str, str]]]:
    """The system prompt, and each answer with its question."""
    system = messages[0]["content"] if messages[0]["role"] == "system" else ""
    pairs, question = [], ""
    for message in messages:
        if message["role"] == "user":
            question = message["content"]
        elif message["role"] == "assistant":
            pairs.append((question, message["content"]))
            question = ""
    return system, pairs


def _alpaca(messages: list[dict[str, str]]) -> list[dict[str, Any]]:
    system, pairs = _pairs(messages)
    return [
        {"instruction": question, "input": "", "output": answer}
        | ({"system": system} if system else {})
        | ({"history": [list(pair) for pair in pairs[:i]]} if i else {})
        for i, (question, answer) in enumerate(pairs)
    ]


def _sharegpt(messages: list[dict[str, str]]) -> list[dict[str, Any]]:
    names = {"system": "system", "user": "human", "assistant": "gpt"}
    turns = [{"from": names[m["role"]], "value": m["content"]} for m in messages]
    return [{"conversations": turns}]


def _columns(question_column: str, answer_column: str) -> Callable:
    def rows(messages: list[dict[str, str]]) -> list[dict[str, Any]]:
        system, pairs = _pairs(messages)
        return [
            {question_column: f"{system}\n\n{q}" if system else q, answer_column: a}
            for q, a in pairs
        ]

    return rows


def _text(messages: list[dict[str, str]]) -> list[dict[str, Any]]:
    if len(messages) == 1:
        return [{"text": messages[0]["content"]}]
    names = {"system": "System", "user": "User", "assistant": "Assistant"}
    return [{"text": "\n".join(f"{names[m['role']]}: {m['content']}" for m in messages)}]


FORMATS: dict[str, Callable[[list[dict[str, str]]], list[dict[str, Any]]]] = {
    "messages": lambda messages: [{"messages": messages}],
    "alpaca": _alpaca,
    "sharegpt": _sharegpt,
    "prompt-completion": _columns("prompt", "completion"),
    "context-target": _columns("context", "target"),
    "text": _text,
}
