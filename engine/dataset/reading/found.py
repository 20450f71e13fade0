"""What a file holds, as each kind of reader hands it on."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from engine.errors import Sentence


@dataclass(slots=True)
class Found:
    """`rows` is read on the way; `splits` (as in Table) and `notes` are whole when it ends.

    A note says what was not read, or was read in a way that a person may not have meant.
    """

    rows: Iterable[dict[str, Any]]
    kind: str
    splits: dict[str, tuple[int, int]] = field(default_factory=dict)
    notes: list[Sentence] = field(default_factory=list)
