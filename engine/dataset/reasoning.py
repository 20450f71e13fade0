"""Reasoning before an answer: the names under which files and chat templates have it, and words.

A message that reasons has "reasoning_content" beside its "content".
"""

from typing import Any

Message = dict[str, Any]

FIELD = "reasoning_content"
NAMES = (FIELD, "reasoning", "thinking")


def reasons(messages: list[Message]) -> list[str]:
    """What is thought in a conversation, answer by answer."""
    return [one[FIELD] for one in messages if FIELD in one]


def for_template(messages: list[Message], name: str) -> list[Message]:
    """With the reasoning under the name that the template reads, or "" = in the words of the
    answer."""
    return [_for_template(one, name) if FIELD in one else one for one in messages]


def _for_template(message: Message, name: str) -> Message:
    without = {key: value for key, value in message.items() if key != FIELD}
    return without | ({name: message[FIELD]} if name else {"content": in_words(message)})


def in_words(message: Message) -> str:
    """What is said, after what is thought in the marks that reasoning models write themselves."""
    if FIELD not in message:
        return message["content"]
    return f"<think>\n{message[FIELD]}\n</think>\n\n{message['content']}".rstrip()
