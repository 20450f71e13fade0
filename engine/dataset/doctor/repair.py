"""Repairs of a dataset: a new file and the list of what changed; the original is only read."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.dataset.doctor.advice import ADVICE
from engine.dataset.doctor.duplicates import Answers, Copies, Sketches, question_key
from engine.dataset.doctor.faults import FAULTS, fault_in
from engine.dataset.doctor.placeholders import Placeholders, filler
from engine.dataset.doctor.recover import ends_with_user, kind_of_drop, recovered
from engine.dataset.doctor.turns import answer_of, texts_of, with_texts
from engine.dataset.making.write import write_rows
from engine.dataset.reading.store import Stored
from engine.dataset.split import held_back, splits_among
from engine.errors import UserError

if TYPE_CHECKING:
    from engine.dataset.meaning.formats import Conversations
    from engine.dataset.reading.read import Table

REPAIRS = frozenset(kind for kind, advice in ADVICE.items() if advice.title)


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to one row; `row` is 1-based in the file. `before` and `after` are
    conversations (before: the file's row where it was dropped until now); `after` is None for a
    removed row."""

    row: int
    kind: str
    action: str  # "removed" or "changed"
    before: dict[str, Any]
    after: dict[str, Any] | None


Rows = Iterable[tuple[int, dict[str, Any]]]  # (row, 1-based; conversation)


def repair(
    found: "Conversations",
    kinds: list[str],
    out: Path,
    held_out: "Conversations | None" = None,
    *,
    table: "Table | None" = None,
    mapping: str = "",
    fill: dict[str, str] | None = None,
) -> list[Change]:
    """Writes the repaired rows to `out` and the changes beside it as JSON Lines; returns these.

    `kinds` are kinds of findings that have a repair, whatever their order. `table` and the
    `mapping` it was read with bring back rows that were dropped (role_order, list_answers), and
    its own splits are the validation data without `held_out`; `fill` has the values of
    placeholders. Repairing what was written again changes nothing. Raises
    UserError: field "kinds" for no such repair, or for ones that leave no row; "fill" for no
    values, "out" for a file that is there already, or as write_rows.
    """
    _check(kinds, out, fill)
    changes: list[Change] = []
    rows: Rows = ((at + 1, one) for at, one in zip(found.sources, found.conversations, strict=True))
    if table:
        changes += _done_by_reading(found, table, kinds)
        rows = heapq.merge(rows, _brought_back(found, table, kinds, mapping, changes), key=_row)
    rows = _mended(rows, [kind for kind in FAULTS if kind in kinds], changes)
    if "placeholders" in kinds:
        rows = _filled(Stored(rows), fill or {}, changes)
    kept: Rows = Stored(rows)
    held = {question_key(one) for one in held_out.conversations} if held_out else None
    own = table.splits if table and not held_out else {}
    for kind in (kind for kind in _CHOOSERS if kind in kinds):
        kept = _without(kept, kind, partial(_CHOOSERS[kind], held=held, splits=own), changes)
    if not len(kept):
        raise UserError(
            "Nothing would be left after this repair, so no copy is made. Tick other repairs, or "
            "mend the file itself.",
            "这样修复后一条也不剩，因此没有生成副本。请勾选别的修复，或自己改好文件。",
            field="kinds",
        )
    changes.sort(key=lambda change: change.row)
    splits = splits_among([row - 1 for row, _ in kept], table.splits) if table else None
    write_rows(Stored(conversation for _, conversation in kept), out, splits)
    write_rows(Stored(asdict(change) for change in changes), changes_file(out))
    return changes


def changes_file(out: Path) -> Path:
    """Where the changes of the repaired file `out` are listed."""
    return out.with_name(f"{out.stem}.changes.jsonl")


def _row(row: tuple[int, dict[str, Any]]) -> int:
    return row[0]


def _check(kinds: list[str], out: Path, fill: dict[str, str] | None) -> None:
    if unknown := [kind for kind in kinds if kind not in REPAIRS]:
        raise UserError(
            f"There is no repair for {', '.join(unknown)}; choose among "
            f"{', '.join(sorted(REPAIRS))}.",
            f"没有针对 {'、'.join(unknown)} 的修复；可选：{'、'.join(sorted(REPAIRS))}。",
            field="kinds",
        )
    if "placeholders" in kinds and not fill:
        raise UserError(
            "The placeholders need values. Say what stands in for each, as in name=Ada.",
            "占位符需要填写的内容。请写明每个占位符换成什么，例如 name=小雅。",
            field="fill",
        )
    for path in (out, changes_file(out)):
        if path.exists():
            raise UserError(
                f"{path.name} is there already, and a repair never overwrites a file. "
                "Choose another name.",
                f"{path.name} 已经存在，修复不会覆盖任何文件。请换一个名字。",
                field="out",
            )


