"""A JSON text becomes rows: a list, JSON Lines, splits, columns of equal length, or one object."""

import json
import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from engine.dataset.reading.found import Found
from engine.dataset.reading.json_faults import broken, diagnose
from engine.dataset.reading.json_values import Broken, Strict, walk
from engine.dataset.reading.refusal import NotFlat, not_flat, refusal

_NAMES = (".json", ".jsonl", ".ndjson")
_PROSE_NAMES = (".txt", ".md")
_ROWS_BEGIN = re.compile(r'\[\s*\{\s*["}]|\{\s*["}]')
_JSON_BEGINS = re.compile(r'\[\s*[\[\]{"\-\dtfnNI]|\{\s*["}]')
# A list of objects under one of these is what one row says, not the rows of a split.
_TURNS = frozenset(
    "messages message conversation conversations dialog dialogs dialogue dialogues turns history "
    "chat tools functions chosen rejected prompt completion".split()
)


def is_named_json(name: str) -> bool:
    return suffix(name) in _NAMES


def is_prose(name: str) -> bool:
    return suffix(name) in _PROSE_NAMES


def suffix(name: str) -> str:
    return PurePath(name.lower().removesuffix(".gz")).suffix


def looks_like_json(text: str, name: str) -> bool:
    """Prose begins with brackets too ("[1] See ...", "{{user}}: ..."): its name asks for more."""
    begin = text.lstrip()
    if is_named_json(name):
        return begin[:1] in ("[", "{")
    return bool((_ROWS_BEGIN if is_prose(name) else _JSON_BEGINS).match(begin))


def json_rows(text: str, name: str) -> Found:
    """Raises UserError, then or on the way, for what is broken, too deep or no objects."""
    reader = Strict(text)
    try:
        at = reader.skip(0)
        if text[at] == "[":
            return Found(_objects(reader, name), "json")
        value, end = reader.value(at)
        is_alone = reader.skip(end) == len(text)
    except Broken:
        is_alone = False  # the same walk says below what is broken
    except NotFlat as error:
        raise not_flat(name) from error
    if not is_alone:
        return Found(_objects(reader, name), "jsonl")
    return _of_one_object(value)


def _objects(reader: Strict, name: str) -> Iterator[dict[str, Any]]:
    try:
        for number, row in enumerate(walk(reader), start=1):
            if not isinstance(row, dict):
                raise _no_object(row, number, name)
            yield row
    except Broken as error:
        raise _broken(reader.text, name) from error
    except NotFlat as error:
        raise not_flat(name) from error


def _broken(text: str, name: str) -> Exception:
    try:
        return broken(text, name, diagnose(text))
    except NotFlat:
        return not_flat(name)


def _no_object(row: Any, number: int, name: str) -> Exception:
    return refusal(
        f"Row {number} of {name} is {json.dumps(row, ensure_ascii=False)[:40]}, "
        'not an object; each row must look like {"instruction": ..., "output": ...}.',
        f'{name} 的第 {number} 行不是对象；每行应像 {{"instruction": ..., "output": ...}} 这样。',
    )


def _of_one_object(value: dict[str, Any]) -> Found:
    lists = [one for one in value.values() if isinstance(one, list)]
    if not value or len(lists) < len(value):
        return Found([value], "jsonl")
    if not _TURNS & {name.lower() for name in value} and _hold_objects(lists):
        splits, begin = {}, 0
        for name, rows in value.items():
            splits[name] = (begin, begin + len(rows))
            begin += len(rows)
        return Found((row for rows in lists for row in rows), "json", splits)
    if _are_columns(lists):
        rows = (dict(zip(value, cells, strict=True)) for cells in zip(*lists, strict=True))
        return Found(rows, "json")
    return Found([value], "jsonl")


def _hold_objects(lists: list[list[Any]]) -> bool:
    return any(lists) and all(isinstance(row, dict) for rows in lists for row in rows)


def _are_columns(lists: list[list[Any]]) -> bool:
    same_length = len({len(cells) for cells in lists}) == 1 and lists[0]
    scalars = not any(isinstance(cell, list | dict) for cells in lists for cell in cells)
    return bool(same_length) and scalars
