"""Rows become conversations: every row on its own way, all counted by shape and by reason.

A conversation is `{"messages": [{"role", "content"}, ...]}`, perhaps with `"tools"`, or, for plain
text, `{"text": str}`. A message that calls tools has `"tool_calls"`.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from engine.dataset.meaning.columns import Roles, chosen_roles, parse_mapping, readings
from engine.dataset.meaning.labels import judging_columns
from engine.dataset.meaning.lines import find_script
from engine.dataset.meaning.marked_rows import Paragraphs, find_paragraphs
from engine.dataset.meaning.reasons import UNKNOWN_COLUMNS, Dropped
from engine.dataset.meaning.rows import (
    Read,
    columns_read,
    fits,
    is_filled,
    read_row,
    shape_of,
)
from engine.dataset.meaning.script import Told, answers_of, speakers_of
from engine.dataset.meaning.tally import Tally, Unused
from engine.dataset.reading.store import Stored
from engine.errors import Sentence, UserError

if TYPE_CHECKING:
    from engine.dataset.meaning.lines import Script
    from engine.dataset.reading.read import Table

TITLES = {
    "messages": Sentence("messages (OpenAI)", "messages（OpenAI）"),
    "sharegpt": Sentence("conversations (ShareGPT)", "conversations（ShareGPT）"),
    "xtuner": Sentence("conversation of system / input / output (xtuner)", "对话（xtuner）"),
    "firefly": Sentence("conversation of human / assistant (Firefly)", "对话（Firefly）"),
    "alpaca": Sentence("instruction / input / output (Alpaca)", "指令 / 输入 / 输出（Alpaca）"),
    "pairs": Sentence("question and answer columns", "问答两列"),
    "preference": Sentence("chosen and rejected answers", "偏好数据（chosen / rejected）"),
    "labelled": Sentence("answers labelled good or bad", "标了好坏的回答"),
    "unnamed": Sentence("dialogue of lines that name nobody", "没有写明说话人的对话"),
    "script": Sentence("script of names and lines", "剧本（人物和台词）"),
    "marked": Sentence(
        "text with marks of turns, such as ### Human: or <|im_start|>",
        "带 ### Human:、<|im_start|> 等标记的文本",
    ),
    "text": Sentence("plain text", "纯文本"),
    "mapped": Sentence("columns as you chose them", "按你指定的列"),
}
_EXAMPLE_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class Conversations:
    """What a table became. `conversations[i]` came from row `sources[i]` of the file (0-based)."""

    format: str  # the commonest shape, a key of TITLES
    mapping: dict[str, str]  # column -> role, of that shape
    conversations: Stored
    sources: list[int]
    dropped: list[tuple[int, Sentence]]  # (row, why), every row that is left out
    shapes: Counter  # shape -> rows, those left out too
    speakers: Counter  # name -> lines of a script; empty when it is none
    speaker: str  # whose lines are learned; "" when it is none
    lines: Counter  # of a script: lines learned, prompts and dropped
    notes: list[Sentence]  # what a person should know


def to_conversations(table: "Table", mapping: str = "", speaker: str = "") -> Conversations:
    """`mapping` is what a person chose, as `parse_mapping` reads it, `speaker` whose lines of a
    script are learned; "" finds them.

    Raises UserError: field "dataset" when no row has a known shape, "mapping" and "speaker" for a
    faulty choice. There may be no conversation in what is returned: see `learnable`.
    """
    chosen = parse_mapping(mapping)
    roles = chosen_roles(chosen, table.columns) if chosen else None
    script = None if chosen else find_script(table.rows)
    if script:
        return _from_script(script, table, speaker)
    tally = Tally()
    tally.unused.look({}, [column for column, role in chosen.items() if role == "ignore"])
    paragraphs = None
    if table.kind == "text" and chosen.get("text", "messages") == "messages":
        paragraphs = find_paragraphs(table.rows)
    conversations = Stored(_read_rows(table, paragraphs, roles, tally))
    tally.joined = paragraphs.joined if paragraphs else 0
    if not tally.shapes:
        raise _unknown(table)
    best = tally.shapes.most_common(1)[0][0]
    return Conversations(
        format=best,
        mapping=chosen or _mapping(best, tally.roles[best]),
        conversations=conversations,
        sources=tally.sources,
        dropped=tally.dropped,
        shapes=tally.shapes,
        speakers=Counter(),
        speaker="",
        lines=Counter(),
        notes=tally.notes(),
    )


def learnable(found: Conversations) -> Conversations:
    """The same. Raises UserError (field "dataset") when no conversation is in it."""
    if found.conversations:
        return found
    counts = Counter(reason for _, reason in found.dropped).most_common()
    reasons = "; ".join(f"{count} x {reason.en}" for reason, count in counts)
    reasons_zh = "；".join(f"{count} 行{reason.zh}" for reason, count in counts)
    raise UserError(
        f"No row can be learned from: {reasons}. Mend the file and choose it again, or see on the "
        "Data page whether a repair or another choice of columns or speaker helps.",
        f"没有一行可以学习：{reasons_zh}。请改好文件后重新选择，"
        "或在数据页看看能否修复，或换一种列的用途、换一个说话人。",
        field="dataset",
    )


def _read_rows(
    table: "Table", paragraphs: Paragraphs | None, chosen: Roles | None, tally: Tally
) -> Iterator[dict]:
    judging = judging_columns(table.rows, table.columns)
    chosen = chosen and _judged(chosen, judging)
    columns = tuple(table.columns)
    for number, row in paragraphs or enumerate(table.rows):
        found = (chosen and _chosen(row, chosen)) or _detected(row, judging)
        found = found or _lacking(row, chosen, _judged_readings(columns, judging))
        if not found:
            tally.dropped.append((number, UNKNOWN_COLUMNS))
            tally.unused.look(row, ())
            continue
        shape, roles = found
        tally.shapes[shape] += 1
        tally.roles.setdefault(shape, roles)
        tally.unused.look(row, columns_read(row, roles))
        try:
            read: Read = read_row(row, shape, roles)
        except Dropped as drop:
            tally.dropped.append((number, drop.reason))
            continue
        tally.take(number, *read)
        yield read.conversation


def _chosen(row: dict[str, Any], roles: Roles) -> tuple[str, Roles] | None:
    """A person's choice goes for the rows that have one of the columns it learns from."""
    learned = (*roles.assistant, *roles.messages, *roles.text)
    return ("mapped", roles) if any(column in row for column in learned) else None


