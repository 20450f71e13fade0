"""Objects of any shape as rows of an Arrow file: read again from disk, held by nobody's memory."""

import itertools
import json
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import orjson

_LINES_A_BATCH = 1000
_numbers = itertools.count()


class Stored(Sequence):
    """A sequence of JSON values, memory-mapped by `datasets`; its file goes when it goes.

    Rows of one dataset differ in columns and types, which an Arrow schema cannot hold; so the one
    column holds each row as JSON text.
    """

    def __init__(self, values: Iterable[Any]):
        from datasets import Dataset, Features, Value
        from datasets.arrow_writer import ArrowWriter
        from datasets.table import MemoryMappedTable

        path = Path(_folder()) / f"{next(_numbers)}.arrow"
        weakref.finalize(self, path.unlink, missing_ok=True)
        features = Features({"json": Value("large_string")})
        with ArrowWriter(path=str(path), features=features) as writer:
            for lines in _batches(values):
                writer.write_batch({"json": lines})
            writer.finalize()
        # The fingerprint is for what `datasets` caches, nothing here; by itself it takes as long as
        # writing a small file does.
        self._lines = Dataset(MemoryMappedTable.from_file(str(path)), fingerprint=path.stem)
        self._lines.set_format("arrow")

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, at: int | slice) -> Any:
        if isinstance(at, slice):
            return [self[i] for i in range(len(self))[at]]
        if not -len(self) <= at < len(self):
            raise IndexError(at)
        return _read(self._lines[at % len(self)]["json"][0].as_py())

    def __iter__(self) -> Iterator[Any]:
        for start in range(0, len(self), _LINES_A_BATCH):
            for line in self._lines[start : start + _LINES_A_BATCH]["json"].to_pylist():
                yield _read(line)

    def find(self, words: str) -> list[int]:
        """Numbers of the rows that hold these words in a value, at any depth; case is even."""
        import pyarrow.compute as compute

        written = json.dumps(words, ensure_ascii=False)[1:-1]  # as it stands in the JSON text
        column = self._lines[:]["json"]
        holds = compute.match_substring(column, written, ignore_case=True)  # or in a key
        lines = (line for chunk in column.filter(holds).chunks for line in chunk.to_pylist())
        found = zip(compute.indices_nonzero(holds).to_pylist(), lines, strict=True)
        return [number for number, line in found if _says(_read(line), words.lower())]


def _batches(values: Iterable[Any]) -> Iterator[list[str]]:
    lines = []
    for value in values:
        lines.append(_written(value))
        if len(lines) == _LINES_A_BATCH:
            yield lines
            lines = []
    if lines:
        yield lines


def _written(value: Any) -> str:
    """By orjson, three times as fast as json; but it knows integers of 64 bits only, and the few
    rows with larger ones are marked by a space."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return " " + json.dumps(value, ensure_ascii=False)


def _read(line: str) -> Any:
    return json.loads(line) if line[0] == " " else orjson.loads(line)


def _says(value: Any, words: str) -> bool:
    if isinstance(value, str):
        return words in value.lower()
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return value is not None and words in json.dumps(value).lower()
    return any(_says(one, words) for one in value)


@cache
def _folder() -> str:
    """One folder a process, taken away when the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="greenroom-rows-")
    weakref.finalize(_folder, folder.cleanup)
    return folder.name
