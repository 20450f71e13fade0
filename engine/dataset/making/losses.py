"""What stands in a dataset and cannot be held by the file that is made of it: counted, and told."""

from collections import Counter
from typing import Any

from engine.dataset.meaning.formats import Conversations
from engine.dataset.weight import is_learned
from engine.errors import Sentence

LOSSES = {
    "system": Sentence(
        "{rows} conversations have a system prompt; it is left out.",
        "{rows} 段对话有系统提示词，会被去掉。",
    ),
    "tools": Sentence(
        "{rows} conversations use tools; the tools are left out, and only what was asked and "
        "answered in words stays.",
        "{rows} 段对话用到了工具；工具部分会被去掉，只留下用文字写的提问和回答。",
    ),
    "turns": Sentence(
        "{rows} conversations have several turns; each answer becomes a row of its own that knows "
        "nothing of the turns before it.",
        "{rows} 段对话有多轮；每个回答各成一行，看不到前面的几轮。",
    ),
    "roles": Sentence(
        "{rows} conversations become running text, in which a trainer no longer tells questions "
        "from answers; it learns all of it.",
        "{rows} 段对话会变成连续的文本，训练时分不清提问和回答，全部都会被学习。",
    ),
    "described": Sentence(
        "{rows} conversations say which tools there are; their calls and results stay, as text, "
        "but the descriptions of the tools are left out.",
        "{rows} 段对话带有工具说明；调用和结果会写成文字，工具说明会被去掉。",
    ),
    "plain": Sentence(
        "{rows} rows are plain text without a question; they become answers to an empty question, "
        "which most trainers leave out. The format text holds them as they are.",
        "{rows} 行是没有提问的纯文本，会变成对空提问的回答，多数训练工具会跳过它们。"
        "选“text”格式可以原样保留。",
    ),
    "unlearned": Sentence(
        "{rows} conversations have answers of weight 0, which are read and not learned; the new "
        "format cannot say so, and they are learned.",
        "{rows} 段对话有权重为 0 的回答（只读不学）；新格式无法标明，这些回答会被学习。",
    ),
    "wordless": Sentence(
        "{rows} conversations hold no answer in words and are not written.",
        "{rows} 段对话没有文字回答，没有写入。",
    ),
    "rejected": Sentence(
        "{rows} rows have a rejected answer beside the chosen one; it is left out, for the new "
        "format holds one answer.",
        "{rows} 行除了选中的回答还有被拒绝的回答；新格式只能容纳一个回答，被拒绝的会被去掉。",
    ),
    "nul": Sentence(
        "{rows} conversations hold NUL characters, which no CSV can hold; they are taken out.",
        "{rows} 段对话含有 NUL 字符，CSV 无法存放，会被去掉。",
    ),
}
_DROPPED = Sentence(
    "{rows} rows cannot be learned from and are not written: {reason}.",
    "{rows} 行无法学习，没有写入：{reason}。",
)
_CANNOT_HOLD = {
    "messages": (),
    "alpaca": ("tools", "unlearned"),
    "sharegpt": ("unlearned",),
    "prompt-completion": ("system", "tools", "turns", "unlearned"),
    "context-target": ("system", "tools", "turns", "unlearned"),
    "text": ("roles", "described"),
}


def lost_of(conversation: dict[str, Any], to: str, rows: list[dict[str, Any]]) -> list[str]:
    """The kinds that this conversation loses to a format in which it becomes these rows."""
    if "text" in conversation:
        return [] if to == "text" else ["plain"]
    messages = conversation["messages"]
    has = {
        "system": messages[0]["role"] == "system",
        "tools": "tools" in conversation
        or any(m["role"] == "tool" or m.get("tool_calls") for m in messages),
        "turns": sum(m["role"] == "user" for m in messages) > 1,
        "roles": True,
        "described": "tools" in conversation,
        "unlearned": not all(map(is_learned, messages)),
    }
    wordless = [] if rows else ["wordless"]
    return [kind for kind in _CANNOT_HOLD[to] if has[kind]] + wordless


def dropped(found: Conversations) -> Counter[Sentence]:
    """How many rows of the file are in none of its conversations, by reason."""
    return Counter(reason for _, reason in found.dropped)


def told(found: Conversations, lost: dict[str, int]) -> list[Sentence]:
    """All that stands in the file and not in the new one, in words."""
    counted = [(_DROPPED, rows, reason) for reason, rows in dropped(found).items()]
    counted += [(LOSSES[kind], rows, Sentence("", "")) for kind, rows in lost.items()]
    return [
        Sentence(
            sentence.en.format(rows=rows, reason=reason.en),
            sentence.zh.format(rows=rows, reason=reason.zh),
        )
        for sentence, rows, reason in counted
    ]
