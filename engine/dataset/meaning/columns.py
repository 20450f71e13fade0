"""Which column is what: by the names that people give columns, or as a person says it."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import lru_cache

from engine.dataset.meaning import names
from engine.dataset.meaning.names import columns_named
from engine.errors import UserError, quoted


@dataclass(frozen=True, slots=True)
class Roles:
    """The columns of each role, the likeliest first; of several answers the first filled counts,
    and so of several questions unless `joined`, then they are read one after the other."""

    system: tuple[str, ...] = ()
    user: tuple[str, ...] = ()
    input: tuple[str, ...] = ()
    assistant: tuple[str, ...] = ()
    history: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    rank: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    joined: bool = False

    def mapping(self) -> dict[str, str]:
        """Column -> role, as a person could have written it."""
        named = {role: getattr(self, role) for role in _COLUMN_ROLES} | {"user": self.user[:1]}
        return {column: role for role, columns in named.items() for column in columns}


_UNMAPPED = ("label", "rank", "rejected", "joined")
_COLUMN_ROLES = tuple(f.name for f in fields(Roles) if f.name not in _UNMAPPED)
ROLES = (*_COLUMN_ROLES, "ignore")
_HOW = "Write question=user, answer=assistant."
_HOW_ZH = "写法如 question=user, answer=assistant。"


@lru_cache(maxsize=1024)
def readings(columns: tuple[str, ...]) -> tuple[tuple[str, Roles], ...]:
    """What a row of these columns can be, as (shape, roles), the likeliest first; () unknown."""
    found = [_preference(columns), *_talks(columns), _pair(columns), _retold(columns)]
    texts = columns_named(names.TEXTS, columns)
    found += [("text", Roles(text=(column,))) for column in texts]
    return tuple(reading for reading in found if reading)


def answer_columns(columns: Iterable[str]) -> list[str]:
    """The columns that hold answers by their name, the likeliest first."""
    return columns_named(names.ANSWERS, columns)


def label_columns(columns: Iterable[str]) -> list[str]:
    """The columns that may say by their name whether an answer is good."""
    return columns_named(names.LABELS, columns)


def _beside(columns: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The roles that stand beside a question and an answer in any shape."""
    columns = tuple(columns)
    named = {"system": names.SYSTEMS, "history": names.HISTORIES, "tools": names.TOOLS}
    named |= {"label": names.LABELS, "rank": names.RANKS}
    return {role: tuple(columns_named(called, columns)) for role, called in named.items()}


def _preference(columns: tuple[str, ...]) -> tuple[str, Roles] | None:
    rejected = tuple(columns_named(names.REJECTED, columns))
    chosen = [c for c in columns_named(names.CHOSEN, columns) if c not in rejected]
    if not (chosen and rejected):
        return None
    beside = _beside(columns) | {"rejected": rejected}
    user, added = _asked(columns)
    talks = () if user else tuple(columns_named(names.MESSAGES, columns))[:1]
    if not (user or talks):  # the answer holds the conversation before it
        return "preference", Roles(messages=(chosen[0],), **beside)
    roles = Roles(user=user, input=added, messages=talks, assistant=(chosen[0],))
    return "preference", replace(roles, **beside)


def _talks(columns: tuple[str, ...]) -> list[tuple[str, Roles]]:
    beside = _beside(columns) | {"history": (), "rank": ()}
    named = columns_named(names.MESSAGES, columns)
    return [("messages", Roles(messages=(column,), **beside)) for column in named]


def _pair(columns: tuple[str, ...]) -> tuple[str, Roles] | None:
    answers = columns_named(names.ANSWERS, columns)
    user, added = _asked(columns)
    if not (answers and user):
        return None
    shape = "alpaca" if columns_named(names.INSTRUCTIONS, user[:1]) else "pairs"
    return shape, Roles(user=user, input=added, assistant=tuple(answers), **_beside(columns))


def _retold(columns: tuple[str, ...]) -> tuple[str, Roles] | None:
    """A text and what is made of it, its summary say; an instruction beside them asks for that."""
    told = tuple(columns_named(names.RETOLD, columns))
    sources = tuple(c for c in columns_named(names.SOURCES, columns) if c not in told)[:1]
    if not (told and sources):
        return None
    asked = tuple(columns_named(names.INSTRUCTIONS, columns))
    user, added = (asked, sources) if asked else (sources, ())
    roles = Roles(user=user, input=added, assistant=told, **_beside(columns))
    return ("alpaca" if asked else "pairs"), roles


