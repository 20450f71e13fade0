"""One row of a file, whose columns are known, becomes one conversation."""

import re
from functools import lru_cache
from typing import Any, NamedTuple

from engine.dataset.meaning.columns import Roles
from engine.dataset.meaning.dialogue import (
    Message,
    dialect_of,
    history_of,
    messages_by_turns,
    messages_of,
    role_of,
    text_of,
    well_formed,
)
from engine.dataset.meaning.labels import verdict
from engine.dataset.meaning.marked_text import turns_in
from engine.dataset.meaning.names import columns_named
from engine.dataset.meaning.reasons import (
    LABELLED_BAD,
    LIST_ANSWER,
    NO_ANSWER,
    NO_ROLE_OR_CONTENT,
    NO_TEXT,
    NOT_TEXT,
    NOT_TURNS,
    Dropped,
)
from engine.dataset.meaning.tools import from_json, tools_of

# How the ChatGLM tutorials write the question into `context`.
_FRAME = re.compile(r"Instruction: (.*?)(?:\nInput: (.*))?\nAnswer: ?", re.DOTALL)


class Read(NamedTuple):
    """A conversation, and whether turns without an answer were cut off its end."""

    conversation: dict[str, Any]
    cut: bool


def is_filled(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value) and not value.isspace()
    return value not in (None, [], {})


def turns_of(value: Any) -> list[Any] | None:
    """The list of turns in a cell, also written as text; None when there is none."""
    turns = from_json(value)
    return turns if isinstance(turns, list) else None


def fits(row: dict[str, Any], shape: str, roles: Roles) -> bool:
    """Whether the row fills one of the columns that make this shape."""
    if shape == "messages":
        return turns_of(row[roles.messages[0]]) is not None
    if shape == "preference":
        return is_filled(row[(roles.assistant or roles.messages)[0]])
    return any(is_filled(row[c]) for c in (*roles.user, *roles.assistant, *roles.text))


def columns_read(row: dict[str, Any], roles: Roles) -> tuple[str, ...]:
    """The columns that the conversation is made of, or that are spoken of where it is told; of
    several questions and answers the first filled."""
    answers = _first_filled(row, roles.assistant)
    asked = roles.user if roles.joined else _first_filled(row, roles.user)
    ranks = roles.rank if any(isinstance(row.get(c), list) for c in answers) else ()
    return (*answers, *asked, *ranks, *_always_read(roles))


def _first_filled(row: dict[str, Any], columns: tuple[str, ...]) -> tuple[str, ...]:
    if len(columns) < 2:
        return columns
    return tuple(column for column in columns if is_filled(row.get(column)))[:1]


@lru_cache(maxsize=1024)
def _always_read(roles: Roles) -> tuple[str, ...]:
    spoken = (*roles.system, *roles.input, *roles.history, *roles.messages, *roles.tools)
    return (*spoken, *roles.text, *roles.label, *roles.rejected)


def shape_of(row: dict[str, Any], shape: str, roles: Roles) -> str:
    """The shape by the row's values, where its columns alone do not tell."""
    if label_of(row, roles) is not None and shape != "preference":
        return "labelled"
    if shape == "messages":
        named = columns_named(["messages"], roles.messages)
        dialect = dialect_of(turns_of(row[roles.messages[0]]) or [])
        if dialect == "unnamed" and not _alternates(roles.messages[0]):
            return "sharegpt"
        return dialect if dialect in _TELLING else "messages" if named else "sharegpt"
    if shape == "text" and isinstance(value := row[roles.text[0]], str) and turns_in(value):
        return "marked"
    return shape


_TELLING = ("xtuner", "firefly", "marked", "unnamed")  # whatever the column is called


def read_row(row: dict[str, Any], shape: str, roles: Roles) -> Read:
    """`row` may lack columns of `roles`. Raises Dropped."""
    if label_of(row, roles) is False:
        raise Dropped(LABELLED_BAD)
    if shape == "marked" and roles.text:
        return Read(*_finished(turns_in(row[roles.text[0]]), []))
    if roles.text and not (roles.messages or roles.assistant):
        texts = [_plain(row.get(column)) for column in roles.text]
        text = "\n".join(text for text in texts if text.strip())
        if not text:
            raise Dropped(NO_TEXT)
        return Read({"text": text}, False)
    asked = [row[c] for c in roles.user if isinstance(row.get(c), dict)]
    offers = [row.get(c) for c in roles.tools] + [cell.get("tools") for cell in asked]
    tools = [tool for offer in offers for tool in tools_of(offer)]
    return Read(*_finished(_messages(row, roles), tools))


