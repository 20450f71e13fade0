"""The datasets that can be chosen by name: shipped samples, and files people brought."""

import difflib
import filecmp
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock

from engine.characters.shelf import list_samples
from engine.errors import Sentence, UserError, quoted
from engine.places import DATA_DIR, on_disk, runs_dir

_UPLOAD_ID = re.compile(r"[\w.-]{1,120}")


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset by name; `character` is the id of the card that belongs to it, or ""."""

    id: str
    title: Sentence
    path: Path
    is_sample: bool
    language: str
    character: str


class Appended(NamedTuple):
    """Where a row lies now, whether it is new there, and how many rows there are."""

    dataset: str
    is_new: bool
    rows: int


def list_datasets() -> list[Dataset]:
    """Samples first, then uploads, each by name."""
    samples = [
        Dataset(
            Path(card.dataset).stem,
            Sentence(card.title.en, card.title.zh),
            DATA_DIR / "datasets" / card.dataset,
            True,
            card.language,
            card.id,
        )
        for card in list_samples()
    ]
    uploads = [
        Dataset(path.name, Sentence(path.name, path.name), path, False, "", "")
        for path in sorted(_uploads().glob("*"))
        if path.is_file() and not path.name.startswith(".")
    ]
    return samples + uploads


def require(dataset: str) -> Path:
    """The file behind an id. Others than the owner may ask through the page, so a path is refused.

    Raises UserError (field "dataset").
    """
    if not dataset.strip():
        raise UserError(
            "No dataset is chosen; pick a sample or upload a file on the Data tab.",
            "还没有选择数据；请在“数据”页选一个示例或上传文件。",
            field="dataset",
        )
    known = {one.id: one.path for one in list_datasets()}
    if dataset in known:
        return known[dataset]
    near = difflib.get_close_matches(dataset, known, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    hint_zh = f"是不是想写 {near[0]}？" if near else ""
    raise UserError(
        f"There is no dataset {quoted(dataset)} here; choose a sample or upload a file on the Data "
        f"tab.{hint}",
        f"这里没有名为 {quoted(dataset)} 的数据；请在“数据”页选择示例或上传文件。" + hint_zh,
        field="dataset",
    )


def resolve(dataset: str) -> Path:
    """The file behind an id or, for the command line and its runs, a path. Raises UserError."""
    path = on_disk(dataset)
    known = any(one.id == dataset for one in list_datasets())
    return path if path and path.is_file() and not known else require(dataset)


def keep(path: Path | str, filename: str) -> str:
    """Copies a file into the library under its own name and returns its id; reads nothing."""
    target = _free_name(_uploads() / safe_name(filename), Path(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)
    return target.name


def safe_name(filename: str) -> str:
    """As a file is called here, whatever it was called."""
    name = re.sub(r"[^\w.-]+", "-", Path(filename).name).strip(".-") or "data"
    return name[-100:]


def append(dataset: str, row: dict[str, Any]) -> Appended:
    """Adds a row to one's own JSON Lines file, which may not be there yet, unless it stands there
    already; all of it or nothing. Raises UserError for a file whose rows have other columns.
    """
    path = _uploads() / dataset
    if not _UPLOAD_ID.fullmatch(dataset) or not holds(dataset, set(row)):
        raise UserError(
            f"{dataset!r} is no JSON Lines file of yours with {', '.join(row)} in each row.",
            f"{dataset!r} 不是你自己的、每行都有 {'、'.join(row)} 的 JSON Lines 文件。",
            field="dataset",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.parent / ".append.lock"):
        before = path.read_bytes() if path.is_file() else b""
        rows = _rows(before)
        if row in rows:
            return Appended(dataset, False, len(rows))
        line = json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        partial = path.with_name(f".{path.name}.part")
        partial.write_bytes(before + (b"\n" if before and before[-1:] != b"\n" else b"") + line)
        partial.replace(path)
    return Appended(dataset, True, len(rows) + 1)


def holds(dataset: str, columns: set[str]) -> bool:
    """Whether a row with these columns may go into one's own file: it is JSON Lines, and each row
    there has them, or it is not there yet."""
    path = _uploads() / dataset
    if not path.is_file():
        return path.suffix == ".jsonl"
    rows = _rows(path.read_bytes())
    return path.suffix == ".jsonl" and all(
        isinstance(one, dict) and columns <= one.keys() for one in rows
    )


def _rows(content: bytes) -> list[Any]:
    """The values of JSON Lines; a line that is broken is None."""
    rows = []
    for line in content.splitlines():
        if line.strip():
            try:
                rows.append(json.loads(line))
            except ValueError:
                rows.append(None)
    return rows


def report_file(dataset: str, language: str) -> Path:
    """Where the report of a dataset that was made here lies, beside the datasets."""
    return _uploads() / "reports" / f"{dataset}.{language}.md"


def remove(dataset: str) -> None:
    """Removes an upload and its report; samples stay. Raises UserError."""
    path = _uploads() / dataset
    if not _UPLOAD_ID.fullmatch(dataset) or not path.is_file():
        raise UserError(
            f"{dataset!r} is no uploaded file, so it cannot be removed.",
            f"{dataset!r} 不是上传的文件，不能删除。",
            field="dataset",
        )
    path.unlink()
    for language in ("en", "zh"):
        report_file(dataset, language).unlink(missing_ok=True)


def _uploads() -> Path:
    return runs_dir() / "datasets"


def _free_name(wanted: Path, source: Path) -> Path:
    """The same content may lie there already; another content gets a number."""
    taken = {one.id for one in list_datasets() if one.is_sample}
    for number in range(1, 1000):
        path = wanted if number == 1 else wanted.with_stem(f"{wanted.stem}-{number}")
        if path.name in taken:
            continue
        if not path.exists() or filecmp.cmp(path, source, shallow=False):
            return path
    raise UserError(
        f"A thousand uploads are called {wanted.name}; remove some or rename yours.",
        f"名为 {wanted.name} 的上传已有一千个，请删除一些或改名。",
        field="dataset",
    )
