"""Files read, understood and measured, kept while people look at them. Safe to ask from threads."""

import contextlib
import gc
import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from engine.dataset.lengths import Lengths, measure
from engine.dataset.meaning.columns import chosen_roles, mapping_text, parse_mapping
from engine.dataset.meaning.formats import Conversations, learnable, to_conversations
from engine.dataset.reading.read import Table, read_table
from engine.errors import UserError

_KEPT = 8
_ROWS_A_WORD = 1000
_reading = threading.Lock()
_measuring = threading.Lock()
_lengths: dict[tuple, Lengths] = {}


def table(path: Path) -> Table:
    """The rows as they are, also of a file that nobody understands. Raises UserError."""
    with _reading:
        return _table(path, _changed_at(path))


def conversations(path: Path, mapping: str = "", speaker: str = "") -> Conversations:
    """One at least. Raises UserError (field "dataset", "mapping" or "speaker")."""
    return learnable(understood(path, mapping, speaker))


def understood(path: Path, mapping: str = "", speaker: str = "") -> Conversations:
    """Also of a file in which all rows are left out. Raises UserError as `conversations`."""
    with _reading:
        return _found(path, _changed_at(path), mapping, speaker)


def second(path: Path, mapping: str = "", speaker: str = "") -> Conversations:
    """A validation file, read as the first one was. Raises UserError as `conversations`."""
    return conversations(path, for_second(mapping, table(path).columns), speaker)


def for_second(mapping: str, columns: list[str]) -> str:
    """What a person chose for the first file, as far as a second one has these columns; "" when too
    little is left to make a conversation of, and it is read by its own names."""
    chosen = {name: role for name, role in parse_mapping(mapping).items() if name in columns}
    try:
        chosen_roles(chosen, columns)
    except UserError:
        return ""
    return mapping_text(chosen)


def lengths(
    path: Path,
    mapping: str,
    speaker: str,
    tokenizer: Any,
    progress: Callable[[float], None] = lambda share: None,
    **options: Any,
) -> Lengths:
    """`options` are those of `encode_all`; `progress` hears shares of one while rows are encoded,
    and may raise to end it."""
    found = understood(path, mapping, speaker)
    key = (path, _changed_at(path), mapping, speaker, tokenizer, *sorted(options.items()))
    with _measuring:
        if key not in _lengths:
            rows = _told(found.conversations, progress)
            with _collecting_nothing():
                known = measure(tokenizer, rows, **options)
            while len(_lengths) >= _KEPT:
                del _lengths[next(iter(_lengths))]
            _lengths[key] = known
        return _lengths[key]


@contextlib.contextmanager
def _collecting_nothing() -> Iterator[None]:
    """What measuring makes holds no circles, and a collection walks all rows that were read."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def sha256(path: Path) -> str:
    """Of the file's bytes, in hexadecimal."""
    return _sha256(path, _changed_at(path))


def _told(rows: Sequence, progress: Callable[[float], None]) -> Iterator[Any]:
    for number, row in enumerate(rows):
        if number % _ROWS_A_WORD == 0:
            progress(number / len(rows))
        yield row


def _changed_at(path: Path) -> float:
    """A changed file is a new one; one that is not there is read all the same, and says so."""
    return path.stat().st_mtime if path.exists() else 0.0


@lru_cache(maxsize=4)
def _table(path: Path, changed_at: float) -> Table:
    return read_table(path)


@lru_cache(maxsize=4)
def _found(path: Path, changed_at: float, mapping: str, speaker: str) -> Conversations:
    return to_conversations(_table(path, changed_at), mapping, speaker)


@lru_cache(maxsize=64)
def _sha256(path: Path, changed_at: float) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
