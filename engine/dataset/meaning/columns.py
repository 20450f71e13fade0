"""Which column is what: by the names that people give columns, or as a person says it."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import lru_cache

from engine.errors import UserError

_QUESTIONS = (
    "instruction prompt question ask query problem userinput userprompt usermessage userquery user "
    "human request questions q 指令 问题 提问 用户输入 用户 提示词 提示 题目 问句 问 上文 context "
    "input 输入 title questiontitle subject 标题"
).split()
_ANSWERS = (
    "output response completion answer reply target assistant solution gpt bot modeloutput "
    "assistantresponse botresponse modelresponse answers responses outputs completions solutions a "
    "输出 回答 答案 答复 回复 解答 助手 模型输出 下文 答"
).split()
_INSTRUCTIONS = ("instruction", "指令")
_INPUTS = "input context question query 输入 上下文 背景 问题".split()
_ASKING = ("question", "query", "问题")  # an input only where an instruction stands beside it
_SYSTEMS = "system systemprompt systemmessage 系统 系统提示 系统提示词 人设".split()
_HISTORIES = "history chathistory 历史 历史对话 对话历史".split()
_MESSAGES = (
    "messages conversations conversation dialogue dialog dialogues turns chat 对话 消息".split()
)
_TOOLS = "tools functions 工具".split()
_TEXTS = "text content document dialogue dialog conversation 文本 正文 内容 对话".split()
_CHOSEN = "chosen chosenresponse chosenanswer".split()
_REJECTED = "rejected rejectedresponse rejectedanswer".split()
_LABELS = "label ktotag".split()
_RANKS = "rank ranks ranking score scores preference preferences".split()
_ENDINGS = ("text", "content", "zh", "en")


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
    joined: bool = False

    def mapping(self) -> dict[str, str]:
        """Column -> role, as a person could have written it."""
        named = {role: getattr(self, role) for role in _COLUMN_ROLES} | {"user": self.user[:1]}
        return {column: role for role, columns in named.items() for column in columns}


_COLUMN_ROLES = tuple(f.name for f in fields(Roles) if f.name not in ("label", "rank", "joined"))
ROLES = (*_COLUMN_ROLES, "ignore")
_HOW = "Write question=user, answer=assistant."
_HOW_ZH = "写法如 question=user, answer=assistant。"


@lru_cache(maxsize=1024)
def readings(columns: tuple[str, ...]) -> tuple[tuple[str, Roles], ...]:
    """What a row of these columns can be, as (shape, roles), the likeliest first; () unknown."""
    found = [_preference(columns), *_talks(columns), _pair(columns)]
    texts = columns_named(_TEXTS, columns)
    found += [("text", Roles(text=(column,))) for column in texts]
    return tuple(reading for reading in found if reading)


def columns_named(names: Iterable[str], columns: Iterable[str]) -> list[str]:
    """The columns called so, in the order of the names; case, spaces, _ and - do not count, nor
    does an ending such as _text or _zh, though a name without it goes before."""
    spelled: dict[str, list[str]] = {}
    plain = [(column, re.sub(r"[\s_\-]+", "", str(column)).lower()) for column in columns]
    for column, name in plain:
        spelled.setdefault(name, []).append(column)
    for column, name in plain:
        for stem in _stems(name):
            spelled.setdefault(stem, []).append(column)
    return list(dict.fromkeys(column for name in names for column in spelled.get(name, [])))


def answer_columns(columns: Iterable[str]) -> list[str]:
    """The columns that hold answers by their name, the likeliest first."""
    return columns_named(_ANSWERS, columns)


def label_columns(columns: Iterable[str]) -> list[str]:
    """The columns that may say by their name whether an answer is good."""
    return columns_named(_LABELS, columns)


def _stems(name: str) -> Iterable[str]:
    while ending := next((s for s in _ENDINGS if name.endswith(s) and name != s), None):
        name = name[: -len(ending)]
        yield name


def _beside(columns: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The roles that stand beside a question and an answer in any shape."""
    columns = tuple(columns)
    named = {"system": _SYSTEMS, "history": _HISTORIES, "tools": _TOOLS}
    named |= {"label": _LABELS, "rank": _RANKS}
    return {role: tuple(columns_named(names, columns)) for role, names in named.items()}


def _preference(columns: tuple[str, ...]) -> tuple[str, Roles] | None:
    chosen, rejected = columns_named(_CHOSEN, columns), columns_named(_REJECTED, columns)
    if not (chosen and rejected):
        return None
    user, added = _asked(columns)
    talks = () if user else tuple(columns_named(_MESSAGES, columns))[:1]
    if not (user or talks):  # the answer holds the conversation before it
        return "preference", Roles(messages=(chosen[0],), **_beside(columns))
    roles = Roles(user=user, input=added, messages=talks, assistant=(chosen[0],))
    return "preference", replace(roles, **_beside(columns))


def _talks(columns: tuple[str, ...]) -> list[tuple[str, Roles]]:
    beside = _beside(columns) | {"history": (), "rank": ()}
    named = columns_named(_MESSAGES, columns)
    return [("messages", Roles(messages=(column,), **beside)) for column in named]


def _pair(columns: tuple[str, ...]) -> tuple[str, Roles] | None:
    answers = columns_named(_ANSWERS, columns)
    user, added = _asked(columns)
    if not (answers and user):
        return None
    shape = "alpaca" if columns_named(_INSTRUCTIONS, user[:1]) else "pairs"
    return shape, Roles(user=user, input=added, assistant=tuple(answers), **_beside(columns))


def _asked(columns: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns of the question, and those that are added to it."""
    user = columns_named(_QUESTIONS, columns)
    added = columns_named(_INPUTS, columns)
    if not columns_named(_INSTRUCTIONS, user[:1]):
        asking = columns_named(_ASKING, added)
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
            f"There is no column {unknown[0]!r}; the columns are {shown}.",
            f"没有名为 {unknown[0]!r} 的列；现有的列是 {shown_zh}。",
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
                f"{role!r} is no role for the column {column!r}; the roles are "
                f"{', '.join(ROLES)}. {_HOW}",
                f"列 {column!r} 的用途 {role!r} 无效；可用的有 {'、'.join(ROLES)}。{_HOW_ZH}",
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
