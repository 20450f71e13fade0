"""The datasets that can be chosen by name: shipped samples, and files people brought."""

import filecmp
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from engine.characters import list_characters
from engine.errors import Sentence, UserError
from engine.places import DATA_DIR, runs_dir

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
        for card in list_characters()
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
    for one in list_datasets():
        if one.id == dataset:
            return one.path
    raise UserError(
        f"There is no dataset {dataset!r} here; choose a sample or upload a file on the Data tab.",
        f"这里没有名为 {dataset!r} 的数据；请在“数据”页选择示例或上传文件。",
        field="dataset",
    )


def resolve(dataset: str) -> Path:
    """The file behind an id or, for the command line and its runs, a path. Raises UserError."""
    path = Path(dataset).expanduser()
    known = any(one.id == dataset for one in list_datasets())
    return path if path.is_file() and not known else require(dataset)


def keep(path: Path | str, filename: str) -> str:
    """Copies a file into the library under its own name and returns its id; reads nothing."""
    name = re.sub(r"[^\w.-]+", "-", Path(filename).name).strip(".-") or "data"
    target = _free_name(_uploads() / name[-100:], Path(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)
    return target.name


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