def _detected(row: dict[str, Any], judging: frozenset[str]) -> tuple[str, Roles] | None:
    """The likeliest reading whose columns this row fills; of a row that fills none, the first."""
    possible = _judged_readings(tuple(row), judging)
    for shape, roles in possible:
        if fits(row, shape, roles):
            return shape_of(row, shape, roles), roles
    return possible[0] if possible else None


def _lacking(
    row: dict[str, Any], chosen: Roles | None, others: tuple[tuple[str, Roles], ...]
) -> tuple[str, Roles] | None:
    """How the other rows of the file are read, for a row that has a part of their columns."""
    for shape, roles in (("mapped", chosen), *others):
        parts = (*roles.user, *roles.input, *roles.assistant) if roles else ()
        if any(is_filled(row.get(column)) for column in parts):
            return shape, roles
    return None


@lru_cache(maxsize=1024)
def _judged_readings(
    columns: tuple[str, ...], judging: frozenset[str]
) -> tuple[tuple[str, Roles], ...]:
    return tuple((shape, _judged(roles, judging)) for shape, roles in readings(columns))


def _judged(roles: Roles, judging: frozenset[str]) -> Roles:
    """Without columns of labels that say something else than good or bad."""
    label = tuple(column for column in roles.label if column in judging)
    return roles if label == roles.label else replace(roles, label=label)


def _mapping(shape: str, roles: Roles) -> dict[str, str]:
    if shape == "marked":  # a whole conversation in one text
        return roles.mapping() | dict.fromkeys(roles.text, "messages")
    return roles.mapping()


def _from_script(script: "Script", table: "Table", speaker: str) -> Conversations:
    speakers, speaker = speakers_of(script.lines(table.rows), speaker)
    told, unused = Told(), Unused()
    conversations = Stored(answers_of(script, table.rows, speaker, told))
    for row in table.rows:
        unused.look(row, script.columns)
    notes = [
        Sentence(
            f"The lines of {speaker} are learned; what the others say just before them is the "
            "prompt.",
            f"学习的是{speaker}的台词，其他人在此之前说的话作为提问。",
        ),
        *unused.notes(),
    ]
    if n := told.continued:
        notes.append(
            Sentence(
                f"{n} lines that name nobody go on with the line before them.",
                f"有 {n} 行没有写明说话人，接在上一句台词之后。",
            )
        )
    return Conversations(
        format="script",
        mapping={},
        conversations=conversations,
        sources=told.sources,
        dropped=sorted(told.dropped),
        shapes=Counter(script=len(table.rows)),
        speakers=speakers,
        speaker=speaker,
        lines=told.counts(),
        notes=notes,
    )


def _unknown(table: "Table") -> UserError:
    listed, listed_zh = ", ".join(table.columns[:12]), "、".join(table.columns[:12])
    example = json.dumps(next(iter(table.rows), {}), ensure_ascii=False)
    if len(example) > _EXAMPLE_CHARACTERS:
        example = example[:_EXAMPLE_CHARACTERS] + " ..."
    return UserError(
        f"The columns found are {listed}; their names do not tell what is asked and what is "
        f'answered. The first row is {example}. Choose the columns under "Which column is what".',
        f"找到的列是 {listed_zh}，从列名看不出哪列是提问、哪列是回答。第一行是 {example}。"
        "请在“各列的用途”中指定。",
        field="dataset",
    )