def _asked(columns: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns of the question, and those that are added to it."""
    user = columns_named(names.QUESTIONS, columns)
    added = columns_named(names.INPUTS, columns)
    if not columns_named(names.INSTRUCTIONS, user[:1]):
        asking = columns_named(names.ASKING, added)
        added = [column for column in added if column not in asking]
    added = [column for column in added if column not in user[:1]]
    return tuple(column for column in user if column not in added), tuple(added)


def chosen_roles(mapping: dict[str, str], columns: list[str]) -> Roles:
    """History, tools, a label and a rank that the person does not speak of are found by name.

    Raises UserError (field "mapping") for columns that are not there and for a choice from which
    no conversation can be made.
    """
    shown, shown_zh = ", ".join(columns[:12]), "、".join(columns[:12])
    unknown = [column for column in mapping if column not in columns]
    if unknown:
        raise _faulty(
            f"There is no column {quoted(unknown[0])}; the columns are {shown}.",
            f"没有名为 {quoted(unknown[0])} 的列；现有的列是 {shown_zh}。",
        )
    named = {role: tuple(c for c, part in mapping.items() if part == role) for role in ROLES}
    asked = named["user"] or named["input"] or named["messages"]
    if not (named["messages"] or named["text"] or (named["assistant"] and asked)):
        raise _faulty(
            "The choice needs a column for the question (user) and one for the answer "
            f"(assistant), or one that is messages or text. The columns are {shown}.",
            "需要指定提问列（user）和回答列（assistant），或者指定一列为 messages 或 text。"
            f"现有的列是 {shown_zh}。",
        )
    found = _beside(column for column in columns if column not in mapping)
    chosen = {role: named[role] for role in _COLUMN_ROLES if named[role]}
    return Roles(joined=True, **(found | {"system": ()} | chosen))


def parse_mapping(text: str) -> dict[str, str]:
    """`column=role, column=role`; a column in double quotes is read as JSON, so that its name may
    hold a comma, = or anything else. Raises UserError (field "mapping")."""
    mapping: dict[str, str] = {}
    at, text = 0, text.strip()
    while at < len(text):
        column, at = _column_at(text, at)
        end = text.find(",", at)
        end = len(text) if end < 0 else end
        role = text[at:end].strip()
        if role not in ROLES:
            raise _faulty(
                f"{quoted(role)} is no role for the column {quoted(column)}; the roles are "
                f"{', '.join(ROLES)}. {_HOW}",
                f"列 {quoted(column)} 的用途 {quoted(role)} 无效；可用的有 {'、'.join(ROLES)}。"
                f"{_HOW_ZH}",
            )
        mapping[column] = role
        at = end + 1
    return mapping


def mapping_text(mapping: dict[str, str]) -> str:
    """The text from which `parse_mapping` makes this mapping."""
    return ", ".join(f"{_quoted(column)}={role}" for column, role in mapping.items())


def _column_at(text: str, at: int) -> tuple[str, int]:
    """The column that is named from here, and where its role begins."""
    at = re.compile(r"\s*").match(text, at).end()
    if text[at : at + 1] == '"':
        try:
            column, end = json.JSONDecoder(strict=False).raw_decode(text, at)
        except json.JSONDecodeError:
            end = len(text)
    else:
        end = text.find("=", at)
        column = text[at:end].strip()
    sign = re.compile(r"\s*=").match(text, end) if end >= 0 else None
    if not sign:
        part = text[at : at + 40]
        raise _faulty(
            f"{part!r} does not say which column is what. {_HOW}",
            f"{part!r} 没有说明哪列是什么。{_HOW_ZH}",
        )
    return column, sign.end()


def _quoted(column: str) -> str:
    is_plain = column and column == column.strip() and not re.search(r'[",=]', column)
    return column if is_plain else json.dumps(column, ensure_ascii=False)


def _faulty(en: str, zh: str) -> UserError:
    return UserError(en, zh, field="mapping")
