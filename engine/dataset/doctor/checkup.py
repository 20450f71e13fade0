"""One pass over the conversations: what each row shows to the doctor, counted by kind."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.dataset.doctor.duplicates import (
    KEPT_OF_EACH,
    NEAR,
    Answers,
    Copies,
    Sketches,
    question_key,
)
from engine.dataset.doctor.faults import FAULTS, fault_in
from engine.dataset.doctor.placeholders import Placeholders
from engine.dataset.doctor.turns import answer_of, question_of, texts_of
from engine.dataset.doctor.writing import TITLES, is_short, script_of
from engine.errors import Sentence

if TYPE_CHECKING:
    from engine.dataset.meaning.formats import Conversations

FEWEST_WORDS = 5  # an answer with fewer is short
_EXAMPLES = 3
_EXAMPLE_CHARACTERS = 120
_BEFORE = 40  # of them, before the place
_LETTERS_TO_COMPARE = 12  # "OK" in a Chinese conversation is no change of language
_NAMES = 8
_SHARE_OF_A_SECOND = 0.03


@dataclass(slots=True)
class Tally:
    """Rows with one kind of problem, the first of them, and what the advice names."""

    rows: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)
    places: dict[str, Any] = field(default_factory=dict)  # of the advice; a Sentence has languages

    def add(self, row: int, text: str, at: int = 0) -> None:
        """`row` is 1-based in the file; `at` is the place in `text`."""
        self.rows += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(example(row, text, at))


def example(row: int, text: str, at: int = 0) -> dict[str, Any]:
    """What is read around a place, on one line, with what cannot be seen as its code."""
    start = max(0, min(at - _BEFORE, len(text) - _EXAMPLE_CHARACTERS))
    shown = "".join(_shown(character) for character in text[start : start + _EXAMPLE_CHARACTERS])
    return {"row": row, "text": shown[:_EXAMPLE_CHARACTERS]}


def _shown(character: str) -> str:
    if character in "\n\t":
        return " "
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")


class Checkup:
    """Sees every row once; `held` are the question keys of the validation data, `own` the indices
    of the conversations that are validation data themselves: they teach nothing, and repeat only
    one another."""

    def __init__(self, held: set[bytes], own: set[int]):
        self._held, self._own = held, own
        self._seen = 0
        self._tallies: dict[str, Tally] = defaultdict(Tally)
        self._copies, self._sketches = (Copies(), Copies()), (Sketches(), Sketches())
        self._placeholders, self._answers = Placeholders(), Answers()
        self._scripts: Counter = Counter()
        self._of_script: dict[str, Tally] = defaultdict(Tally)

    def see(self, at: int, row: int, conversation: dict[str, Any]) -> None:
        """The conversation at index `at`, from row `row` (1-based) of the file."""
        texts, answer = texts_of(conversation), answer_of(conversation)
        question = question_of(conversation)
        self._seen += 1
        self._see_twins(at, row, conversation, answer)
        self._see_faults(row, texts)
        self._placeholders.see(at, texts)
        if "messages" in conversation:
            if at not in self._own:
                self._answers.see(at, answer)
            if answer and is_short(answer, FEWEST_WORDS):
                self._tallies["short_answers"].add(row, answer)
        self._see_scripts(row, question, answer)

    def tallies(self, found: "Conversations") -> dict[str, Tally]:
        """By kind, of the rows seen, which were those of `found`."""
        self._tell_near(found)
        self._tell_placeholders(found)
        self._tell_answers(found)
        self._tell_scripts()
        if 2 * self._tallies["short_answers"].rows < self._seen:
            del self._tallies["short_answers"]
        else:
            self._tallies["short_answers"].places = {"fewest": FEWEST_WORDS}
        return dict(self._tallies)

    def _see_twins(self, at: int, row: int, conversation: dict[str, Any], answer: str) -> None:
        shown, is_own = question_of(conversation) or answer, at in self._own
        if self._copies[is_own].first_of(at, conversation) is None:
            self._sketches[is_own].add(at, conversation, answer)
        else:
            self._tallies["duplicates"].add(row, shown)
        if self._held and not is_own and question_key(conversation) in self._held:
            self._tallies["leakage"].add(row, shown)

    def _see_faults(self, row: int, texts: list[str]) -> None:
        for kind in FAULTS:
            if place := fault_in(kind, texts):
                self._tallies[kind].add(row, *place)

    def _see_scripts(self, row: int, question: str, answer: str) -> None:
        script = script_of(answer, at_least=_LETTERS_TO_COMPARE)
        if not script:
            return
        self._scripts[script] += 1
        self._of_script[script].add(row, answer)
        asked = script_of(question, at_least=_LETTERS_TO_COMPARE)
        if asked and asked != script:
            self._tallies["other_script"].add(row, f"{question[:_BEFORE]} → {answer}")

    def _tell_near(self, found: "Conversations") -> None:
        tally = self._tallies["near_duplicates"]
        tally.places = {"percent": round(100 * NEAR)}
        learned, own = self._sketches
        for at, other in sorted((learned.near() | own.near()).items()):
            tally.rows += 1
            if len(tally.examples) < _EXAMPLES:
                one = found.conversations[at]
                shown = question_of(one) or answer_of(one)
                like = f"≈ {found.sources[other] + 1}: {shown}"
                tally.examples.append(example(found.sources[at] + 1, like))

    def _tell_placeholders(self, found: "Conversations") -> None:
        tally = self._tallies["placeholders"]
        for at, text, start in self._placeholders.rows(found.conversations):
            tally.add(found.sources[at] + 1, text, start)
        names = self._placeholders.names()
        more = " ..." if len(names) > _NAMES else ""
        tally.places = {"names": ", ".join(names[:_NAMES]) + more}

    def _tell_answers(self, found: "Conversations") -> None:
        tally, often = self._tallies["repeated_answer"], self._answers.often()
        answers = [(rows, first, answer_of(found.conversations[first])) for rows, first in often]
        for rows, first, answer in answers[:_EXAMPLES]:
            tally.examples.append(example(found.sources[first] + 1, f"{rows} x {answer}"))
        tally.rows = sum(rows for rows, _, _ in answers)
        named = [f"“{_cut(answer)}” ({rows})" for rows, _, answer in answers[:_EXAMPLES]]
        tally.places = {"answers": ", ".join(named), "keep": KEPT_OF_EACH}

    def _tell_scripts(self) -> None:
        common = self._scripts.most_common()
        told = sum(self._scripts.values())
        if len(common) < 2 or common[1][1] < _SHARE_OF_A_SECOND * told:
            return
        tally = self._tallies["language_mix"]
        for script, rows in common[1:]:
            tally.rows += rows
            tally.examples += self._of_script[script].examples
        tally.examples = tally.examples[:_EXAMPLES]
        shares = [(TITLES[script], round(100 * rows / told)) for script, rows in common]
        shares = [(title, percent) for title, percent in shares if percent]
        tally.places = {
            "shares": Sentence(
                ", ".join(f"{title.en} {percent} %" for title, percent in shares),
                "、".join(f"{title.zh} {percent}%" for title, percent in shares),
            )
        }


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _BEFORE else line[:_BEFORE] + " ..."
