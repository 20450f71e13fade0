"""A folder onto the Hugging Face Hub, with the visitor's own token; nothing of it is kept."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import UserError, first_line
from engine.export import made
from engine.export.parcel import pack
from engine.export.source import Source
from engine.hardware import GIB

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_NAME = re.compile(r"([A-Za-z0-9][\w.-]{0,95}/)?[A-Za-z0-9][\w.-]{0,95}")
_LARGE = 10 * 1024**2  # sent one by one before the commit, so that it can be told how far it is


def check_name(repo_id: str) -> str:
    """The name without white space. Raises UserError (field "repo_id")."""
    name = repo_id.strip()
    if _NAME.fullmatch(name) and "--" not in name and ".." not in name:
        return name
    raise UserError(
        f"{repo_id!r} is no name for a model on the Hub; write owner/name or name, of letters, "
        "digits, dots, hyphens and underscores.",
        f"{repo_id!r} 不能作为 Hub 上的模型名；请写成 owner/name 或 name，"
        "只用字母、数字、点、连字符和下划线。",
        field="repo_id",
    )


def send(
    source: Source, what: str, out: Path, repo_id: str, token: str = "", public: bool = False
) -> Iterator[dict[str, Any]]:
    """Pushes the adapter, or what was exported as `out` ("merged", "gguf") and passed its check.
    As `push`."""
    if what != "adapter":
        made.require_done(out)
        yield from push(out, repo_id, token, public)
        return
    with tempfile.TemporaryDirectory(prefix="greenroom-") as folder:
        pack(source, Path(folder))
        yield from push(Path(folder), repo_id, token, public)


def push(folder: Path, repo_id: str, token: str = "", public: bool = False) -> Iterator[dict]:
    """Makes a new repository, private unless `public`, and commits all files of `folder` at once.

    An empty token means that of HF_TOKEN or of a login. Yields {"doing": "uploading", "gib",
    "of_gib"} and at last {"result": {"url"}}. Raises UserError for whatever goes wrong; the token
    is in no message.
    """
    from huggingface_hub import HfApi, get_token

    name, given = check_name(repo_id), token.strip() or get_token()
    if not given:
        raise UserError(
            "The Hub wants to know who you are; paste a token that may write "
            "(huggingface.co/settings/tokens), or log in with `hf auth login`.",
            "Hub 需要知道你是谁；请粘贴一个有写权限的令牌（huggingface.co/settings/tokens），"
            "或用 `hf auth login` 登录。",
            field="token",
        )
    try:
        yield from _pushed(HfApi(token=given), folder, name, public)
    except UserError:
        raise
    except Exception as error:  # the Hub's own errors are many; none may show the token
        raise _explained(error, name, given) from None


def _pushed(api: "HfApi", folder: Path, name: str, public: bool) -> Iterator[dict[str, Any]]:
    from huggingface_hub import CommitOperationAdd
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    whole = _made(api, name, public)
    files = sorted(one for one in folder.rglob("*") if one.is_file())
    total, done = sum(one.stat().st_size for one in files), 0
    yield {"doing": "uploading", "gib": 0.0, "of_gib": total / GIB}
    adds: list[CommitOperationAdd] = []
    for file in files:
        adds.append(CommitOperationAdd(file.relative_to(folder).as_posix(), str(file)))
        if file.stat().st_size > _LARGE:
            api.preupload_lfs_files(whole, adds[-1:])
            done += file.stat().st_size
            yield {"doing": "uploading", "gib": done / GIB, "of_gib": total / GIB}
    api.create_commit(whole, adds, commit_message="Add what was trained with Greenroom")
    yield {"result": {"url": f"{api.endpoint}/{whole}", "private": not public}}


def _made(api: "HfApi", name: str, public: bool) -> str:
    """Its whole name. One that is there already is taken only if a push that broke off made it: it
    is empty, and as private as is wanted now."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return api.create_repo(name, private=not public).repo_id
    except HfHubHTTPError as error:
        if error.response.status_code != 409:
            raise
        known = api.model_info(name)
        others = [one for one in known.siblings or [] if one.rfilename != ".gitattributes"]
        if others or bool(known.private) == public:
            raise
        return known.id


def _explained(error: Exception, name: str, token: str) -> UserError:
    status = getattr(getattr(error, "response", None), "status_code", None)
    for code, words in _ANSWERS.items():
        if status == code:
            en, zh, field = words
            return UserError(en.format(name=name), zh.format(name=name), field=field)
    why = first_line(error).replace(token, "***")
    if status is None and _is_offline(error):
        return UserError(
            "The Hugging Face Hub cannot be reached, so nothing was sent; connect to a network, or "
            "set HF_ENDPOINT to a mirror that takes uploads.",
            "连不上 Hugging Face Hub，什么都没有发送；请联网，或用 HF_ENDPOINT 设置可上传的镜像。",
            field="repo_id",
        )
    return UserError(
        f"{name} could not be pushed ({type(error).__name__}: {why}); try again in a while.",
        f"无法上传 {name}（{type(error).__name__}：{why}）；请稍后再试。",
        field="repo_id",
    )


_ANSWERS = {
    401: (
        "The Hub does not know this token; make a new one that may write "
        "(huggingface.co/settings/tokens) and paste it whole.",
        "Hub 不认识这个令牌；请新建一个有写权限的（huggingface.co/settings/tokens），并完整粘贴。",
        "token",
    ),
    403: (
        "This token may not write to {name}; take one with write access, or a name of your own.",
        "这个令牌没有写入 {name} 的权限；请用有写权限的令牌，或换成自己名下的名字。",
        "token",
    ),
    409: (
        "{name} is on the Hub already, and is not overwritten; choose another name, or delete it "
        "there first.",
        "Hub 上已经有 {name}，不会覆盖它；请换一个名字，或先在 Hub 上删除。",
        "repo_id",
    ),
}


def _is_offline(error: BaseException | None) -> bool:
    import httpx
    from huggingface_hub.errors import OfflineModeIsEnabled

    while error:
        if isinstance(error, httpx.TransportError | OfflineModeIsEnabled | ConnectionError):
            return True
        error = error.__cause__ or error.__context__
    return False
