"""One text that holds a whole conversation between marks, such as `### Human:` and `<bot>:`."""

import re
from typing import Any

_WORDS = {
    **dict.fromkeys("system 系统".split(), "system"),
    **dict.fromkeys(
        "human user instruction input question 用户 人类 指令 输入 问题 问".split(), "user"
    ),
    **dict.fromkeys("assistant response bot gpt answer 助手 回答 回复 答".split(), "assistant"),
}
_WORD = "(" + "|".join(sorted(_WORDS, key=len, reverse=True)) + ")"
_HASHED = re.compile(rf"###[ \t]*{_WORD}[ \t]*(?:[:：]|$)", re.IGNORECASE | re.MULTILINE)
_ANGLED = re.compile(rf"<{_WORD}>[ \t]*[:：]", re.IGNORECASE)
_BARE = re.compile(rf"^[ \t]*{_WORD}[ \t]*[:：]", re.IGNORECASE | re.MULTILINE)


def turns_in(text: str) -> list[dict[str, Any]] | None:
    """Its messages, what stands before the first mark as the system prompt; None when it holds no
    conversation: marks of both sides, first the asking one."""
    for marks in (_HASHED, _ANGLED, _BARE):
        found = list(marks.finditer(text))
        sides = [_WORDS[mark[1].lower()] for mark in found]
        if not _is_talk(sides):
            continue
        before = text[: found[0].start()].strip()
        if before and marks is _BARE:  # prose that quotes a conversation
            continue
        return _joined(text, found, sides, before)
    return None


def _is_talk(sides: list[str]) -> bool:
    said = [side for side in sides if side != "system"]
    return bool(said) and said[0] == "user" and "assistant" in said


def _joined(text: str, found: list[re.Match], sides: list[str], before: str) -> list[dict]:
    """`### Input:` after `### Instruction:` belongs to the same question."""
    messages = [{"role": "system", "content": before}] if before else []
    ends = [mark.start() for mark in found[1:]] + [len(text)]
    names = [mark[1].lower() for mark in found]
    for i, (mark, end) in enumerate(zip(found, ends, strict=True)):
        content = text[mark.end() : end].strip()
        if i and (names[i - 1], names[i]) in (("instruction", "input"), ("指令", "输入")):
            messages[-1]["content"] = f"{messages[-1]['content']}\n{content}".strip()
        else:
            messages.append({"role": sides[i], "content": content})
    return messages
