"""A script of `name: line`: the lines of one person as answers to what the others say."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from typing import Any

from engine.dataset.meaning.dialogue import SIDES, is_known, question_and_answer
from engine.dataset.meaning.lines import Line, Script
from engine.dataset.meaning.reasons import NO_SPEAKER, NOTHING_BEFORE
from engine.errors import Sentence, UserError

_CONTEXT_LINES = 6


def the_speaker(speakers: Counter, wanted: str) -> str:
    """`wanted`, or who speaks most; of user and assistant the assistant.

    Raises UserError (field "speaker") for somebody who says nothing.
    """
    common = [name for name, _ in speakers.most_common()]
    if wanted and wanted not in speakers:
        raise UserError(
            f"Nobody called {wanted!r} speaks in this file; those who speak most are "
            f"{', '.join(common[:8])}. Choose one of them.",
            f"文件里没有名为 {wanted!r} 的说话人；台词最多的有 {'、'.join(common[:8])}。"
            "请从中选择。",
            field="speaker",
        )
    answering = [name for name in common if SIDES.get(name.lower()) == "assistant"]
    if answering and all(map(is_known, common)):
        common = answering
    return wanted or common[0]


def answers_of(
    lines: Iterable[Line], speaker: str
) -> Iterator[tuple[int, dict[str, Any] | Sentence]]:
    """Each speech of the speaker with what the others say before it, and the row of its first line;
    or why there is none.

    The prompt goes back to the speaker's last line, to the beginning of the scene, or 6 lines.
    """
    before: deque[Line] = deque(maxlen=_CONTEXT_LINES)
    said: list[Line] = []
    for line in lines:
        if line.name == speaker:
            said.append(line)
            continue
        if said:
            yield said[0].row, _pair(before, said)
            before.clear()
            said = []
        if line.name:
            before.append(line)
        else:
            before.clear()
    if said:
        yield said[0].row, _pair(before, said)


def nameless_rows(script: Script, rows: Iterable[dict[str, Any]]) -> Iterator[tuple[int, Sentence]]:
    """The rows in which nobody speaks, with the reason."""
    for number, row in enumerate(rows):
        if not any(name for name, _ in script.lines_in(row)):
            yield number, NO_SPEAKER


def _pair(before: Iterable[Line], said: list[Line]) -> dict[str, Any] | Sentence:
    if not before:
        return NOTHING_BEFORE
    several = len({line.name for line in before}) > 1
    asked = [f"{line.name}: {line.text}" if several else line.text for line in before]
    answer = "\n".join(line.text for line in said)
    return {"messages": question_and_answer("\n".join(asked), answer)}
