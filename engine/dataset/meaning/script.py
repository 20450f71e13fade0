"""A script of `name: line`: the lines of one person as answers to what the others say."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from engine.dataset.meaning.dialogue import SIDES, question_and_answer
from engine.dataset.meaning.lines import Line, Script
from engine.dataset.meaning.marked_text import side_of_mark
from engine.dataset.meaning.reasons import (
    NO_SPEAKER,
    NOBODY_ANSWERS,
    NOTHING_BEFORE,
    TOO_FAR_BEFORE,
)
from engine.errors import Sentence, UserError, quoted

_CONTEXT_LINES = 6


@dataclass(slots=True)
class Told:
    """What became of the lines: rows of the first lines of answers, (row, why) of every line that
    is left out, and how many lines are learned, stand as prompts, and go on without a name."""

    sources: list[int] = field(default_factory=list)
    dropped: list[tuple[int, Sentence]] = field(default_factory=list)
    learned: int = 0
    prompts: int = 0
    continued: int = 0

    def counts(self) -> Counter:
        return Counter(learned=self.learned, prompts=self.prompts, dropped=len(self.dropped))


class _Speech(NamedTuple):
    """What the speaker says at once, if anything, and what the others say since the last time."""

    before: list[Line]
    said: list[Line]


def speakers_of(lines: Iterable[Line | None], wanted: str) -> tuple[Counter, str]:
    """Lines by name, and whose lines are learned: `wanted`, or who has most lines that answer
    somebody; of names that are sides of a chat the assistant.

    Raises UserError (field "speaker") for somebody who says nothing.
    """
    speakers, answering = Counter(), Counter()
    scene: set[str] = set()
    for line in lines:
        if line is None or not line.name:
            scene = set()
            continue
        speakers[line.name] += 1
        answering[line.name] += bool(scene - {line.name})
        scene.add(line.name)
    common = [name for name, _ in speakers.most_common()]
    if wanted and wanted not in speakers:
        raise UserError(
            f"Nobody called {quoted(wanted)} speaks in this file; those who speak most are "
            f"{', '.join(common[:8])}. Choose one of them.",
            f"文件里没有名为 {quoted(wanted)} 的说话人；台词最多的有 {'、'.join(common[:8])}。"
            "请从中选择。",
            field="speaker",
        )
    sides = {name: SIDES.get(name.lower()) or side_of_mark(name) for name in common}
    assistants = [name for name, side in sides.items() if side == "assistant"]
    if assistants and all(sides.values()):
        common = assistants
    return speakers, wanted or max(common, key=lambda name: answering[name])


def answers_of(
    script: Script, rows: Iterable[dict[str, Any]], speaker: str, told: Told
) -> Iterator[dict[str, Any]]:
    """Each speech of the speaker with what the others say before it; `told` is filled on the way.

    The prompt goes back to the speaker's last line, to the beginning of the scene, or 6 lines.
    """
    for before, said in _speeches(script.lines(rows), speaker):
        told.continued += sum(line.more for line in (*before, *said))
        prompt = before[-_CONTEXT_LINES:]
        if said and prompt:
            told.dropped += [(line.row, TOO_FAR_BEFORE) for line in before[:-_CONTEXT_LINES]]
            told.sources.append(said[0].row)
            told.learned += len(said)
            told.prompts += len(prompt)
            yield _pair(prompt, said)
            continue
        told.dropped += [(line.row, NOTHING_BEFORE) for line in said]
        told.dropped += [(line.row, NOBODY_ANSWERS if line.name else NO_SPEAKER) for line in before]


def _speeches(lines: Iterable[Line | None], speaker: str) -> Iterator[_Speech]:
    """Together they hold every line once; a line without a name stands alone and ends the scene."""
    speech = _Speech([], [])
    for line in lines:
        if line and line.name == speaker:
            speech.said.append(line)
            continue
        if speech.said or not (line and line.name):
            yield speech
            speech = _Speech([], [])
        if line and line.name:
            speech.before.append(line)
        elif line:
            yield _Speech([line], [])
    yield speech


def _pair(before: list[Line], said: list[Line]) -> dict[str, Any]:
    several = len({line.name for line in before}) > 1
    asked = [f"{line.name}: {line.text}" if several else line.text for line in before]
    answer = "\n".join(line.text for line in said)
    return {"messages": question_and_answer("\n".join(asked), answer)}
