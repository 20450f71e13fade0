"""A dataset of the Hugging Face Hub as a Parquet file of ours."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from engine.dataset.reading.columnar import PARTS
from engine.dataset.split import HELD_BACK
from engine.errors import UserError

if TYPE_CHECKING:
    from datasets import DatasetDict

_ANSWER_SECONDS = 5  # who cannot be reached is said to be so after that
_ROWS_A_BATCH = 1000
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


def is_hub_id(text: str) -> bool:
    """Whether it looks like owner/name, or the address of a dataset on the Hub."""
    return bool(_HUB_ID.fullmatch(_name_in(text)))


def _name_in(hub_id: str) -> str:
    return hub_id.strip().removeprefix("https://huggingface.co/datasets/").strip("/")


def download(hub_id: str, split: str, token: str, folder: Path) -> Path:
    """Fetches one split and returns the file in `folder`; "" is train, or the first, together with
    the splits for validation. The file says which rows are which, and what was not fetched.

    The token is handed on and kept nowhere. Code that a dataset brings is not run: `datasets` has
    no loading scripts any more. Raises UserError (field "hub").
    """
    name = _name_in(hub_id)
    if not _HUB_ID.fullmatch(name):
        raise _wrong(
            f"{hub_id!r} is no dataset id; it looks like owner/name.",
            f"{hub_id!r} 不是数据集的名字，应像 owner/name 这样。",
        )
    try:
        parts = _loaded(name, token)
    except Exception as error:  # the Hub's own errors are many; none may show the token
        why = f"{type(error).__name__}: {error}".split("\n")[0][:200]
        if token:
            why = why.replace(token, "***")
        raise _wrong(
            f"{name} could not be fetched ({why}). Check its name and the network; a private or "
            "gated dataset needs a token that may read it.",
            f"无法获取 {name}（{why}）。请检查名字和网络；私有或需授权的数据集要填可读的令牌。",
        ) from None
    wanted = split.strip() or ("train" if "train" in parts else next(iter(parts)))
    if wanted not in parts:
        raise _wrong(
            f"{name} has no split {wanted!r}; it has {', '.join(parts)}.",
            f"{name} 没有 {wanted!r} 这一部分；有 {'、'.join(parts)}。",
        )
    out = folder / f"{name.replace('/', '-')}-{wanted}.parquet"
    _write(parts, wanted, [] if split.strip() else _held_back(parts, wanted), out)
    return out


def _loaded(name: str, token: str) -> "DatasetDict":
    """From the cache where the Hub does not answer: `datasets` by itself would ask for half a
    minute before it looks there. Raises what the libraries raise."""
    import datasets
    import huggingface_hub

    for library in (datasets, huggingface_hub):
        library.logging.set_verbosity_error()  # what goes wrong is said in one sentence
    unreached: Exception | None = None
    try:
        huggingface_hub.HfApi().dataset_info(name, timeout=_ANSWER_SECONDS, token=token or None)
    except huggingface_hub.errors.HfHubHTTPError:
        pass  # it answers; `datasets` says better what is the matter
    except Exception as error:
        unreached = error
    offline = datasets.config.HF_HUB_OFFLINE
    try:
        datasets.config.HF_HUB_OFFLINE = offline or unreached is not None
        return datasets.load_dataset(name, token=token or None)
    except Exception as error:
        raise unreached or error from None
    finally:
        datasets.config.HF_HUB_OFFLINE = offline


def _held_back(parts: "DatasetDict", wanted: str) -> list[str]:
    """The splits for validation whose rows are like those of the wanted one."""
    alike = [name for name in parts if parts[name].features == parts[wanted].features]
    return [name for name in alike if name != wanted and name.strip().lower() in HELD_BACK]


def _write(parts: "DatasetDict", wanted: str, held_back: list[str], out: Path) -> None:
    import pyarrow.parquet

    taken = [wanted, *held_back]
    schema = parts[wanted].features.arrow_schema
    with pyarrow.parquet.ParquetWriter(out, schema) as writer:
        for name in taken:
            for table in parts[name].with_format("arrow").iter(_ROWS_A_BATCH):
                writer.write_table(table.cast(schema))
        rows = {name: len(part) for name, part in parts.items()}
        said = {"taken": {name: rows.pop(name) for name in taken}, "left": rows}
        writer.add_key_value_metadata({PARTS: json.dumps(said)})


def _wrong(en: str, zh: str) -> UserError:
    return UserError(en, zh, field="hub")
