"""What people call the columns of each role, and how two names are compared."""

import re
from collections.abc import Iterable

_ASKED = "input prompt message query question 输入 提问 问题 提示 咨询".split()
_ANSWERED = "output response answer reply 输出 回答 答案 答复 回复 回应".split()
_ASKERS = "user human 用户 客户".split()
_ANSWERERS = "model assistant bot gpt ai 模型 助手 客服 机器人".split()
QUESTIONS = [
    *"instruction prompt question ask query problem".split(),
    *(who + what for who in _ASKERS for what in _ASKED),
    *"user human request q 指令 问题 提问 用户 提示词 提示 题目 问句 问 咨询 上文 context".split(),
    *"input 输入 title questiontitle subject 标题".split(),
]
ANSWERS = [
    *"output response completion answer reply target assistant solution gpt bot".split(),
    *(who + what for who in _ANSWERERS for what in _ANSWERED),
    *"a 输出 回答 答案 答复 回复 回应 解答 助手 下文 答".split(),
]
INSTRUCTIONS = "instruction 指令".split()
INPUTS = "input context question query 输入 上下文 背景 问题".split()
ASKING = "question query 问题".split()  # an input only where an instruction stands beside it
SYSTEMS = "system systemprompt systemmessage 系统 系统提示 系统提示词 人设".split()
HISTORIES = "history chathistory 历史 历史对话 对话历史".split()
MESSAGES = (
    "messages conversations conversation dialogue dialog dialogues turns chat 对话 消息".split()
)
TOOLS = "tools functions 工具".split()
TEXTS = "text content document dialogue dialog conversation 文本 正文 内容 对话".split()
# A text, and what is made of it: where both stand, the first asks and the second answers.
SOURCES = (
    "document article passage text content input dialogue dialog conversation "
    "文章 原文 正文 内容 文本 对话 source"  # the last: it often says where a row is from
).split()
RETOLD = "summary highlights target 摘要 总结 译文".split()
CHOSEN = (
    "chosen chosenresponse chosenanswer preferred preferredoutput preferredresponse pos 接受 采纳"
).split()
REJECTED = (
    "rejected rejectedresponse rejectedanswer nonpreferred nonpreferredoutput dispreferred "
    "dispreferredresponse neg 拒绝"
).split()
LABELS = "label ktotag".split()
RANKS = "rank ranks ranking score scores preference preferences".split()

_ENDINGS = "text content zh en 内容 文本 描述".split()
_FEWEST_OF_A_PLURAL = 4  # letters: "as" is no plural of "a"
_SIMPLIFIED = str.maketrans(
    "問題輸應覆復對話標內歷統說詞臺絕戶諮詢總結譯機設",
    "问题输应复复对话标内历统说词台绝户咨询总结译机设",
)


def columns_named(names: Iterable[str], columns: Iterable[str]) -> list[str]:
    """The columns called so, in the order of the names; case, spaces, _ and -, and traditional
    characters do not count, nor does an ending such as _text, _zh or the s of a plural, though a
    name without it goes before."""
    spelled: dict[str, list[str]] = {}
    plain = [(column, _plain(str(column))) for column in columns]
    for column, name in plain:
        spelled.setdefault(name, []).append(column)
    for column, name in plain:
        for stem in _stems(name):
            spelled.setdefault(stem, []).append(column)
    return list(dict.fromkeys(column for name in names for column in spelled.get(name, [])))


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-]+", "", name).lower().translate(_SIMPLIFIED)


def _stems(name: str) -> Iterable[str]:
    while ending := _ending(name):
        name = name[: -len(ending)]
        yield name


def _ending(name: str) -> str:
    if name.endswith("s") and len(name) > _FEWEST_OF_A_PLURAL:
        return "s"
    return next((one for one in _ENDINGS if name.endswith(one) and name != one), "")
