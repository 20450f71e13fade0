"""Rows become a file: JSON, JSON Lines, CSV or Parquet, by the ending of its name."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from engine.errors import UserError

if TYPE_CHECKING:
    import pyarrow

Row = dict[str, Any]

_ROWS_A_BATCH = 1000
# Objects that have other keys in every row: a Parquet column has one type, so they are text there.
_FREE_OBJECTS = ("tools", "arguments")


def write_rows(
    rows: Sequence[Row], out: Path, splits: dict[str, tuple[int, int]] | None = None
) -> None:
    """Replaces `out` once all rows (JSON values) are written; CSV and Parquet read them twice.

    `splits` (from, to) are those of Table, for JSON alone. Raises UserError (field "out") for an
    ending that is not in ENDINGS or cannot keep the splits, or a place that cannot be written.
    """
    write = ENDINGS.get(out.suffix.lower())
    if write is None:
        raise UserError(
            f"{out.name!r} does not say what kind of file to write; let its name end in "
            f"{', '.join(ENDINGS)}.",
            f"从文件名 {out.name!r} 看不出要写成哪种文件；请以 {'、'.join(ENDINGS)} 之一结尾。",
            field="out",
        )
    if splits:
        if out.suffix.lower() != ".json":
            raise _one_list_only(out, splits)
        write = partial(_write_splits, splits=splits)
    unfinished = out.with_name(f".{out.name}.part")
    try:
        try:
            write(rows, unfinished)
            unfinished.replace(out)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(out, error) from error


def unwritable(out: Path, error: OSError) -> UserError:
    """The sentence for a place that cannot be written."""
    return UserError(
        f"{out} cannot be written ({error.strerror or error}); choose another place.",
        f"无法写入 {out}（{error.strerror or error}），请换一个位置。",
        field="out",
    )


def _one_list_only(out: Path, splits: dict[str, tuple[int, int]]) -> UserError:
    named = [f"{name} {last - first:,}" for name, (first, last) in splits.items()]
    return UserError(
        f"{out.name} holds one list of rows, but this file brings parts of its own "
        f"({', '.join(named)}), and what is held back for validation would be trained on. "
        "Let the name end in .json, which keeps the parts.",
        f"{out.name} 只能存放一份行，而这个文件自带划分（{'、'.join(named)}），"
        "留作验证的行会被拿去训练。请以 .json 结尾，可以保留划分。",
        field="out",
    )


def _write_json(rows: Iterable[Row], out: Path) -> None:
    with out.open("w", encoding="utf-8", newline="\n") as file:
        _write_list(file, rows, "\n")
        file.write("\n")


def _write_splits(rows: Iterable[Row], out: Path, splits: dict[str, tuple[int, int]]) -> None:
    """One object: the name of each split, and its rows; they follow each other in `rows` too."""
    left = iter(rows)
    with out.open("w", encoding="utf-8", newline="\n") as file:
        before = "{"
        for name, (first, last) in splits.items():
            file.write(f"{before}\n  {json.dumps(name, ensure_ascii=False)}: ")
            _write_list(file, islice(left, last - first), "\n  ")
            before = ","
        file.write("\n}\n")


def _write_list(file: TextIO, rows: Iterable[Row], line: str) -> None:
    """`line` is a line feed and the margin of the list."""
    before, end = "[", "[]"
    for row in rows:
        text = json.dumps(row, ensure_ascii=False, indent=2)
        file.write(f"{before}{line}  " + text.replace("\n", f"{line}  "))
        before, end = ",", f"{line}]"
    file.write(end)


def _write_json_lines(rows: Sequence[Row], out: Path) -> None:
    with out.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _write_csv(rows: Sequence[Row], out: Path) -> None:
    """With a byte order mark, without which Excel takes Chinese for another encoding.

    Cells are as they are, also those that a spreadsheet takes for formulas: a dataset comes back
    unchanged. What is written to be read in a spreadsheet is made harmless by who writes it.

    One column alone could not be told from a text; it gets pandas' nameless column of numbers
    before it, which readers know and leave out.
    """
    columns = _columns(rows)
    is_numbered = len(columns) == 1
    with out.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*([""] if is_numbered else []), *columns])
        for number, row in enumerate(rows):
            cells = [_as_text(row.get(name)) for name in columns]
            writer.writerow([*([number] if is_numbered else []), *cells])


def _write_parquet(rows: Sequence[Row], out: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    columns = _columns(rows)
    types = _types(rows, columns)
    schema = pyarrow.schema([(name, types[name] or pyarrow.string()) for name in columns])
    with out.open("wb") as file, pyarrow.parquet.ParquetWriter(file, schema) as writer:
        for batch in _batches(rows, columns):
            for name in columns:
                if types[name] is None:
                    batch[name] = [_as_text(value) for value in batch[name]]
            writer.write_table(pyarrow.table(batch, schema=schema))


ENDINGS: dict[str, Callable[[Sequence[Row], Path], None]] = {
    ".json": _write_json,
    ".jsonl": _write_json_lines,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}


def _columns(rows: Iterable[Row]) -> list[str]:
    """In order of their first appearance."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _types(rows: Sequence[Row], columns: list[str]) -> dict[str, "pyarrow.DataType | None"]:
    """The one type that holds all of a column's values; None where there is none."""
    import pyarrow

    types: dict[str, Any] = dict.fromkeys(columns, pyarrow.null())
    for batch in _batches(rows, columns):
        for name in columns:
            if types[name] is not None:
                types[name] = _wider(types[name], batch[name])
    return {name: None if "struct<>" in str(found) else found for name, found in types.items()}


def _wider(known: "pyarrow.DataType", values: list[Any]) -> "pyarrow.DataType | None":
    import pyarrow

    try:
        both = [pyarrow.schema([("", one)]) for one in (known, pyarrow.array(values).type)]
        return pyarrow.unify_schemas(both, promote_options="permissive").field(0).type
    except (pyarrow.ArrowException, OverflowError):
        return None


def _batches(rows: Sequence[Row], columns: list[str]) -> Iterator[dict[str, list[Any]]]:
    """Column by column, with None where a row lacks one."""
    left = iter(rows)
    while some := [_fixed(row) for row in islice(left, _ROWS_A_BATCH)]:
        yield {name: [row.get(name) for row in some] for name in columns}


def _fixed(value: Any) -> Any:
    """The value with its free objects as JSON text."""
    if isinstance(value, list):
        return [_fixed(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _as_text(inner) if name in _FREE_OBJECTS else _fixed(inner)
        for name, inner in value.items()
    }
