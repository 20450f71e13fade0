"""The dataset doctor: what is wrong with a dataset, worst first, and what each does to training."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.dataset.doctor.advice import ADVICE
from engine.dataset.doctor.checkup import Checkup, Tally, example
from engine.dataset.doctor.duplicates import question_key
from engine.dataset.doctor.recover import ends_with_user, kind_of_drop
from engine.dataset.doctor.turns import texts_of
from engine.dataset.meaning.columns import answer_columns
from engine.dataset.reasoning import reasons
from engine.dataset.split import held_back
from engine.errors import Sentence

if TYPE_CHECKING:
    from engine.dataset.lengths import Lengths
    from engine.dataset.meaning.formats import Conversations
    from engine.dataset.reading.read import Table

_WORST_FIRST = ("bad", "mild", "info")
_FEW_ROWS = 50
_ROWS_A_STEP = 500  # between two reports of the progress
_TAIL = 120  # characters
_READING = 0.9  # of the time; the rest compares the sketches of near duplicates


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of problem. `examples` are up to three of
    {"row": 1-based in the file, "text": up to 120 characters around the place}."""

    kind: str
    rows: int
    examples: list[dict[str, Any]]
    advice: Sentence
    severity: str  # "bad" (spoils training), "mild", "info"
    repair: str  # for `repair`; "" when there is none
    repair_title: Sentence | None


def examine(
    found: "Conversations",
    lengths: "Lengths | None" = None,
    held_out: "Conversations | None" = None,
    progress: Callable[[float], None] = lambda share: None,
    table: "Table | None" = None,
) -> list[Finding]:
    """All findings, worst first; none for sound data.

    `lengths` adds what depends on a tokenizer, `held_out` (the validation data) leakage, `table`
    (the file) what dropped rows hold, rows with two answers and unanswered last turns; without
    `held_out`, its own splits are the validation data. `progress` gets 0 to 1.
    """
    own = held_back(found.sources, table.splits) if table and not held_out else set()
    second = held_out.conversations if held_out else map(found.conversations.__getitem__, own)
    held = {question_key(one) for one in second}
    checkup, count = Checkup(held, own), len(found.conversations)
    for at, conversation in enumerate(found.conversations):
        if at % _ROWS_A_STEP == 0:
            progress(_READING * at / count)
        checkup.see(at, found.sources[at] + 1, conversation)
    tallies = checkup.tallies(found) | _dropped(found, table)
    if table:
        tallies |= _as_in_the_file(found, table)
    if lengths:
        tallies |= _lengths(found, lengths)
    if count < _FEW_ROWS:
        tallies["few_rows"] = Tally(rows=count, places={"rows": count})
    progress(1.0)
    findings = [_finding(kind, tally) for kind, tally in tallies.items() if tally.rows]
    return sorted(findings, key=lambda one: (_WORST_FIRST.index(one.severity), -one.rows))


def _finding(kind: str, tally: Tally) -> Finding:
    advice = ADVICE[kind]
    return Finding(
        kind=kind,
        rows=tally.rows,
        examples=tally.examples,
        advice=_filled(advice.words, tally.places),
        severity=advice.severity,
        repair=kind if advice.title else "",
        repair_title=advice.title and _filled(advice.title, tally.places),
    )


def _filled(words: Sentence, places: dict[str, Any]) -> Sentence:
    def filled(language: str) -> str:
        said = {name: _shown(value, language) for name, value in places.items()}
        return words.in_language(language).format(**said)

    return Sentence(filled("en"), filled("zh"))


def _shown(value: Any, language: str) -> Any:
    if isinstance(value, Sentence):
        return value.in_language(language)
    return f"{value:,}" if isinstance(value, int) else value


def _dropped(found: "Conversations", table: "Table | None") -> dict[str, Tally]:
    """What the dropped rows suffer from, as far as the doctor has a name for it."""
    tallies: dict[str, Tally] = {}
    for row, reason in found.dropped:
        if kind := kind_of_drop(reason):
            shown = json.dumps(table.rows[row], ensure_ascii=False) if table else reason.en
            tallies.setdefault(kind, Tally()).add(row + 1, shown)
    return tallies


def _as_in_the_file(found: "Conversations", table: "Table") -> dict[str, Tally]:
    """What only the file's rows show: reading takes one of two answers, and cuts the last turn."""
    columns, dropped = answer_columns(table.columns), {row for row, _ in found.dropped}
    twice, unanswered = Tally(places={"columns": ", ".join(columns)}), Tally()
    for at, row in enumerate(table.rows):
        answers = {str(row[c]).strip(): c for c in columns if row.get(c) is not None}
        answers.pop("", None)
        if len(answers) > 1:
            twice.add(at + 1, " | ".join(f"{column}: {text}" for text, column in answers.items()))
        if at not in dropped and ends_with_user(row):
            unanswered.add(at + 1, json.dumps(row, ensure_ascii=False)[-_TAIL:])
    return {"two_answers": twice, "ends_with_user": unanswered}


def _lengths(found: "Conversations", lengths: "Lengths") -> dict[str, Tally]:
    import numpy

    tallies = {"nothing_to_learn": Tally(), "too_long": Tally(), "end_not_learned": Tally()}
    tallies["reasoning_not_read"] = _unread(found, numpy.flatnonzero(lengths.unread).tolist())
    tallies["nothing_to_learn"].places = {"max_length": lengths.max_length}
    for kind, rows in (("nothing_to_learn", lengths.trained == 0), ("too_long", lengths.lost > 0)):
        hit = numpy.flatnonzero(rows)
        tallies[kind].rows = len(hit)
        tallies[kind].examples = [_cut_place(found, lengths, int(at)) for at in hit[:3]]
    tallies["too_long"].places = {
        "max_length": lengths.max_length,
        "longest": int(lengths.total.max(initial=0)),
        "tokens": int(lengths.lost.sum()),
        "percent": round(100 * float(lengths.lost.sum()) / max(1, int(lengths.total.sum())), 1),
    }
    if not lengths.end_is_learned:
        tallies["end_not_learned"].rows = len(lengths.total)
    return tallies


def _unread(found: "Conversations", rows: list[int]) -> Tally:
    tally = Tally()
    for at in rows:
        tally.add(found.sources[at] + 1, reasons(found.conversations[at]["messages"])[0])
    return tally


def _cut_place(found: "Conversations", lengths: "Lengths", at: int) -> dict[str, Any]:
    """Where the row is cut, near enough: tokens are taken to be equally long."""
    text = "\n".join(texts_of(found.conversations[at]))
    kept = 1 - lengths.lost[at] / max(1, lengths.total[at])
    return example(found.sources[at] + 1, text, int(len(text) * kept))
