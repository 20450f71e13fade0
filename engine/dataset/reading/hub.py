"""A dataset of the Hugging Face Hub as a Parquet file of ours."""

import re
from pathlib import Path

from engine.errors import UserError

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


def is_hub_id(text: str) -> bool:
    """Whether it looks like owner/name, or the address of a dataset on the Hub."""
    return bool(_HUB_ID.fullmatch(_name_in(text)))


def _name_in(hub_id: str) -> str:
    return hub_id.strip().removeprefix("https://huggingface.co/datasets/").strip("/")


def download(hub_id: str, split: str, token: str, folder: Path) -> Path:
    """Fetches one split ("" = train, or the only one) and returns the file in `folder`.

    The token is handed on and kept nowhere. Code that a dataset brings is not run: `datasets` has
    no loading scripts any more. Raises UserError (field "hub").
    """
    import datasets

    name = _name_in(hub_id)
    if not _HUB_ID.fullmatch(name):
        raise _wrong(
            f"{hub_id!r} is no dataset id; it looks like owner/name.",
            f"{hub_id!r} 不是数据集的名字，应像 owner/name 这样。",
        )
    try:
        parts = datasets.load_dataset(name, token=token or None)
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
    parts[wanted].to_parquet(str(out))
    return out


def _wrong(en: str, zh: str) -> UserError:
    return UserError(en, zh, field="hub")
