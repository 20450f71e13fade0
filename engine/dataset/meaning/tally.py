"""What is counted while rows become conversations, and what a person is told of it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from engine.dataset.meaning.columns import Roles
from engine.dataset.meaning.rows import is_filled
from engine.dataset.reasoning import reasons
from engine.dataset.weight import is_learned
from engine.errors import Sentence

_COLUMNS_NAMED = 12


class Unused:
    """The columns that hold something and are read in no row."""

    def __init__(self) -> None:
        self._filled: dict[str, None] = {}
        self._read: set[str] = set()

    def look(self, row: dict[str, Any], read: Iterable[str]) -> None:
        self._read.update(read)
        if row.keys() <= self._filled.keys():
            return
        for column, value in row.items():
            if column not in self._filled and is_filled(value):
                self._filled[column] = None

    def notes(self) -> list[Sentence]:
        names = [column for column in self._filled if column not in self._read]
        return [_not_used(names)] if names else []


@dataclass(slots=True)
class Tally:
    sources: list[int] = field(default_factory=list)
    dropped: list[tuple[int, Sentence]] = field(default_factory=list)
    shapes: Counter = field(default_factory=Counter)
    roles: dict[str, Roles] = field(default_factory=dict)  # of the first row of each shape
    unused: Unused = field(default_factory=Unused)
    cut: int = 0
    joined: int = 0  # paragraphs that go on with the one before
    reasoned: int = 0
    unlearned: int = 0  # conversations with an answer of weight 0

    def take(self, number: int, conversation: dict[str, Any], cut: bool) -> None:
        """A conversation from the row of this number."""
        messages = conversation.get("messages", [])
        self.sources.append(number)
        self.cut += cut
        self.reasoned += bool(reasons(messages))
        self.unlearned += not all(map(is_learned, messages))

    def notes(self) -> list[Sentence]:
        said = ((self.shapes[shape], words) for shape, words in _OF_SHAPES.items())
        said = [*said, *((getattr(self, name), words) for name, words in _OF_COUNTS.items())]
        counted = [Sentence(*(one.format(n=n) for one in words)) for n, words in said if n]
        return [*self.unused.notes(), *counted]


def _not_used(names: list[str]) -> Sentence:
    more = len(names) - _COLUMNS_NAMED
    shown = names[:_COLUMNS_NAMED]
    if len(names) == 1:
        return Sentence(f"The column {shown[0]} is not used.", f"没有用到的列：{shown[0]}。")
    last = f"{more} more" if more > 0 else shown.pop()
    zh = f"没有用到的列：{'、'.join(names[:_COLUMNS_NAMED])}"
    zh += f"等 {len(names)} 列。" if more > 0 else "。"
    return Sentence(f"The columns {', '.join(shown)} and {last} are not used.", zh)


_OF_SHAPES = {
    "preference": Sentence(
        "Preference data in {n} rows: the chosen answers are used, the rejected ones are left out.",
        "有 {n} 行是偏好数据：采用 chosen 的回答，不用 rejected 的。",
    ),
    "labelled": Sentence(
        "Labels in {n} rows: answers labelled good are used, bad ones are left out.",
        "有 {n} 行带标签：采用标为好的回答，不用标为不好的。",
    ),
    "unnamed": Sentence(
        "In {n} rows the lines name nobody: they are read as user and assistant by turns.",
        "有 {n} 行的对话没有写明谁在说：按用户、助手轮流来读。",
    ),
}
_OF_COUNTS = {
    "joined": Sentence(
        "{n} paragraphs go on with the conversation before them; a question behind an answer "
        "begins a new one.",
        "有 {n} 段接在前一段之后，属于同一段对话；回答之后的提问另起一段对话。",
    ),
    "reasoned": Sentence(
        "In {n} conversations answers come with reasoning; it is learned with them, as the chat "
        "template writes it or between <think> and </think>.",
        "有 {n} 段对话的回答带有思考过程，会和回答一起学：按对话模板的写法，"
        "模板没有写法时放在 <think> 和 </think> 之间。",
    ),
    "unlearned": Sentence(
        "In {n} conversations some answers have weight 0: they are read, not learned.",
        "有 {n} 段对话含有 weight 为 0 的回答：只读不学。",
    ),
    "cut": Sentence(
        "In {n} conversations the end has no answer; it is cut off, since it would teach nothing.",
        "有 {n} 段对话的结尾没有回答，学不到东西，已截去。",
    ),
}
