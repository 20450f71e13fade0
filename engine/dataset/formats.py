"""A row becomes a conversation: the shapes that people's rows have, and what each column means.

A conversation is `{"messages": [{"role", "content"}, ...]}` or, for plain text, `{"text": str}`.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from engine.errors import Sentence, UserError

ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
}
QUESTION_COLUMNS = ("prompt", "question", "ask", "query", "user", "context", "问题", "提问", "输入")
ANSWER_COLUMNS = (
    "response",
    "completion",
    "answer",
    "assistant",
    "reply",
    "target",
    "output",
    "回答",
    "答案",
    "输出",
)
TITLES = {
    "messages": Sentence("messages (OpenAI)", "messages（OpenAI）"),
    "sharegpt": Sentence("conversations (ShareGPT)", "conversations（ShareGPT）"),
    "alpaca": Sentence("instruction / input / output (Alpaca)", "指令 / 输入 / 输出（Alpaca）"),
    "pairs": Sentence("question and answer columns", "问答两列"),
    "text": Sentence("plain text", "纯文本"),
}


class Dropped(Exception):
    """This row cannot be learned from; says why."""

    def __init__(self, en: str, zh: str):
        super().__init__(en)
        self.reason = Sentence(en, zh)


@dataclass(frozen=True, slots=True)
class Conversations:
    """What a table became. `conversations[i]` came from row `sources[i]` of the file (0-based)."""

    format: str
    mapping: dict[str, str]
    conversations: list[dict[str, Any]]
    sources: list[int]
    dropped: Counter  # Sentence -> rows


def to_conversations(rows: list[dict[str, Any]], columns: list[str]) -> Conversations:
    """Every row goes its own way; the format named is the commonest.

    Raises UserError (field "dataset") when no row has a known shape or none is left.
    """
    shapes: Counter = Counter()
    kept, sources, dropped = [], [], Counter()
    for number, row in enumerate(rows):
        shape = shape_of(row)
        if shape is None:
            dropped[Sentence("its columns are not known", "列名无法识别")] += 1
            continue
        shapes[shape] += 1
        try:
            kept.append(_READERS[shape](row))
            sources.append(number)
        except Dropped as drop:
            dropped[drop.reason] += 1
    if not shapes:
        raise _unknown(columns)
    if not kept:
        reasons = "; ".join(f"{count} x {reason.en}" for reason, count in dropped.items())
        reasons_zh = "；".join(f"{count} 行{reason.zh}" for reason, count in dropped.items())
        raise UserError(
            f"No row can be learned from: {reasons}. Mend the file and choose it again.",
            f"没有一行可以学习：{reasons_zh}。请改好文件后重新选择。",
            field="dataset",
        )
    best = shapes.most_common(1)[0][0]
    return Conversations(best, _mapping(best, columns), kept, sources, dropped)


def shape_of(row: dict[str, Any]) -> str | None:
    """Which of the known shapes a row has, None for none of them."""
    if isinstance(row.get("messages"), list):
        return "messages"
    if isinstance(row.get("conversations"), list):
        return "sharegpt"
    if "instruction" in row and _first(row, ("output", "response")) is not None:
        return "alpaca"
    if _first(row, QUESTION_COLUMNS) and _first(row, ANSWER_COLUMNS):
        return "pairs"
    if isinstance(row.get("text"), str):
        return "text"
    return None


def _first(row: dict[str, Any], names: tuple[str, ...]) -> str | None:
    """The row's own spelling of the first of these columns that it has."""
    spelled = {str(key).strip().lower(): key for key in row}
    return next((spelled[name] for name in names if name in spelled), None)


def _mapping(shape: str, columns: list[str]) -> dict[str, str]:
    row = dict.fromkeys(columns)
    if shape == "messages":
        return {"messages": "messages"}
    if shape == "sharegpt":
        return {"conversations": "messages"}
    if shape == "text":
        return {"text": "text"}
    if shape == "alpaca":
        roles = {"system": "system", "history": "history", "instruction": "user", "input": "user"}
        found = {name: role for name, role in roles.items() if name in row}
        return found | {_first(row, ("output", "response")): "assistant"}
    pair = {_first(row, QUESTION_COLUMNS): "user", _first(row, ANSWER_COLUMNS): "assistant"}
    return ({"system": "system"} if "system" in row else {}) | pair


