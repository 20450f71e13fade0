"""A card comes in as a file and goes out as one: YAML, Tavern JSON, or a PNG that carries it."""

import base64
import binascii
import json
from dataclasses import replace
from pathlib import Path
from textwrap import indent
from typing import NamedTuple

from engine.characters import shelf, tavern
from engine.characters.avatar import LARGEST_FILE, drawn, reencoded
from engine.characters.card import Character, character, written
from engine.characters.plain_text import read_json, read_yaml, write_yaml
from engine.characters.png_text import SIGNATURE, texts, with_texts
from engine.errors import Sentence, UserError

FORMS = ("yaml", "v2", "v3", "png")
_ENDINGS = {"yaml": ".yaml", "v2": ".v2.json", "v3": ".v3.json", "png": ".png"}
_JPEG = b"\xff\xd8\xff"
_AVATAR = "avatar"  # the key of a YAML card's picture, in base64
_OF_ADDRESSES = str.maketrans("-_", "+/")
_CHUNKS = ("ccv3", "chara")  # the newer one counts where both are there


class Brought(NamedTuple):
    """A card that came in and lies on the shelf now, and what of it is not used here."""

    card: Character
    unused: Sentence | None


def bring(path: Path | str) -> Brought:
    """Reads a card out of a YAML, JSON or PNG file, whatever its name says, and keeps it as one's
    own. Raises UserError."""
    path = Path(path)
    if path.stat().st_size > LARGEST_FILE:
        raise UserError(
            f"This file has {path.stat().st_size / 2**20:.0f} MiB; a card has at most "
            f"{LARGEST_FILE // 2**20}. Choose another one.",
            f"这个文件有 {path.stat().st_size / 2**20:.0f} MiB，角色卡最多 "
            f"{LARGEST_FILE // 2**20} MiB，请换一个。",
            field="card",
        )
    content = path.read_bytes()
    card, picture = read(content), content
    if not content.startswith(SIGNATURE) and (picture := _carried(card)):
        card = replace(card, kept={key: one for key, one in card.kept.items() if key != _AVATAR})
    return Brought(shelf.save(card, picture), tavern.unused(card))


def read(content: bytes) -> Character:
    """The card in a file's content, without an id. Raises UserError."""
    if content.startswith(SIGNATURE):
        return _from_png(content)
    if content.startswith(_JPEG):
        raise _no_card(
            "A JPEG carries no card",
            "JPEG 图片里没有角色卡",
            "save the card as PNG or JSON",
            "请把卡保存为 PNG 或 JSON",
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _no_card("It is not text in UTF-8", "内容不是 UTF-8 文字") from error
    if text.lstrip().startswith(("{", "[")):
        return tavern.from_json(read_json(text))
    values = read_yaml(text)
    if not isinstance(values, dict):
        raise _no_card("It has no keys such as name", "里面没有 name 这样的键")
    return character("", tavern.in_our_words(values))


def write(card: Character, form: str) -> tuple[str, bytes]:
    """The name of the file and its content; `form` is one of FORMS. A PNG carries V2 and V3, so
    that every program finds what it knows. Raises UserError (field "form")."""
    if form not in FORMS:
        raise UserError(
            f"{form!r} is no form of a card; choose one of {', '.join(FORMS)}.",
            f"没有 {form!r} 这种卡片格式；请从 {'、'.join(FORMS)} 中选择。",
            field="form",
        )
    name = card.id + _ENDINGS[form]
    if form == "yaml":
        return name, _as_yaml(card).encode("utf-8")
    versions = {"chara": tavern.to_json(card, 2), "ccv3": tavern.to_json(card, 3)}
    if form != "png":
        one = versions["chara" if form == "v2" else "ccv3"]
        return name, json.dumps(one, ensure_ascii=False, indent=2).encode("utf-8")
    packed = {
        keyword: base64.b64encode(json.dumps(one, ensure_ascii=False).encode("utf-8")).decode()
        for keyword, one in versions.items()
    }
    return name, with_texts(_picture(card) or drawn(card.name), packed)


def _as_yaml(card: Character) -> str:
    """The picture comes last and is laid there by hand: PyYAML would write at it for seconds."""
    text, picture = write_yaml(written(card)), _picture(card)
    if picture is None:
        return text
    return text + f"{_AVATAR}: |\n" + indent(base64.encodebytes(picture).decode(), "  ")


def _picture(card: Character) -> bytes | None:
    avatar = shelf.avatar_of(card.id)
    return reencoded(avatar.read_bytes()) if avatar else None


def _carried(card: Character) -> bytes | None:
    """The picture that a card of text carries in base64; None where something else stands there,
    such as the name of a file."""
    try:
        picture = base64.b64decode("".join(str(card.kept.get(_AVATAR)).split()), validate=True)
    except ValueError:
        return None
    return picture if picture.startswith((SIGNATURE, _JPEG)) else None


def _from_png(png: bytes) -> Character:
    found = texts(png)
    carried = [found[keyword] for keyword in _CHUNKS if keyword in found]
    if not carried:
        raise _no_card(
            "This picture carries no card",
            "这张图片里没有角色卡",
            "get the original PNG; programs that shrink pictures often take the card out",
            "请使用原始 PNG；压缩图片的程序常常会把卡片内容去掉",
        )
    for text in carried[:-1]:
        try:
            return tavern.from_json(_unpacked(text))
        except UserError:
            continue  # the older one beside it may be whole
    return tavern.from_json(_unpacked(carried[-1]))


def _unpacked(text: str) -> object:
    """base64 of JSON, also that of addresses, or without its padding; some programs write the JSON
    as it is."""
    if text.lstrip().startswith("{"):
        return read_json(text)
    packed = "".join(text.split()).rstrip("=").translate(_OF_ADDRESSES)
    packed += "=" * (-len(packed) % 4)
    try:
        return read_json(base64.b64decode(packed, validate=True).decode("utf-8"))
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise _no_card("The card in this picture is damaged", "图片里的角色卡已损坏") from error


def _no_card(
    en: str,
    zh: str,
    then: str = "choose a YAML, JSON or PNG card",
    then_zh: str = "请选择 YAML、JSON 或 PNG 角色卡",
) -> UserError:
    return UserError(f"{en}; {then}.", f"{zh}；{then_zh}。", field="card")
