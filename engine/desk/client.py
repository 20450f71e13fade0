"""The desk: a warm child process that reads files, tokenises and estimates for the page.

The page calls the functions below; `engine.desk.process` is the other end. So the page never
imports torch, holds no rows, and a file of any size never makes it stutter.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine import library
from engine.child import Child
from engine.errors import UserError
from engine.places import temporary_file

_child = Child("engine.desk.process")
_SECONDS_A_LOOK = 0.1


def warm_up() -> None:
    """Starts the process and its imports; returns when it can answer."""
    _child.answer("warm_up")


def close() -> None:
    _child.close()


def add(path: str | Path, filename: str) -> str:
    """Copies a file into the library and returns its id. Raises UserError for a file that cannot be
    read as a table (`remedy` "mend" when `add_mended` can); it is not kept then."""
    known = {one.id for one in library.list_datasets()}
    added = library.keep(path, filename)
    try:
        _child.answer("read", path=str(library.require(added)))
    except UserError:
        if added not in known:
            library.remove(added)
        raise
    return added


def add_mended(path: str | Path, filename: str) -> tuple[str, list[dict[str, str]]]:
    """Mends a broken JSON file into a new one in the library: its id, and what was changed."""
    with tempfile.TemporaryDirectory(prefix="greenroom-") as folder:
        out = Path(folder) / f"{Path(filename).stem}-mended.jsonl"
        changes = _child.answer("mend", path=str(path), out=str(out))
        return library.keep(out, out.name), changes


def add_from_hub(hub_id: str, split: str = "", token: str = "") -> str:
    """A dataset of the Hub, as a file in the library. The token is used once and kept nowhere."""
    with tempfile.TemporaryDirectory(prefix="greenroom-") as folder:
        file = Path(
            _child.answer("download", hub_id=hub_id, split=split, token=token, folder=folder)
        )
        return library.keep(file, file.name)


def add_identity(name: str, maker: str, language: str) -> str:
    """Rows in which the model says who it is and who made it, as a file in the library."""
    with tempfile.TemporaryDirectory(prefix="greenroom-") as folder:
        out = Path(folder) / f"identity-{name.strip()}.jsonl"
        out = out.with_name(out.name.replace("/", "-"))
        _child.answer("identity", name=name, maker=maker, language=language, out=str(out))
        return library.keep(out, out.name)


def understood(dataset: str, mapping: str = "", speaker: str = "") -> dict[str, Any]:
    """How a file was read, without a model. Raises UserError."""
    path = str(library.require(dataset))
    return _child.answer("understood", path=path, mapping=mapping, speaker=speaker)


def inspecting(
    dataset: str, model_name_or_path: str, *, eval_dataset: str = "", **options: Any
) -> Iterator[dict[str, Any]]:
    """Yields {"share"} while it works, with the figures as "so_far" before the doctor has looked,
    and {"share": 1, "report"} at its end; who stops listening ends the work. `options` as
    engine.dataset.inspect.inspect, and `chat_template`. Raises UserError."""
    asked = options | {
        "path": str(library.require(dataset)),
        "held_out": str(library.require(eval_dataset)) if eval_dataset else None,
        "model_name_or_path": model_name_or_path,
    }
    yield from _looks("inspect", **asked)


def inspect(dataset: str, model_name_or_path: str, **options: Any) -> dict[str, Any]:
    """The report alone, when it is done."""
    *_, last = inspecting(dataset, model_name_or_path, **options)
    return last["report"]


def row(dataset: str, model_name_or_path: str, number: int, **options: Any) -> dict[str, Any]:
    """One conversation (0-based) in full. Raises UserError."""
    path = str(library.require(dataset))
    return _child.answer(
        "row", path=path, model_name_or_path=model_name_or_path, number=number, **options
    )


def table(dataset: str, start: int = 0, count: int = 50, search: str = "") -> dict[str, Any]:
    """Rows of the file as they are, as text. Raises UserError."""
    path = str(library.require(dataset))
    return _child.answer("table", path=path, start=start, count=count, search=search)


def dropped(dataset: str, mapping: str = "", speaker: str = "") -> Path:
    """The rows that are left out, each with its number and its reason, as a JSON Lines file."""
    out = temporary_file(f"{Path(dataset).stem}-dropped.jsonl")
    path = str(library.require(dataset))
    _child.answer("dropped", path=path, mapping=mapping, speaker=speaker, out=str(out))
    return out


def report(dataset: str, facts: dict[str, Any], language: str) -> Path:
    """What `inspect` or `understood` said of a dataset as a Markdown file, with how it was made
    where that is known."""
    out = temporary_file(f"{Path(dataset).stem}-report.md")
    _write_report(dataset, facts, language, out, made=library.report_file(dataset, language))
    return out


def _keep_report(added: str, dataset: str, facts: dict[str, Any], repaired: list | None) -> None:
    """Beside a dataset that was made here: what it was made from, and how."""
    for language in ("en", "zh"):
        out, before = (library.report_file(one, language) for one in (added, dataset))
        out.parent.mkdir(exist_ok=True)
        _write_report(dataset, facts, language, out, made=before, repaired=repaired)


def _write_report(
    dataset: str,
    facts: dict[str, Any],
    language: str,
    out: Path,
    made: Path,
    repaired: list | None = None,
) -> None:
    _child.answer(
        "report",
        path=str(library.require(dataset)),
        facts=facts | {"name": dataset},
        language=language,
        repaired=repaired,
        made=str(made),
        out=str(out),
    )


def convert(
    dataset: str, to: str, ending: str = ".jsonl", mapping: str = "", speaker: str = ""
) -> tuple[Path, dict[str, Any]]:
    """Writes the dataset in another format into the temporary folder: the file, and {"rows",
    "lost": [sentences]}. Raises UserError (field "dataset" or "to")."""
    out = temporary_file(f"{Path(dataset).stem}-{to}{ending}")
    path = str(library.require(dataset))
    said = _child.answer(
        "convert", path=path, to=to, mapping=mapping, speaker=speaker, out=str(out)
    )
    return out, said


def losses(dataset: str, to: str, mapping: str = "", speaker: str = "") -> list[dict[str, str]]:
    """What a format cannot hold of a dataset, as sentences; said before converting."""
    path = str(library.require(dataset))
    return _child.answer("losses", path=path, to=to, mapping=mapping, speaker=speaker)


def to_watch(dataset: str, count: int, mapping: str = "", speaker: str = "") -> list[str]:
    """Questions of a dataset to watch a run by, as in engine.evaluation.asked."""
    path = str(library.require(dataset))
    return _child.answer("to_watch", path=path, count=count, mapping=mapping, speaker=speaker)


def keep_as_messages(
    dataset: str, mapping: str = "", speaker: str = "", system_prompt: str = "", called: str = ""
) -> str:
    """The conversations as they are understood, as a dataset of their own, `called` so where that
    is free; `system_prompt` goes into every row that has none. Returns its id; a report on what it
    was made from lies beside."""
    with tempfile.TemporaryDirectory(prefix="greenroom-") as folder:
        said = f"-{speaker}" if speaker else ""
        out = Path(folder) / (called or f"{Path(dataset).stem}{said}-messages.jsonl")
        written = _child.answer(
            "messages",
            path=str(library.require(dataset)),
            mapping=mapping,
            speaker=speaker,
            system_prompt=system_prompt,
            out=str(out),
        )
        added = library.keep(written, Path(written).name)
    _keep_report(added, dataset, understood(dataset, mapping, speaker), None)
    return added


def repair(
    dataset: str,
    kinds: list[str],
    fill: dict[str, str],
    eval_dataset: str = "",
    mapping: str = "",
    speaker: str = "",
) -> tuple[str, Path, list[dict[str, Any]]]:
    """A mended copy in the library, with a report beside it: its id, the list of changes as a file,
    and its counts [{"kind", "removed", "changed"}]. The dataset itself stays as it is."""
    out = temporary_file(f"{Path(dataset).stem}-repaired.jsonl")
    done = _child.answer(
        "repair",
        path=str(library.require(dataset)),
        kinds=kinds,
        fill=fill,
        held_out=str(library.require(eval_dataset)) if eval_dataset else None,
        mapping=mapping,
        speaker=speaker,
        out=str(out),
    )
    added = library.keep(done["out"], Path(done["out"]).name)
    _keep_report(added, dataset, understood(dataset, mapping, speaker), done["counts"])
    return added, out.with_suffix(".changes.jsonl"), done["counts"]


def estimate(config: dict[str, Any], device_gib: float = 0.0) -> dict[str, Any]:
    """What engine.training.estimate foretells; never raises for a bad option."""
    try:
        library.require(str(config.get("dataset") or ""))
        if config.get("eval_dataset"):
            library.require(str(config["eval_dataset"]))
    except UserError as error:
        return {"reasons": [{"field": error.field} | error.sentence._asdict()]}
    *_, last = _looks("estimate", config=config, device_gib=device_gib)
    return last["report"]


def export_plan(run_id: str) -> dict[str, Any]:
    """What each way out of a run needs, as engine.export.plan.outlook. Raises UserError."""
    return _child.answer("export_plan", run=run_id)


def _looks(call: str, **asked: Any) -> Iterator[dict[str, Any]]:
    """Asks how far it is until it is done, with pauses in which others may ask."""
    while True:
        look = _child.answer(call, **asked)
        yield look
        if "report" in look:
            return
        time.sleep(_SECONDS_A_LOOK)
