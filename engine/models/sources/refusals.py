"""Why a model of the Hub cannot be had: each of the Hub's many errors as one sentence."""

import difflib
import errno

from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

from engine.errors import UserError, first_line
from engine.models.sources.names import wrong


def explained(id: str, error: Exception) -> UserError:
    """The sentence for what `huggingface_hub` raised about a model."""
    if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # it only says that nothing is cached either
    if isinstance(error, GatedRepoError):
        return _gated(id)
    if isinstance(error, RepositoryNotFoundError):
        return _not_found(id)
    if isinstance(error, HfHubHTTPError):
        return _answered(id, error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return wrong(
            f"The disk with {constants.HF_HUB_CACHE} is full; free some room, or move the cache "
            "with HF_HOME. What has arrived is kept, the download goes on from there.",
            f"{constants.HF_HUB_CACHE} 所在的磁盘已满；请腾出空间，或用 HF_HOME 把缓存移到别处。"
            "已下载的部分会保留，之后可以接着下载。",
        )
    if isinstance(error, OfflineModeIsEnabled):
        return wrong(
            f"{id} is not on this machine, and the Hub is switched off here (HF_HUB_OFFLINE is "
            "set); unset it, or choose a model that is here.",
            f"本机没有 {id}，而这里关闭了 Hub（设置了 HF_HUB_OFFLINE）；"
            "请取消该设置，或选择本机已有的模型。",
        )
    if isinstance(error, PermissionError):
        return wrong(
            f"{constants.HF_HUB_CACHE} cannot be written; mend its permissions, or move the cache "
            "with HF_HOME.",
            f"无法写入 {constants.HF_HUB_CACHE}；请修改权限，或用 HF_HOME 把缓存移到别处。",
        )
    return wrong(
        f"{id} is not on this machine and the Hub at {constants.ENDPOINT} cannot be reached "
        f"({type(error).__name__}); connect to a network, set HF_ENDPOINT to a mirror, or choose "
        "a model that is here.",
        f"本机没有 {id}，也连不上 {constants.ENDPOINT}（{type(error).__name__}）；"
        "请联网、用 HF_ENDPOINT 设置镜像，或选择本机已有的模型。",
    )


def _gated(id: str) -> UserError:
    page = f"{constants.ENDPOINT}/{id}"
    if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN or not _has_token():
        return wrong(
            f"{id} is gated. Ask for access at {page}, then let Greenroom know who you are: set "
            "HF_TOKEN, or log in with `hf auth login`.",
            f"{id} 需要授权。请先在 {page} 申请访问，再设置 HF_TOKEN，或用 `hf auth login` 登录。",
        )
    return wrong(
        f"{id} is gated, and your token may not read it yet. Ask for access at {page}, and wait "
        "until it is granted.",
        f"{id} 需要授权，你的令牌还没有读取权限。请在 {page} 申请访问，等待批准。",
    )


def _has_token() -> bool:
    from huggingface_hub import get_token

    return bool(get_token())


def _not_found(id: str) -> UserError:
    near = near_names(id)
    en = f" Did you mean {' or '.join(near)}?" if near else ""
    zh = f"你是不是想找 {' 或 '.join(near)}？" if near else ""
    return wrong(
        f"The Hub has no model {id}, or it is private and needs a token that may read it (HF_TOKEN "
        f"or `hf auth login`); check its spelling.{en}",
        f"Hub 上没有 {id}，或者它是私有的，需要有权限的令牌（HF_TOKEN 或 `hf auth login`）；"
        f"请检查写法。{zh}",
    )


def near_names(id: str) -> list[str]:
    """Names close to a misspelled one, of models that are here or well known."""
    from engine.models.sources.cache import models_here
    from engine.models.sources.known import KNOWN

    names = {one.lower(): one for one in [*(one.name for one in models_here()), *KNOWN]}
    found = difflib.get_close_matches(id.lower(), names, n=2, cutoff=0.8)
    return [names[one] for one in found]


def _answered(id: str, error: HfHubHTTPError) -> UserError:
    status = error.response.status_code
    said = first_line(error.server_message or error)
    if status == 401 and "credentials" not in said:  # so it says of what is not there
        return _not_found(id)
    if status == 401:
        return wrong(
            f"The Hub did not accept your token for {id} ({said}); set another HF_TOKEN, or log "
            "in anew with `hf auth login`.",
            f"Hub 不接受你读取 {id} 的令牌（{said}）；"
            "请更换 HF_TOKEN，或用 `hf auth login` 重新登录。",
        )
    return wrong(
        f"{constants.ENDPOINT} answered with an error for {id} ({status}: {said}); try again in "
        "a while, or set HF_ENDPOINT to a mirror.",
        f"{constants.ENDPOINT} 在获取 {id} 时报错（{status}：{said}）；"
        "请稍后再试，或用 HF_ENDPOINT 设置镜像。",
    )