def _brought_back(
    found: "Conversations", table: "Table", kinds: list[str], mapping: str, changes: list[Change]
) -> Iterator[tuple[int, dict[str, Any]]]:
    for at, kind, before, conversation in recovered(found, table, kinds, mapping):
        changes.append(Change(at + 1, kind, "changed", before, conversation))
        yield at + 1, conversation


def _done_by_reading(found: "Conversations", table: "Table", kinds: list[str]) -> Iterator[Change]:
    """What the reading of the file did already: rows without an answer are not in `found`, turns
    that nobody answers are cut off."""
    if "empty_answers" in kinds:
        for at, reason in found.dropped:
            if kind_of_drop(reason) == "empty_answers":
                yield Change(at + 1, "empty_answers", "removed", table.rows[at], None)
    if "ends_with_user" in kinds:
        for at, conversation in zip(found.sources, found.conversations, strict=True):
            if ends_with_user(before := table.rows[at]):
                yield Change(at + 1, "ends_with_user", "changed", before, conversation)


def _mended(rows: Rows, kinds: list[str], changes: list[Change]) -> Rows:
    """The rows with their texts mended; without those where something was lost for good."""
    for row, conversation in rows:
        before = None
        while conversation and conversation != before:  # one mend may bring another fault to light
            before = conversation
            for kind in kinds:
                if conversation and fault_in(kind, texts_of(conversation)):
                    conversation = _changed(row, kind, conversation, partial(_sound, kind), changes)
        if not conversation:
            continue
        if lost := next((k for k in kinds if fault_in(k, texts_of(conversation))), ""):
            changes.append(Change(row, lost, "removed", conversation, None))
        else:
            yield row, conversation


def _sound(kind: str, text: str) -> str:
    return FAULTS[kind].mend(text).strip() if FAULTS[kind].find(text) else text


def _filled(rows: Rows, fill: dict[str, str], changes: list[Change]) -> Rows:
    placeholders = Placeholders()
    for at, (_, conversation) in enumerate(rows):
        placeholders.see(at, texts_of(conversation))
    put_in = filler(fill, placeholders.recurring())
    for row, conversation in rows:
        if filled := _changed(row, "placeholders", conversation, put_in, changes):
            yield row, filled


def _changed(
    row: int, kind: str, before: dict[str, Any], change: Callable[[str], str], changes: list[Change]
) -> dict[str, Any] | None:
    """The conversation with its texts changed; None when a text has nothing left."""
    after = with_texts(before, change)
    if after == before:
        return before
    emptied = any(a and not b for a, b in zip(texts_of(before), texts_of(after), strict=True))
    if emptied:
        changes.append(Change(row, kind, "removed", before, None))
        return None
    changes.append(Change(row, kind, "changed", before, after))
    return after


def _without(
    rows: Rows, kind: str, choose: Callable[[Rows], set[int]], changes: list[Change]
) -> Rows:
    """The rows without those chosen, until none is: what remains may be too much of a smaller
    whole."""
    while chosen := choose(rows):
        for at, (row, conversation) in enumerate(rows):
            if at in chosen:
                changes.append(Change(row, kind, "removed", conversation, None))
        rows = Stored(row for at, row in enumerate(rows) if at not in chosen)
    return rows


Splits = dict[str, tuple[int, int]]


def _own(rows: Rows, splits: Splits) -> set[int]:
    return held_back([row - 1 for row, _ in rows], splits) if splits else set()


def _leaked(rows: Rows, held: set[bytes] | None, splits: Splits) -> set[int]:
    own = _own(rows, splits)
    if held is None:
        held = {question_key(one) for at, (_, one) in enumerate(rows) if at in own}
    keys = ((at, question_key(one)) for at, (_, one) in enumerate(rows) if at not in own)
    return {at for at, key in keys if key in held}


def _copies(rows: Rows, held: set[bytes] | None, splits: Splits) -> set[int]:
    copies, own = (Copies(), Copies()), _own(rows, splits)
    found = enumerate(rows)
    return {at for at, (_, one) in found if copies[at in own].first_of(at, one) is not None}


def _near(rows: Rows, held: set[bytes] | None, splits: Splits) -> set[int]:
    copies, sketches, own = (Copies(), Copies()), (Sketches(), Sketches()), _own(rows, splits)
    for at, (_, one) in enumerate(rows):
        if copies[at in own].first_of(at, one) is None:
            sketches[at in own].add(at, one, answer_of(one))
    return {at for side in sketches for at in side.near()}


def _too_often(rows: Rows, held: set[bytes] | None, splits: Splits) -> set[int]:
    answers, own = Answers(), _own(rows, splits)
    for at, (_, one) in enumerate(rows):
        if "messages" in one and at not in own:
            answers.see(at, answer_of(one))
    return set(answers.too_many())


# In the order of removing, after the texts are mended: two rows may be equal only then.
_CHOOSERS: dict[str, Callable[..., set[int]]] = {
    "leakage": _leaked,
    "duplicates": _copies,
    "near_duplicates": _near,
    "repeated_answer": _too_often,
}
