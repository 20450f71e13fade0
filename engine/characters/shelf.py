"""Where cards lie: samples in data/characters, read-only, and own ones in a folder of their own."""

import os
import re
import unicodedata
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from engine.characters.avatar import reencoded
from engine.characters.card import Character, character, written
from engine.characters.plain_text import read_yaml, write_yaml
from engine.errors import UserError
from engine.places import DATA_DIR, characters_dir

_ID = re.compile(r"[\w-]{1,40}")
_MOST = 500  # own cards; every picker lists all of them


def list_characters() -> list[Character]:
    """The samples, English ones first, then one's own by name."""
    own = [card for path in characters_dir().glob("*.yaml") if (card := _own(path))]
    return list_samples() + sorted(own, key=lambda card: (card.name.casefold(), card.id))


def list_samples() -> list[Character]:
    cards = [_read_kept(path, 0, True) for path in (DATA_DIR / "characters").glob("*.yaml")]
    return sorted(cards, key=lambda card: (card.language, card.id))


def get(character: str) -> Character:
    """Raises UserError for an unknown id."""
    if _ID.fullmatch(character):
        for sample in list_samples():
            if sample.id == character:
                return sample
        if (path := characters_dir() / f"{character}.yaml").is_file():
            return _read_kept(path, path.stat().st_mtime_ns, False)
    known = ", ".join(card.id for card in list_characters())
    raise UserError(
        f"There is no character {character!r}; known are {known}.",
        f"没有角色 {character!r}；现有 {known}。",
        field="character",
    )


def save(card: Character, avatar: bytes | None = None) -> Character:
    """Writes an own card. Its picture (PNG or JPEG) stays with None and goes with b"". A card whose
    id is not an own card's gets one that is free. Raises UserError."""
    folder = characters_dir()
    picture = reencoded(avatar) if avatar else None
    card = replace(card, id=card.id if _is_own(card.id) else _free_id(card.name), is_sample=False)
    character(card.id, written(card))  # the same checks, whoever made it
    folder.mkdir(parents=True, exist_ok=True)
    if picture:
        _replace(folder / f"{card.id}.png", picture)
    elif avatar is not None:
        (folder / f"{card.id}.png").unlink(missing_ok=True)
    _replace(folder / f"{card.id}.yaml", write_yaml(written(card)).encode("utf-8"))
    return get(card.id)


def delete(id: str) -> None:
    """Deletes an own card with its picture; samples stay. Raises UserError."""
    if not _is_own(id):
        raise UserError(
            f"{id!r} is no card of your own, so it cannot be deleted.",
            f"{id!r} 不是你自己的卡，不能删除。",
            field="character",
        )
    for ending in ("yaml", "png"):
        (characters_dir() / f"{id}.{ending}").unlink(missing_ok=True)


def avatar_of(id: str) -> Path | None:
    """The picture of a card, None where there is none."""
    path = characters_dir() / f"{id}.png"
    return path if _is_own(id) and path.is_file() else None


def _is_own(id: str) -> bool:
    return bool(_ID.fullmatch(id)) and (characters_dir() / f"{id}.yaml").is_file()


def _own(path: Path) -> Character | None:
    """None for a file that somebody broke; `get` says what is wrong with it."""
    try:
        return get(path.stem)
    except UserError:
        return None


@lru_cache(maxsize=2 * _MOST)
def _read_kept(path: Path, mtime_ns: int, is_sample: bool) -> Character:
    """Read once for every time it was written: pickers ask often."""
    values = read_yaml(path.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        raise UserError(
            f"{path.name} holds no character card; delete it or mend it.",
            f"{path.name} 里没有角色卡；请删除或修正。",
            field="character",
        )
    return character(path.stem, values, is_sample)


def _free_id(name: str) -> str:
    """A name for the file that every file system takes, and that no other card has."""
    plain = re.sub(r"[^\w]+", "-", unicodedata.normalize("NFKC", name).lower()).strip("-_")
    wanted = plain[:32].strip("-_") or "character"
    taken = {card.id for card in list_samples()}
    taken |= {path.stem for path in characters_dir().glob("*.yaml")}
    if len(taken) >= _MOST:
        raise UserError(
            f"There are {len(taken)} cards already; delete some first.",
            f"已经有 {len(taken)} 张卡，请先删除一些。",
            field="character",
        )
    numbered = (wanted if number == 1 else f"{wanted}-{number}" for number in range(1, _MOST + 2))
    return next(one for one in numbered if one not in taken)


def _replace(path: Path, content: bytes) -> None:
    """All of it or nothing, whatever happens meanwhile."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
