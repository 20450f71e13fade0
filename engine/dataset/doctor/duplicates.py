"""Rows that are there twice: word for word, nearly, or in the validation data too."""

import json
import re
from collections import Counter
from hashlib import blake2b
from typing import Any

NEAR = 0.85  # Jaccard index of two rows' words: near duplicates from here on
KEPT_OF_EACH = 5  # rows with one answer that a repair leaves
_FEWEST_WORDS = 8  # shorter texts are alike by chance
_HASHES = 128
_BANDS = 16  # of 8 hashes: a pair at NEAR is met with a probability of 0.99
_SEED = 42
_ROWS_A_BATCH = 1000

_WORD = re.compile(r"\w+")
# Scripts that put no space between words: Chinese, kana, Thai, Lao, Khmer.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]+"
)


def exact_key(conversation: dict[str, Any]) -> bytes:
    """Equal for conversations that are equal word for word, tools and system prompt included."""
    return _digest(json.dumps(conversation, sort_keys=True, ensure_ascii=False))


def question_key(conversation: dict[str, Any]) -> bytes:
    """Equal for conversations with the same question: all that stands before the last answer but
    the system prompt, case and white space aside. A plain text is its own question."""
    if "text" in conversation:
        return _digest(_plain(conversation["text"]))
    messages = conversation["messages"]
    last = max(
        (i for i, m in enumerate(messages) if m["role"] == "assistant"), default=len(messages)
    )
    asked = [m for m in messages[:last] if m["role"] != "system"]
    return _digest("\0".join(f"{m['role']} {_plain(m['content'])}" for m in asked))


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Answers:
    """How many rows give one answer; white space around it aside."""

    _MANY, _MANY_OF_FEW, _FEW_ROWS, _SHARE = 10, KEPT_OF_EACH + 1, 500, 0.01

    def __init__(self):
        self._rows: dict[bytes, list[int]] = {}
        self._seen = 0

    def see(self, at: int, answer: str) -> None:
        """The answer of row `at`. Empty ones (a tool is called) are no answer."""
        self._seen += 1
        if answer.strip():
            self._rows.setdefault(_digest(answer.strip()), []).append(at)

    def often(self) -> list[tuple[int, int]]:
        """(rows, first row) of each answer in more than 1 % of the rows and at least ten (six when
        the rows are fewer than 500), the commonest first."""
        return [(len(rows), rows[0]) for rows in self._often()]

    def too_many(self) -> list[int]:
        """Of these answers, the rows after the first KEPT_OF_EACH."""
        return sorted(at for rows in self._often() for at in rows[KEPT_OF_EACH:])

    def _often(self) -> list[list[int]]:
        fewest = self._MANY if self._seen >= self._FEW_ROWS else self._MANY_OF_FEW
        often = [
            rows
            for rows in self._rows.values()
            if len(rows) >= fewest and len(rows) > self._SHARE * self._seen
        ]
        return sorted(often, key=len, reverse=True)


class Copies:
    """The rows seen before, word for word."""

    def __init__(self):
        self._first: dict[bytes, int] = {}

    def first_of(self, row: int, conversation: dict[str, Any]) -> int | None:
        """The row that this one repeats; None for the first of its kind."""
        first = self._first.setdefault(exact_key(conversation), row)
        return None if first == row else first


def words(conversation: dict[str, Any]) -> set[str]:
    """The words of what is said, in lower case; of scripts without spaces, groups of three
    characters. A word that comes again is another one ("bee", "bee 1"): rows made by one pattern
    repeat the word in which they differ.

    The system prompt and the tools are left out: a whole dataset often shares them.
    """
    if "text" in conversation:
        text = conversation["text"]
    else:
        text = "\n".join(m["content"] for m in conversation["messages"] if m["role"] != "system")
    found = _words(text.lower())
    once = set(found)
    if len(once) < len(found):
        again = ((word, many) for word, many in Counter(found).items() if many > 1)
        once.update(f"{word} {n}" for word, many in again for n in range(1, many))
    return once


def _words(text: str) -> list[str]:
    if text.isascii():
        return _WORD.findall(text)
    found = _WORD.findall(_UNSPACED.sub(" ", text))
    for run in _UNSPACED.findall(text):
        found += [run[i : i + 3] for i in range(max(1, len(run) - 2))]
    return found


class Sketches:
    """MinHash sketches of the rows' words; half a kilobyte a row, whatever the rows' length."""

    def __init__(self):
        self._waiting: list[list[str]] = []
        self._at: list[int] = []
        self._answers: list[int] = []
        self._sketches: list[Any] = []

    def add(self, at: int, conversation: dict[str, Any], answer: str) -> None:
        """Row `at` with the answer whose length decides who of two near rows stays."""
        found = words(conversation)
        if len(found) < _FEWEST_WORDS:
            return
        self._waiting.append(list(found))
        self._at.append(at)
        self._answers.append(len(answer))
        if len(self._waiting) == _ROWS_A_BATCH:
            self._sketch()

    def near(self) -> dict[int, int]:
        """Each row that nearly repeats another -> that other row, in the rows' order.

        The rows with the longest answers stay. No two of those that stay are near each other, and
        whether two rows are near depends on nothing but them.
        """
        from rensa import RMinHashLSH

        self._sketch()
        kept = RMinHashLSH(NEAR, _HASHES, _BANDS)
        near = {}
        for i in sorted(range(len(self._at)), key=lambda i: -self._answers[i]):
            sketch = self._sketches[i]
            likely = (
                j for j in sorted(kept.query(sketch)) if sketch.jaccard(self._sketches[j]) >= NEAR
            )
            other = next(likely, None)
            if other is None:
                kept.insert(i, sketch)
            else:
                near[self._at[i]] = self._at[other]
        return dict(sorted(near.items()))

    def _sketch(self) -> None:
        from rensa import RMinHash

        self._sketches += RMinHash.from_token_sets(self._waiting, num_perm=_HASHES, seed=_SEED)
        self._waiting = []
