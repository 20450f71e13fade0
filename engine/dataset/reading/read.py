"""A file becomes a table of rows, told apart by content: JSON, CSV, Parquet, Arrow, Excel, text.

Knows nothing of conversations but the names of their columns. Nothing here unpickles or executes
what it reads.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.dataset.reading.columnar import TITLES, columnar_kind, columnar_rows
from engine.dataset.reading.decode import decoded, unpacked
from engine.dataset.reading.foreign import refuse_foreign
from engine.dataset.reading.found import Found
from engine.dataset.reading.json_rows import is_named_json, json_rows, looks_like_json, suffix
from engine.dataset.reading.paragraphs import text_rows
from engine.dataset.reading.refusal import MAX_BYTES, MEGABYTE, no_rows, not_flat, refusal
from engine.dataset.reading.separated import is_surely_a_table, separated_rows
from engine.dataset.reading.sheets import is_workbook, sheet_rows
from engine.dataset.reading.store import Stored
from engine.errors import Sentence


@dataclass(frozen=True, slots=True)
class Table:
    """Rows as they are in the file, and how it was understood.

    `columns` are all names, in order of first appearance. `kind` is json, jsonl, csv, tsv,
    parquet, arrow, excel or text. `splits` says which rows (from, to) a file that holds several
    lists calls how; {} for other files. `notes` are what a person should know of the reading.
    """

    rows: Stored
    columns: list[str]
    kind: str
    encoding: str
    splits: dict[str, tuple[int, int]] = field(default_factory=dict)
    notes: list[Sentence] = field(default_factory=list)


def read_table(path: Path) -> Table:
    """Raises UserError (field "dataset") for what is missing, too large, empty or not a table;
    its `remedy` is "mend" where engine/dataset/reading/mend.py can write the file anew.
    """
    raw = read_bytes(path)
    try:
        return _table(raw, path.name)
    except RecursionError as error:
        raise not_flat(path.name) from error
    except MemoryError as error:
        raise refusal(
            f"{path.name} needs more memory than there is; split it, or take a part of its rows.",
            f"内存不够，读不了 {path.name}；请拆分，或只取一部分。",
        ) from error


def read_bytes(path: Path) -> bytes:
    """The file, unpacked if it is a gzip archive. Raises UserError as read_table does."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise refusal(
                f"{path.name} has {size / MEGABYTE:.0f} MB; at most {MAX_BYTES // MEGABYTE} MB "
                "can be read here. Split it, or take a part of its rows.",
                f"{path.name} 有 {size / MEGABYTE:.0f} MB，这里最多读 "
                f"{MAX_BYTES // MEGABYTE} MB。请拆分，或只取一部分。",
            )
        raw = path.read_bytes()
    except OSError as error:
        raise refusal(
            f"{path.name} cannot be read ({error.strerror}); choose another file.",
            f"无法读取 {path.name}，请换一个文件。",
        ) from error
    return unpacked(raw, path.name)


def _table(raw: bytes, name: str) -> Table:
    refuse_foreign(raw, name)
    if kind := columnar_kind(raw):
        return _stored(columnar_rows(raw, kind, name), TITLES[kind], name)
    if is_workbook(raw):
        return _stored(sheet_rows(raw, name), "Excel", name)
    text, encoding, notes = decoded(raw, name)
    if not text.strip():
        raise refusal(
            f"{name} is empty; choose a file with at least one row.",
            f"{name} 是空的，请选择至少有一行数据的文件。",
        )
    if looks_like_json(text, name):
        return _stored(json_rows(text, name), encoding, name, notes)
    if suffix(name) in (".csv", ".tsv") or is_surely_a_table(text):
        return _stored(separated_rows(text, name), encoding, name, notes)
    found = Found(text_rows(text), "text", notes=[_no_json(text)] if is_named_json(name) else [])
    return _stored(found, encoding, name, notes)


def _no_json(text: str) -> Sentence:
    begin = text.strip()[:30]
    return Sentence(
        f"The file is called JSON, but begins with {begin!r}; it is read as plain text. A JSON "
        "file begins with [ or {.",
        f"文件的扩展名是 JSON，开头却是 {begin!r}，因此按纯文本读取。JSON 文件应以 [ 或 {{ 开头。",
    )


def _stored(found: Found, encoding: str, name: str, notes: Sequence[Sentence] = ()) -> Table:
    columns: dict[str, None] = {}
    stored = Stored(_noting(found.rows, columns))
    if not stored:
        raise no_rows(name)
    return Table(stored, list(columns), found.kind, encoding, found.splits, [*notes, *found.notes])


def _noting(rows: Iterable[dict[str, Any]], columns: dict[str, None]) -> Iterator[dict[str, Any]]:
    """The rows as they pass, their column names noted in order of first appearance."""
    for row in rows:
        if not row.keys() <= columns.keys():
            columns |= dict.fromkeys(row)
        yield row
