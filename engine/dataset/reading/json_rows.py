"""A JSON text becomes rows: those of a list, of JSON Lines, or of one object."""

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from engine.dataset.reading.found import Found
from engine.dataset.reading.json_faults import broken, diagnose
from engine.dataset.reading.json_values import Broken, Strict, walk
from engine.dataset.reading.one_object import rows_of_object
from engine.dataset.reading.refusal import NotFlat, not_flat, refusal
from engine.errors import Sentence

_NAMES = (".json", ".jsonl", ".ndjson")
_PROSE_NAMES = (".txt", ".md")
_ROWS_BEGIN = re.compile(r'\[\s*\{\s*["}]|\{\s*["}]')
_LINE_OF_AN_OBJECT = re.compile(r'^\{\s*"', re.MULTILINE)
_NAMED = 5
_JSON_BEGINS = re.compile(r'\[\s*[\[\]{"\-\dtfnNI]|\{\s*["}]')


def is_named_json(name: str) -> bool:
    return suffix(name) in _NAMES


def is_prose(name: str) -> bool:
    return suffix(name) in _PROSE_NAMES


def suffix(name: str) -> str:
    return PurePath(name.lower().removesuffix(".gz")).suffix


def looks_like_json(text: str, name: str) -> bool:
    """Prose begins with brackets too ("[1] See ...", "{{user}}: ..."): its name asks for more, and
    that of JSON for less: the first line may have lost its beginning."""
    begin = text.lstrip()
    if is_named_json(name):
        return begin[:1] in ("[", "{") or bool(_LINE_OF_AN_OBJECT.search(text))
    return bool((_ROWS_BEGIN if is_prose(name) else _JSON_BEGINS).match(begin))


def json_rows(text: str, name: str) -> Found:
    """Raises UserError, then or on the way, for what is broken, too deep or no objects."""
    reader = Strict(text)
    try:
        at = reader.skip(0)
        if text[at] == "[":
            return _listed(reader, "json", name)
        value, end = reader.value(at)
        is_alone = reader.skip(end) == len(text)
    except Broken:
        is_alone = False  # the same walk says below what is broken
    except NotFlat as error:
        raise not_flat(name) from error
    if not is_alone:
        return _listed(reader, "jsonl", name)
    found = rows_of_object(value)
    found.notes += _repeated(reader)
    return found


def _listed(reader: Strict, kind: str, name: str) -> Found:
    found = Found((), kind)
    found.rows = _objects(reader, name, found.notes)
    return found


def _objects(reader: Strict, name: str, notes: list[Sentence]) -> Iterator[dict[str, Any]]:
    nulls: list[int] = []
    try:
        for number, row in enumerate(walk(reader), start=1):
            if isinstance(row, dict):
                yield row
            elif row is None:
                nulls.append(number)
            else:
                raise _no_object(row, number, reader.text, name)
    except Broken as error:
        raise _broken(reader.text, name) from error
    except NotFlat as error:
        raise not_flat(name) from error
    notes += [*_left_out(nulls), *_repeated(reader)]


def _left_out(nulls: list[int]) -> list[Sentence]:
    if not nulls:
        return []
    named = ", ".join(map(str, nulls[:_NAMED])) + " ..." * (len(nulls) > _NAMED)
    word = "row" if len(nulls) == 1 else "rows"
    return [
        Sentence(
            f"Rows that are null and left out: {len(nulls)} ({word} {named}).",
            f"有 {len(nulls)} 行是 null，已略去（第 {named} 行）。",
        )
    ]


def _repeated(reader: Strict) -> list[Sentence]:
    if not reader.repeated:
        return []
    names = ", ".join(map(repr, list(reader.repeated)[:_NAMED]))
    names += " ..." * (len(reader.repeated) > _NAMED)
    times = sum(reader.repeated.values())
    return [
        Sentence(
            f"Names that stand twice in one object: {names} (found {times}); the last value "
            "behind such a name is read.",
            f"同一对象里重复的名称：{names}（{times} 处）；读取的是最后一个值。",
        )
    ]


def _broken(text: str, name: str) -> Exception:
    try:
        return broken(text, name, diagnose(text))
    except NotFlat:
        return not_flat(name)


def _no_object(row: Any, number: int, text: str, name: str) -> Exception:
    """Where the text is broken as well, as behind a line whose beginning is lost, that is why."""
    with contextlib.suppress(NotFlat):
        if (found := diagnose(text)).faults:
            return broken(text, name, found)
    return refusal(
        f"Row {number} of {name} is {json.dumps(row, ensure_ascii=False)[:40]}, "
        'not an object; each row must look like {"instruction": ..., "output": ...}.',
        f'{name} 的第 {number} 行不是对象；每行应像 {{"instruction": ..., "output": ...}} 这样。',
    )