def _from_messages(row: dict[str, Any]) -> dict[str, Any]:
    return _checked([_message(one, "role", "content") for one in row["messages"]])


def _from_sharegpt(row: dict[str, Any]) -> dict[str, Any]:
    turns = row["conversations"]
    first = turns[0] if turns and isinstance(turns[0], dict) else {}
    keys = ("role", "content") if "role" in first else ("from", "value")
    head = [{"role": "system", "content": _text(row["system"])}] if row.get("system") else []
    return _checked(head + [_message(one, *keys) for one in turns])


def _from_alpaca(row: dict[str, Any]) -> dict[str, Any]:
    question = "\n".join(_text(row.get(n)) for n in ("instruction", "input") if _text(row.get(n)))
    answer = _text(row[_first(row, ("output", "response"))])
    messages = [{"role": "system", "content": _text(row["system"])}] if row.get("system") else []
    history = row.get("history") or []
    for turn in history if isinstance(history, list) else [history]:
        if not (isinstance(turn, list) and len(turn) == 2):
            raise Dropped("its history is not a list of pairs", "history 不是成对的问答")
        messages += _pair(_text(turn[0]), _text(turn[1]))
    return _checked(messages + _pair(question, answer))


def _from_pairs(row: dict[str, Any]) -> dict[str, Any]:
    head = [{"role": "system", "content": _text(row["system"])}] if row.get("system") else []
    question = _text(row[_first(row, QUESTION_COLUMNS)])
    return _checked(head + _pair(question, _text(row[_first(row, ANSWER_COLUMNS)])))


def _from_text(row: dict[str, Any]) -> dict[str, Any]:
    if not row["text"].strip():
        raise Dropped("its text is empty", "文本为空")
    return {"text": row["text"]}


_READERS = {
    "messages": _from_messages,
    "sharegpt": _from_sharegpt,
    "alpaca": _from_alpaca,
    "pairs": _from_pairs,
    "text": _from_text,
}


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str | int | float):
        raise Dropped("a cell is a list or an object, not text", "有一格是列表或对象，不是文本")
    return str(value).strip()


def _pair(question: str, answer: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def _message(one: Any, role_key: str, content_key: str) -> dict[str, str]:
    if not isinstance(one, dict) or role_key not in one or content_key not in one:
        raise Dropped("a turn has no role or no content", "有一轮缺少角色或内容")
    role = ROLES.get(str(one[role_key]).lower())
    if role is None:
        raise Dropped("a turn has a role that is not known yet", "有一轮的角色暂不认识")
    content = one[content_key]
    if isinstance(content, list):  # OpenAI's parts
        content = "".join(str(p.get("text") or "") for p in content if isinstance(p, dict))
    return {"role": role, "content": _text(content)}


def _checked(messages: list[dict[str, str]]) -> dict[str, Any]:
    """Drops what no chat template could render or what holds no answer."""
    turns = [m for m in messages if m["role"] != "system"]
    if not any(m["role"] == "assistant" and m["content"] for m in turns):
        raise Dropped("it has no answer", "没有回答")
    if turns[0]["role"] != "user" or not turns[0]["content"]:
        raise Dropped("it does not begin with a question", "不是以提问开头")
    if any(a["role"] == b["role"] for a, b in zip(turns, turns[1:], strict=False)):
        raise Dropped("two turns of one side follow each other", "同一方连续说了两轮")
    if any(m["role"] == "system" for m in messages[1:]):
        raise Dropped("a system turn stands in the middle", "系统提示词出现在中间")
    return {"messages": messages}


def _unknown(columns: list[str]) -> UserError:
    listed = ", ".join(columns[:12])
    return UserError(
        f"The columns found are {listed}; none of them can be read as question and answer. "
        "Name them instruction and output, or prompt and response, or use a messages column.",
        f"找到的列是 {listed}，看不出哪列是提问、哪列是回答。"
        "请改名为 instruction 和 output，或 prompt 和 response，或用 messages 列。",
        field="dataset",
    )
