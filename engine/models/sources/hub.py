"""The Hugging Face Hub, or the mirror in HF_ENDPOINT: what it lists, and its files one by one.

Files land in the Hub's usual cache, where other programs find them. A partial file keeps its name
there, so that any later process goes on with it; `huggingface_hub` itself begins such a file anew.
"""

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from huggingface_hub import (
    HfApi,
    get_session,
    hf_hub_download,
    hf_hub_url,
    snapshot_download,
)
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from huggingface_hub.hf_api import RepoSibling
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

from engine.errors import UserError
from engine.models.sources.files import SMALL, File, has_small, storage
from engine.models.sources.names import wrong
from engine.models.sources.refusals import explained

_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ANSWER_SECONDS = 5  # to a question; who cannot be reached is said to be so after that
_SILENCE_SECONDS = 20  # within a file
_CHUNK_BYTES = 1 << 16  # what a stopped download may lose
_RETRY_AFTER_SECONDS = (0, 1, 2, 4, 8)


class Listing(NamedTuple):
    """What the Hub says of a model. `licence` "" where it says none."""

    revision: str
    files: list[File]
    licence: str
    gated: bool


def here(id: str) -> Path | None:
    """The folder with config and tokenizer, perhaps with weights, without asking the network."""
    try:
        folder = snapshot_download(
            id, allow_patterns=list(SMALL), ignore_patterns="*/*", local_files_only=True
        )
    except LocalEntryNotFoundError:
        return None
    return Path(folder) if has_small(Path(folder)) else None


def listing(id: str) -> Listing:
    """Raises UserError when it cannot be had."""
    try:
        info = HfApi().model_info(id, files_metadata=True, timeout=_ANSWER_SECONDS)
    except Exception as error:
        raise explained(id, error) from error
    files = [File(one.rfilename, one.size or 0, _etag(one)) for one in info.siblings or []]
    licence = (info.card_data or {}).get("license") or ""
    return Listing(info.sha, files, str(licence), bool(info.gated))


def _etag(sibling: RepoSibling) -> str:
    """It becomes a file's name, so nothing but a hash passes."""
    found = sibling.lfs.sha256 if sibling.lfs else sibling.blob_id or ""
    return found if _HASH.fullmatch(found) else ""


def fetch_small(id: str) -> Path:
    """Config, tokenizer and templates into the cache. Raises UserError."""
    listing(id)  # answers at once who is not there; what follows waits longer
    try:
        return Path(
            snapshot_download(
                id,
                allow_patterns=list(SMALL),
                ignore_patterns="*/*",
                etag_timeout=_ANSWER_SECONDS,
            )
        )
    except Exception as error:
        raise explained(id, error) from error


def bytes_here(id: str, revision: str, file: File) -> int:
    """How much of a file is in the cache."""
    for path in (
        storage(id) / "snapshots" / revision / file.name,
        _blob(id, file),
        _partial(id, file),
    ):
        if path.is_file():
            return path.stat().st_size
    return 0


def fetch_file(id: str, revision: str, file: File, stopping: Callable[[float], bool]) -> None:
    """Fetches one file, going on where an earlier time ended; returns early when stopped.

    `stopping(seconds)` waits at most so long for a stop. Raises UserError.
    """
    try:
        if file.etag and not _blob(id, file).is_file():
            partial = _partial(id, file)
            partial.parent.mkdir(parents=True, exist_ok=True)
            url = hf_hub_url(id, file.name, revision=revision)
            if not _append_all(url, partial, file, stopping):
                return
            _check(partial, file)
            os.replace(partial, _blob(id, file))
        # The library links it into its snapshot; it fetches only what has changed meanwhile.
        hf_hub_download(id, file.name, etag_timeout=_ANSWER_SECONDS)
    except UserError:
        raise
    except Exception as error:
        raise explained(id, error) from error


def _append_all(url: str, partial: Path, file: File, stopping: Callable[[float], bool]) -> bool:
    """Whether the file has its size; a connection that breaks is begun again while it brings more,
    and a few times when it brings nothing."""
    failed = 0
    while (before := _size(partial)) != file.size:
        broken: Exception | None = None
        try:
            if not _append(url, partial, file.size, stopping):
                return False
        except Exception as error:
            if not _may_pass(error):
                raise
            broken = error
        failed = 0 if _size(partial) > before else failed + 1
        if failed > len(_RETRY_AFTER_SECONDS):
            raise broken or _damaged(file.name)
        if failed and stopping(_RETRY_AFTER_SECONDS[failed - 1]):
            return False
    return True


def _may_pass(error: Exception) -> bool:
    """Whether trying again can help: a broken connection, a server in trouble."""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code >= 500 or error.response.status_code in (408, 429)
    return not isinstance(error, OSError)  # a full disk; the client's own errors are none


def _append(url: str, partial: Path, size: int, stopping: Callable[[float], bool]) -> bool:
    """One request for what is missing; False when stopped."""
    begin = _size(partial) if _size(partial) < size else 0
    headers = build_hf_headers() | {"Accept-Encoding": "identity", "Range": f"bytes={begin}-"}
    with get_session().stream("GET", url, headers=headers, timeout=_SILENCE_SECONDS) as answer:
        hf_raise_for_status(answer)
        with partial.open("ab" if answer.status_code == 206 and begin else "wb") as out:
            for chunk in answer.iter_bytes(_CHUNK_BYTES):
                if stopping(0):  # before it writes: the next may have begun by now
                    return False
                out.write(chunk)
    return True


def _check(partial: Path, file: File) -> None:
    """Large files are called by their SHA-256. A wrong one is removed: it is of no use."""
    if len(file.etag) != 64:
        return
    with partial.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != file.etag:
        partial.unlink()
        raise _damaged(file.name)


def _damaged(name: str) -> UserError:
    return wrong(
        f"{name} arrived damaged and was removed; download it again.",
        f"{name} 下载后校验不符，已删除；请重新下载。",
    )


def _blob(id: str, file: File) -> Path:
    return storage(id) / "blobs" / file.etag


def _partial(id: str, file: File) -> Path:
    return storage(id) / "blobs" / f"{file.etag}.greenroom.incomplete"


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
