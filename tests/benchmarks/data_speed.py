"""A large dataset, as the page asks for it: seconds to the first row, to the statistics, to the
doctor's findings, and how much the asking process grows.

`python -m tests.benchmarks.data_speed [FILE]`; without a file 52,002 rows of made-up English.
"""

import json
import random
import sys
import tempfile
import time
from pathlib import Path

import psutil

from engine.desk import client as desk

ROWS = 52_002
ASKED = {
    "max_length": 1024,
    "loss_on": "answers",
    "system_prompt": "",
    "mapping": "",
    "speaker": "",
}


def made(folder: Path) -> Path:
    """Alpaca rows of about 430 characters; words of two to ten letters, drawn by Zipf's law."""
    rng = random.Random(0)
    letters = "etaoinshrdlucmfwypvbgk"
    words = ["".join(rng.choices(letters, k=rng.randint(2, 10))) for _ in range(20_000)]
    weights = [1 / rank for rank in range(1, len(words) + 1)]

    def said(least: int, most: int) -> str:
        return " ".join(rng.choices(words, weights, k=rng.randint(least, most))) + "."

    path = folder / "made.json"
    rows = [{"instruction": said(6, 16), "input": "", "output": said(20, 90)} for _ in range(ROWS)]
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(sys.argv[1]) if len(sys.argv) > 1 else made(Path(folder))
        desk.warm_up()
        mine = psutil.Process()
        before, begin = mine.memory_info().rss, time.perf_counter()

        def passed() -> float:
            return time.perf_counter() - begin

        dataset = desk.add(path, path.name)
        facts = desk.understood(dataset)
        desk.row(dataset, "sprout", 0, **ASKED)
        desk.table(dataset)
        print(f"{facts['rows']:,} rows, {path.stat().st_size / 1e6:.1f} MB: {facts['format']}")
        print(f"first page and first row   {passed():6.1f} s")
        statistics = 0.0
        for look in desk.inspecting(dataset, "sprout", **ASKED):
            if not statistics and ("so_far" in look or "report" in look):
                statistics = passed()
        report = look["report"]
        print(
            f"statistics of all tokens   {statistics:6.1f} s  ({report['total_tokens']:,} tokens)"
        )
        print(f"the doctor's findings      {passed():6.1f} s  ({len(report['problems'])} kinds)")
        print(f"this process grew by       {(mine.memory_info().rss - before) / 2**20:6.1f} MiB")
        desk.close()


if __name__ == "__main__":
    main()
