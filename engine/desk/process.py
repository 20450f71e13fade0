"""The desk's other end: answers the page's questions. `python -m engine.desk.process`."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.child import serve
from engine.dataset import opened
from engine.desk.jobs import Job
from engine.imports import importing
from engine.models.load import kept_tokenizer

_JOBS_KEPT = 4
_jobs: dict[str, Job] = {}


def _warm_up() -> Iterator[bool]:
    with importing():
        import peft  # noqa: F401
        from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: F401

        import engine.training.estimate  # noqa: F401
    yield True


def _read(path: str) -> Iterator[int]:
    yield len(opened.table(Path(path)).rows)


def _mend(path: str, out: str) -> Iterator[list[dict[str, str]]]:
    from engine.dataset.reading.mend import mend

    yield [change._asdict() for change in mend(Path(path), Path(out))]


def _download(hub_id: str, split: str, token: str, folder: str) -> Iterator[str]:
    from engine.dataset.reading.hub import download

    yield str(download(hub_id, split, token, Path(folder)))


def _identity(name: str, maker: str, language: str, out: str) -> Iterator[int]:
    from engine.dataset.making.identity import identity_rows

    rows = identity_rows(name, maker, language)
    _write(Path(out), rows)
    yield len(rows)


def _understood(path: str, mapping: str, speaker: str) -> Iterator[dict[str, Any]]:
    from engine.dataset.inspect import understood

    yield understood(Path(path), mapping, speaker)


def _inspect(
    path: str,
    model_name_or_path: str,
    held_out: str | None,
    chat_template: str = "model",
    **options: Any,
) -> Iterator[dict[str, Any]]:
    from engine.dataset.inspect import inspect

    def work(progress):
        tokenizer, note = kept_tokenizer(model_name_or_path, chat_template)
        second = Path(held_out) if held_out else None
        report = inspect(Path(path), tokenizer, held_out=second, progress=progress, **options)
        return report | {"template_note": note and note._asdict()}

    changed_at = [Path(one).stat().st_mtime for one in (path, held_out) if one]
    read = (model_name_or_path, chat_template, options)
    yield _look(work, "inspect", path, held_out, changed_at, *read)


def _estimate(config: dict[str, Any], device_gib: float) -> Iterator[dict[str, Any]]:
    """Never the same twice: free memory and the speed of earlier runs are part of it."""
    from engine.training.estimate import estimate

    asked = ("estimate", config, device_gib)
    look = _look(lambda progress: estimate(config, progress, device_gib), *asked)
    if "report" in look:
        del _jobs[_key(*asked)]
    yield look


def _look(work: Callable, *asked: Any) -> dict[str, Any]:
    """How far this work is; begins it when it is new, or was given up."""
    key = _key(*asked)
    if key not in _jobs or _jobs[key].failed:
        for old in [one for one, job in _jobs.items() if job.ended][: 1 - _JOBS_KEPT]:
            del _jobs[old]  # not one that goes on: whoever waits for it would begin it anew
        _jobs[key] = Job(work)
    return _jobs[key].look()


def _key(*asked: Any) -> str:
    return json.dumps(asked, sort_keys=True)


def _export_plan(run: str) -> Iterator[dict[str, Any]]:
    from engine.export.plan import outlook
    from engine.export.source import of_run

    yield outlook(of_run(run))


def _row(
    path: str, model_name_or_path: str, number: int, chat_template: str = "model", **options: Any
) -> Iterator[dict]:
    from engine.dataset.inspect import one_row

    tokenizer, _ = kept_tokenizer(model_name_or_path, chat_template)
    yield one_row(Path(path), tokenizer, number, **options)


def _table(path: str, start: int, count: int, search: str) -> Iterator[dict[str, Any]]:
    from engine.dataset.inspect import table_page

    yield table_page(Path(path), start, count, search)


def _dropped(path: str, mapping: str, speaker: str, out: str) -> Iterator[int]:
    table = opened.table(Path(path))
    found = opened.understood(Path(path), mapping, speaker)
    _write(
        Path(out),
        (
            {"row": number + 1, "reason": reason.en, "reason_zh": reason.zh}
            | {"content": table.rows[number]}
            for number, reason in found.dropped
        ),
    )
    yield len(found.dropped)


def _report(
    path: str,
    facts: dict[str, Any],
    language: str,
    repaired: list[dict[str, Any]] | None,
    made: str,
    out: str,
) -> Iterator[str]:
    """`made` is the report on how this dataset was made, where there is one."""
    from engine.dataset.making.report import Repaired, markdown

    now = datetime.now(UTC).isoformat(" ", "minutes").removesuffix("+00:00")
    more = {"sha256": opened.sha256(Path(path)), "made_at": now}
    before = Path(made)
    source = before.read_text(encoding="utf-8") if before.is_file() else ""
    done = None if repaired is None else [Repaired(**one) for one in repaired]
    Path(out).write_text(markdown(facts | more, language, done, source), encoding="utf-8")
    yield out


def _convert(path: str, to: str, mapping: str, speaker: str, out: str) -> Iterator[dict[str, Any]]:
    from engine.dataset.making.convert import convert
    from engine.dataset.making.losses import told

    found = opened.conversations(Path(path), mapping, speaker)
    done = convert(found, to, Path(out), opened.table(Path(path)))
    yield {"rows": done.rows, "lost": [one._asdict() for one in told(found, done.lost)]}


def _losses(path: str, to: str, mapping: str, speaker: str) -> Iterator[list[dict[str, str]]]:
    from engine.dataset.making.convert import losses
    from engine.dataset.making.losses import told

    found = opened.conversations(Path(path), mapping, speaker)
    yield [one._asdict() for one in told(found, losses(found, to))]


def _to_watch(path: str, count: int, mapping: str, speaker: str) -> Iterator[list[str]]:
    from engine.evaluation.asked import to_watch

    yield to_watch(Path(path), count, mapping, speaker)


def _messages(path: str, mapping: str, speaker: str, system_prompt: str, out: str) -> Iterator[str]:
    from engine.dataset.making.write import write_rows
    from engine.dataset.prompt import with_system
    from engine.dataset.reading.store import Stored
    from engine.dataset.split import splits_among

    found = opened.conversations(Path(path), mapping, speaker)
    rows = Stored(
        one | {"messages": with_system(one["messages"], system_prompt)}
        if "messages" in one
        else one
        for one in found.conversations
    )
    written = _to_be_written(path, out)
    write_rows(rows, written, splits_among(found.sources, opened.table(Path(path)).splits))
    yield str(written)


def _to_be_written(path: str, out: str) -> Path:
    """`out`, with the ending of a kind of file that keeps what splits the dataset brings."""
    several = len(opened.table(Path(path)).splits) > 1
    return Path(out).with_suffix(".json" if several else ".jsonl")


def _repair(
    path: str,
    kinds: list[str],
    fill: dict[str, str],
    held_out: str | None,
    mapping: str,
    speaker: str,
    out: str,
) -> Iterator[dict[str, Any]]:
    from collections import Counter

    from engine.dataset.doctor.repair import repair

    written = _to_be_written(path, out)
    changes = repair(
        opened.understood(Path(path), mapping, speaker),
        kinds,
        written,
        held_out=opened.second(Path(held_out), mapping, speaker) if held_out else None,
        table=opened.table(Path(path)),
        mapping=mapping,
        fill=fill,
    )
    counts = Counter((one.kind, one.action) for one in changes)
    yield {
        "out": str(written),
        "counts": [
            {"kind": kind, "removed": counts[kind, "removed"], "changed": counts[kind, "changed"]}
            for kind in dict.fromkeys(one.kind for one in changes)
        ],
    }


def _write(out: Path, rows) -> None:
    with out.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    serve(
        {
            "warm_up": _warm_up,
            "read": _read,
            "mend": _mend,
            "download": _download,
            "identity": _identity,
            "understood": _understood,
            "inspect": _inspect,
            "row": _row,
            "table": _table,
            "dropped": _dropped,
            "report": _report,
            "convert": _convert,
            "losses": _losses,
            "to_watch": _to_watch,
            "messages": _messages,
            "repair": _repair,
            "estimate": _estimate,
            "export_plan": _export_plan,
        }
    )
