"""Rows out of Parquet and Arrow files, batch by batch."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from engine.dataset.reading.found import Found
from engine.dataset.reading.plain_values import plain
from engine.dataset.reading.refusal import MAX_UNPACKED, refusal, unpacks_too_large
from engine.errors import Sentence, UserError

if TYPE_CHECKING:
    import pyarrow

PARTS = "greenroom.splits"  # {"taken": {name: rows}, "left": {name: rows}}, in a file of ours
_NAMED = 5
TITLES = {"parquet": "Parquet", "arrow": "Arrow"}
_ROWS_A_BATCH = 1000


def columnar_kind(raw: bytes) -> str | None:
    if raw.startswith(b"PAR1"):
        return "parquet"
    # A file begins with its name, a stream (as `datasets` writes) with a mark and a length.
    is_stream = raw.startswith(b"\xff\xff\xff\xff") and len(raw) >= 8
    return "arrow" if raw.startswith(b"ARROW1") or is_stream else None


def columnar_rows(raw: bytes, kind: str, name: str) -> Found:
    """Raises UserError on the way for what is broken or unpacks to more than MAX_UNPACKED."""
    found = Found((), kind)
    found.rows = _rows(raw, found, name)
    return found


def _rows(raw: bytes, found: Found, name: str) -> Iterator[dict[str, Any]]:
    import pyarrow

    size = 0
    try:
        for batch in _parquet(raw, found) if found.kind == "parquet" else _arrow(raw):
            _refuse_twins(batch.schema.names, name)
            batch.validate(full=True)
            size += batch.nbytes
            if size > MAX_UNPACKED:
                raise unpacks_too_large(name)
            for start in range(0, batch.num_rows, _ROWS_A_BATCH):
                for row in batch.slice(start, _ROWS_A_BATCH).to_pylist():
                    yield plain(row)
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        raise _broken(found.kind, name, error) from error


def _refuse_twins(columns: list[str], name: str) -> None:
    """A row would hold the last of them alone."""
    if twins := [column for column in columns if columns.count(column) > 1]:
        raise refusal(
            f"{name} has several columns called {twins[0]!r}; rename them and write it again.",
            f"{name} 有多个名为 {twins[0]!r} 的列；请改名后重新生成。",
        )


def _parquet(raw: bytes, found: Found) -> Iterator["pyarrow.RecordBatch"]:
    import pyarrow
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(pyarrow.BufferReader(raw)) as file:
        yield from file.iter_batches(batch_size=_ROWS_A_BATCH, use_threads=False)
        if said := (file.metadata.metadata or {}).get(PARTS.encode()):
            try:
                _tell_parts(json.loads(said), found)
            except (AttributeError, KeyError, TypeError) as error:
                raise ValueError("its splits are not written as they should be") from error


def _tell_parts(parts: dict[str, dict[str, int]], found: Found) -> None:
    """The splits of a dataset of the Hub: those that are in the file, and those that are not."""
    begin = 0
    for name, rows in parts["taken"].items():
        found.splits[name] = (begin, begin + rows)
        begin += rows
    if len(found.splits) < 2:
        found.splits.clear()
    if left := [f"{name} ({rows:,})" for name, rows in parts["left"].items()]:
        named = ", ".join(left[:_NAMED]) + " ..." * (len(left) > _NAMED)
        found.notes.append(
            Sentence(
                f"The dataset has other splits that were not fetched (rows of each): {named}. To "
                "use one, fetch it by its name.",
                f"数据集还有没有获取的部分（括号中是行数）：{named}。要用其中之一，请按名字获取。",
            )
        )


def _arrow(raw: bytes) -> Iterator["pyarrow.RecordBatch"]:
    import pyarrow

    if raw.startswith(b"ARROW1"):
        with pyarrow.ipc.open_file(pyarrow.BufferReader(raw)) as file:
            yield from (file.get_batch(i) for i in range(file.num_record_batches))
    else:
        with pyarrow.ipc.open_stream(pyarrow.BufferReader(raw)) as stream:
            yield from stream


def _broken(kind: str, name: str, error: Exception) -> UserError:
    title = TITLES[kind]
    return refusal(
        f"{name} is a broken {title} file ({str(error)[:80]}); write it again.",
        f"{name} 是损坏的 {title} 文件，请重新生成。",
    )