def label_of(row: dict[str, Any], roles: Roles) -> bool | None:
    """What the columns of labels say of the answer; None when they say nothing."""
    for column in roles.label:
        if (said := verdict(row.get(column))) is not None:
            return said
    return None


def _finished(messages: list[Message], tools: list[dict]) -> tuple[dict[str, Any], bool]:
    messages, cut = well_formed(messages)
    return {"messages": messages} | ({"tools": tools} if tools else {}), cut


def _messages(row: dict[str, Any], roles: Roles) -> list[Message]:
    answer = _answer(row, roles)
    if any(m["role"] == "user" for m in answer):  # it holds the whole conversation
        return _system(row, roles) + answer
    before = [m for c in roles.history for m in history_of(row.get(c))]
    before += [m for c in roles.messages for m in _talk(row.get(c), c)]
    return _system(row, roles) + before + _question(row, roles) + answer


def _system(row: dict[str, Any], roles: Roles) -> list[Message]:
    return [{"role": "system", "content": text_of(row.get(c))} for c in roles.system]


def _talk(value: Any, column: str) -> list[Message]:
    turns = from_json(value)
    if isinstance(turns, str):
        turns = turns_in(turns)
    if isinstance(turns, dict):
        turns = [turns]
    if not isinstance(turns, list):
        if is_filled(value):
            raise Dropped(NOT_TURNS)
        return []
    if turns and all(isinstance(turn, str) for turn in turns):
        if not _alternates(column):
            raise Dropped(NO_ROLE_OR_CONTENT)
        return messages_by_turns(turns)
    return messages_of(turns)


def _alternates(column: str) -> bool:
    """Whether texts in it are said by turns; what benchmarks call `turns` is all asked."""
    return not columns_named(["turns"], [column])


def _question(row: dict[str, Any], roles: Roles) -> list[Message]:
    """What is asked, with the input below it; [] when there is nothing and turns stand before."""
    columns = [column for column in roles.user if is_filled(row.get(column))]
    cells = [row[column] for column in (columns if roles.joined else columns[:1])]
    asked: list[Message] = []
    texts: list[str] = []
    for cell in cells:
        cell = cell.get("messages", cell) if isinstance(cell, dict) else cell  # as OpenAI asks
        if _is_turns(cell):
            asked += messages_of(cell)
        else:
            texts.append(_unframed(text_of(cell), columns[0]))
    texts += [text_of(row.get(column)) for column in roles.input]
    text = "\n".join([text for text in texts if text])
    if not text and (asked or roles.messages):
        return asked
    return [*asked, {"role": "user", "content": text}]


def _unframed(text: str, column: str) -> str:
    """The question in the frame of a `context` column."""
    frame = _FRAME.fullmatch(f"{text} ") if text.startswith("Instruction: ") else None
    if not frame or not columns_named(["context"], [column]):
        return text
    return "\n".join(part.strip() for part in frame.groups() if part)


def _answer(row: dict[str, Any], roles: Roles) -> list[Message]:
    """The first filled of the columns that answer. Raises Dropped."""
    filled = [row[c] for c in roles.assistant if is_filled(row.get(c))]
    if not filled:
        if roles.assistant and not roles.messages:
            raise Dropped(NO_ANSWER)
        return []
    value = filled[0]
    if isinstance(value, dict) and role_of(value) is not None:
        return messages_of([value])
    if isinstance(value, list):
        return messages_of(value) if _is_turns(value) else _said(_best(value, row, roles))
    return _said(text_of(value))


def _said(text: str) -> list[Message]:
    return [{"role": "assistant", "content": text}]


def _best(answers: list[Any], row: dict[str, Any], roles: Roles) -> str:
    """Of a list of answers the best, when a column ranks them. Raises Dropped."""
    if not all(isinstance(one, str) for one in answers):
        raise Dropped(NOT_TEXT)
    if len(answers) == 1:
        return answers[0].strip()
    for column in roles.rank:
        marks = from_json(row.get(column))
        is_score = bool(columns_named(["score", "scores"], [column]))
        if isinstance(marks, list) and len(marks) == len(answers):
            if all(isinstance(mark, int | float) for mark in marks):
                best = max(marks) if is_score else min(marks)
                return answers[marks.index(best)].strip()
        elif is_filled(marks) and not is_score:  # the list is the order of preference
            return answers[0].strip()
    raise Dropped(LIST_ANSWER)


def _is_turns(value: Any) -> bool:
    return isinstance(value, list) and all(role_of(turn) is not None for turn in value)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else text_of(value)
