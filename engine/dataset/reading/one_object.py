"""One JSON object that is a whole file becomes rows: those of splits, of columns, or itself alone.

Knows of conversations only which names make a row, so that a row is not taken for a file of rows.
"""

from typing import Any

from engine.dataset.meaning.columns import readings
from engine.dataset.reading.found import Found
from engine.errors import Sentence

# A list of objects under one of these is what one row says, not the rows of a split.
_TURNS = frozenset(
    "messages message conversation conversations dialog dialogs dialogue dialogues turns history "
    "chat tools functions chosen rejected prompt completion".split()
)
_NAMED = 5


def rows_of_object(value: dict[str, Any]) -> Found:
    """Columns as lists, or as pandas writes them (`{"a": {"0": ..., "1": ...}}`); lists of objects
    as splits, perhaps under one name more; else one row."""
    return _pandas(value) or _splits(value) or _columns(value) or Found([value], "jsonl")


def _splits(value: dict[str, Any]) -> Found | None:
    if _TURNS & {name.lower() for name in value}:
        return None
    lists = {name: rows for name, rows in value.items() if _holds_objects(rows)}
    others = [name for name in value if name not in lists]
    if not lists:
        inner = [name for name in others if isinstance(value[name], dict)]
        found = _splits(value[inner[0]]) if len(inner) == 1 else None
        return found and _beside(found, inner, [name for name in others if name not in inner])
    if not any(lists.values()):
        return None
    if others and (readings(tuple(value)) or (len(lists) > 1 and "train" not in lists)):
        return None
    found, begin = Found((row for rows in lists.values() for row in rows), "json"), 0
    for name, rows in lists.items():
        found.splits[name] = (begin, begin + len(rows))
        begin += len(rows)
    return _beside(found, list(lists), others)


def _beside(found: Found, used: list[str], others: list[str]) -> Found:
    if others:
        named, left = (
            ", ".join(map(repr, names[:_NAMED])) + " ..." * (len(names) > _NAMED)
            for names in (used, others)
        )
        found.notes.append(
            Sentence(
                f"The rows under {named} are read; what stands beside them in the file "
                f"({left}) is not used.",
                f"读取的是 {named} 下的数据；文件中与之并列的内容（{left}）没有使用。",
            )
        )
    return found


def _pandas(value: dict[str, Any]) -> Found | None:
    """What `DataFrame.to_json` writes: columns of numbered cells, or numbered rows."""
    inner = list(value.values())
    if not inner or not all(isinstance(one, dict) and one for one in inner):
        return None
    if _are_numbers(value):
        return Found(inner, "json")
    numbers = inner[0].keys()
    if not _are_numbers(numbers) or any(one.keys() != numbers for one in inner):
        return None
    rows = ({name: cells[number] for name, cells in value.items()} for number in numbers)
    return Found(rows, "json")


def _columns(value: dict[str, Any]) -> Found | None:
    lists = list(value.values())
    if not lists or not all(isinstance(cells, list) for cells in lists):
        return None
    scalars = not any(isinstance(cell, list | dict) for cells in lists for cell in cells)
    if len({len(cells) for cells in lists}) > 1 or not lists[0] or not scalars:
        return None
    rows = (dict(zip(value, cells, strict=True)) for cells in zip(*lists, strict=True))
    return Found(rows, "json")


def _holds_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


def _are_numbers(names: Any) -> bool:
    return all(name.isdecimal() for name in names)
