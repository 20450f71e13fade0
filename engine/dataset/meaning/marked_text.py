"""One text that holds a whole conversation between marks, such as `### Human:` and `<bot>:`.

Also the special tokens of the usual chat templates: a text that was rendered through one.
"""

import re
from typing import Any, NamedTuple

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
# At the beginning of a line a letter will do; in a heading, ### A, it is a letter.
_BARE_WORDS = _WORDS | {"q": "user", "a": "assistant", "ai": "assistant"}
_BARE_WORD = "(" + "|".join(sorted(_BARE_WORDS, key=len, reverse=True)) + ")"
_BARE = re.compile(rf"^[ \t]*{_BARE_WORD}[ \t]*[:：]", re.IGNORECASE | re.MULTILINE)

_ROLES = {
    **dict.fromkeys("system <<SYS>>".split(), "system"),
    **dict.fromkeys("user [INST] <</SYS>>".split(), "user"),
    **dict.fromkeys("assistant model [/INST]".split(), "assistant"),
    **dict.fromkeys("tool ipython observation".split(), "tool"),
}
_ROLE = "(system|user|assistant|model|tool|ipython|observation)"
_TEMPLATES = tuple(
    map(
        re.compile,
        (
            rf"<\|im_start\|>{_ROLE}[ \t]*\n",  # ChatML
            rf"<\|start_header_id\|>{_ROLE}<\|end_header_id\|>",  # Llama 3
            rf"<start_of_turn>{_ROLE}[ \t]*\n",  # Gemma
            rf"<\|{_ROLE}\|>",  # Zephyr, Phi, GLM
            r"(\[/?INST\]|<</?SYS>>)",  # Llama 2, Mistral
        ),
    )
)
_BEGINS = ("<s>", "<bos>", "<|begin_of_text|>", "[gMASK]", "<sop>")
_ENDS = (
    "<|im_end|> <|eot_id|> <|eom_id|> <end_of_turn> <|end|> <|endoftext|> <|end_of_text|> "
    "<eos> </s> <s>"  # of the next turn
).split()


class MarkSet(NamedTuple):
    """One way of marking turns: how a mark is found, and which side its word is."""

    pattern: re.Pattern
    words: dict[str, str]

    def sides(self, text: str) -> list[str]:
        """Of all marks in a text, in order."""
        return [self._side(mark) for mark in self.pattern.finditer(text)]

    def first_side(self, text: str) -> str:
        """Of the mark that a text begins with; "" without one."""
        mark = self.pattern.match(text)
        return self._side(mark) if mark else ""

    def _side(self, mark: re.Match) -> str:
        return self.words.get(mark[1]) or self.words[mark[1].lower()]


_WRITTEN = (MarkSet(_HASHED, _WORDS), MarkSet(_ANGLED, _WORDS), MarkSet(_BARE, _BARE_WORDS))
_RENDERED = tuple(MarkSet(pattern, _ROLES) for pattern in _TEMPLATES)


def marks_before(text: str) -> MarkSet | None:
    """The marks of which a text begins with one."""
    return next((marks for marks in (*_RENDERED, *_WRITTEN) if marks.first_side(text)), None)


def turns_in(text: str) -> list[dict[str, Any]] | None:
    """Its messages, what stands before the first mark as the system prompt; None when it holds no
    conversation: marks of both sides, first the asking one."""
    for marks in _RENDERED:
        found, sides = list(marks.pattern.finditer(text)), marks.sides(text)
        if _is_talk(sides) and not _unframed(text[: found[0].start()]):  # else prose about them
            return _rendered(text, found, sides)
    for marks in _WRITTEN:
        found, sides = list(marks.pattern.finditer(text)), marks.sides(text)
        if not _is_talk(sides):
            continue
        before = text[: found[0].start()].strip()
        if before and marks.pattern is _BARE:  # prose that quotes a conversation
            continue
        return _joined(text, found, sides, before)
    return None


def side_of_mark(name: str) -> str:
    """Which side of a chat a line that begins with this name and a colon is; "" for a person."""
    return _BARE_WORDS.get(name.lower(), "")


def _is_talk(sides: list[str]) -> bool:
    said = [side for side in sides if side != "system"]
    return bool(said) and said[0] == "user" and "assistant" in said


def _rendered(text: str, found: list[re.Match], sides: list[str]) -> list[dict[str, Any]]:
    """Without the tokens that end a turn; Llama 2 has its system prompt within the first of the
    user, which is empty before it."""
    ends = [mark.start() for mark in found[1:]] + [len(text)]
    messages = []
    for i, (mark, side, end) in enumerate(zip(found, sides, ends, strict=True)):
        content = _unframed(text[mark.end() : end])
        if content or sides[i + 1 : i + 2] != ["system"]:
            messages.append({"role": side, "content": content})
    return messages


def _unframed(text: str) -> str:
    """Without the special tokens, and the white space, before and after what is said."""
    text = text.strip()
    while frame := next((one for one in _BEGINS if text.startswith(one)), ""):
        text = text.removeprefix(frame).lstrip()
    while frame := next((one for one in _ENDS if text.endswith(one)), ""):
        text = text.removesuffix(frame).rstrip()
    return text


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
