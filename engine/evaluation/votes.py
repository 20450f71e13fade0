"""Blind votes: kept as preference rows, counted against the base.

`decided.jsonl` holds a row for each pair that a vote decided, as preference training reads it:
`prompt` (the messages that the better voice read, without a greeting), `chosen` and `rejected` (an
answer each), and beside these whose they are, the base, the vote's id and the time. `ties.jsonl`
holds the votes in which nobody was better, a row for each pair, and the pairs of a vote that said
the same: nothing is to be learned from them.
"""

import json
import math
import os
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

from engine.chat.conversations import BASE, without_greeting
from engine.errors import UserError
from engine.places import votes_dir
from engine.training.live_files import read_json_lines

TIE = ""
DECIDED, TIES = "decided.jsonl", "ties.jsonl"
_Z = 1.959963984540054  # of a 95 % interval
_writing = threading.Lock()  # two pages may vote at once


@dataclass(frozen=True, slots=True)
class Standing:
    """How a voice did against the base: votes won, lost and tied. `rate` counts a tie as half a
    vote; `low` and `high` bound it with 95 % confidence (Wilson)."""

    model: str
    voice: str
    wins: int
    losses: int
    ties: int

    @property
    def votes(self) -> int:
        return self.wins + self.losses + self.ties

    @property
    def rate(self) -> float:
        return (self.wins + self.ties / 2) / self.votes

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.wins + self.ties / 2, self.votes)


def wilson(successes: float, trials: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927). `trials` is at least 1."""
    share, z2 = successes / trials, _Z * _Z
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = _Z / (1 + z2 / trials)
    half *= math.sqrt(share * (1 - share) / trials + z2 / (4 * trials * trials))
    return max(0.0, middle - half), min(1.0, middle + half)


def cast(
    model: str,
    histories: dict[str, list[dict[str, str]]],
    answers: dict[str, str],
    best: str,
) -> None:
    """Keeps one vote. `histories` are what each voice read, `answers` what it said, `best` the
    better (or best) voice, TIE for none. Of three or more voices the best is chosen before each
    of the others, and is as good as one that said the same; between those nothing is known. A
    greeting is left out, so that the rows can be trained on. Raises UserError."""
    if best != TIE and best not in answers:
        raise UserError(
            f"{best} did not answer, so it cannot be the best; vote for one that did.",
            f"{best} 没有作答，不能选为最好；请从作答者中选。",
        )
    read = {voice: without_greeting(messages) for voice, messages in histories.items()}
    about = {
        "model": model,
        "vote": uuid.uuid4().hex[:12],
        "time": datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds"),
    }
    pairs = [*combinations(answers, 2)]
    if best != TIE:
        pairs = [(best, other) for other in answers if other != best]
    rows: dict[str, list] = {DECIDED: [], TIES: []}
    for one, other in pairs:
        said = [_said(answers[one]), _said(answers[other])]
        if best == TIE or answers[one].strip() == answers[other].strip():
            rows[TIES].append({"prompt": read[one], "answers": said, "voices": [one, other]})
            continue
        row = {"prompt": read[one], "chosen": said[0], "rejected": said[1]}
        row |= {"chosen_voice": one, "rejected_voice": other}
        rows[DECIDED].append(row | {"same_prompt": read[other] == read[one]})
    for name, some in rows.items():
        if some:
            _append(votes_dir() / name, [row | about for row in some])


def decided() -> list[dict[str, Any]]:
    """The preference rows, oldest first."""
    return read_json_lines(votes_dir() / DECIDED)


def standings() -> list[Standing]:
    """Of every voice that met its base in a vote which says something of the two, those with the
    most votes first."""
    count: Counter = Counter()
    for row in decided():
        pair = (row["chosen_voice"], row["rejected_voice"])
        _count(count, row["model"], pair, "wins" if pair[1] == BASE else "losses")
    for row in read_json_lines(votes_dir() / TIES):
        _count(count, row["model"], tuple(row["voices"]), "ties")
    met = {(model, voice) for model, voice, _ in count}
    found = [
        Standing(*one, *(count[(*one, kind)] for kind in ("wins", "losses", "ties"))) for one in met
    ]
    return sorted(found, key=lambda one: (-one.votes, one.model, one.voice))


def _count(count: Counter, model: str, pair: tuple[str, str], kind: str) -> None:
    if BASE in pair:
        (voice,) = set(pair) - {BASE}
        count[(model, voice, kind)] += 1


def _said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def _append(file: Path, rows: list[dict[str, Any]]) -> None:
    """All rows or, when the disk is full, none. What a killed writer left of a line is cut off."""
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    with _writing, file.open("ab+") as out:
        out.seek(0)
        end = out.read().rfind(b"\n") + 1
        out.truncate(end)
        try:
            out.write(lines)
            out.flush()
            os.fsync(out.fileno())
        except OSError as error:
            out.truncate(end)
            raise UserError(
                f"The vote could not be kept in {file} ({error.strerror}); make room and vote "
                "again.",
                f"这一票没能写入 {file}（{error.strerror}）；请腾出空间后再投。",
            ) from error
