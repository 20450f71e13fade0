"""How an option is declared, and all that follows from a declaration. Knows no option by name."""

import argparse
import dataclasses
import difflib
import math
from dataclasses import field
from typing import Any, Literal, get_args, get_origin

from engine.errors import Sentence, UserError, quoted

_NUMBER = ",.10g"  # as people write them: 1,000,000 and 0.1


def option(
    default: Any,
    label: tuple[str, str],
    help: tuple[str, str],
    *,
    group: str,
    low: float | None = None,
    high: float | None = None,
    lines: int = 1,
    joined_by: str = "",
    only_for: tuple[str, tuple] | None = None,
    elsewhere: tuple[str, ...] = (),
) -> Any:
    """A dataclass field that knows its words (English, Chinese), group and range (ends allowed).

    `joined_by` stands between the parts of a text that may also be given as a list. `only_for` is
    another field and the values of it with which this one has a meaning. `elsewhere` is what other
    programs call it, where that is not alike.
    """
    words = {"label": Sentence(*label), "help": Sentence(*help), "group": group}
    kinds = {"low": low, "high": high, "lines": lines, "joined_by": joined_by}
    kinds |= {"only_for": only_for, "elsewhere": elsewhere}
    return field(default=default, metadata=words | kinds)


def matters(one: dataclasses.Field, values: dict[str, Any]) -> bool:
    """Whether a field has a meaning beside these values; the form shows no other."""
    if one.metadata["only_for"] is None:
        return True
    other, meant = one.metadata["only_for"]
    return values[other] in meant


def field_names(config: type) -> list[str]:
    return [one.name for one in dataclasses.fields(config)]


class _Once(argparse.Action):
    def __call__(self, parser, namespace, value, option_string=None):
        if getattr(namespace, self.dest) is not None:
            raise twice(self.dest)
        setattr(namespace, self.dest, value)


def add_flags(parser: argparse.ArgumentParser, config: type) -> None:
    """Gives a parser one `--option value` for each field; values stay text until `from_dict`."""
    for one in dataclasses.fields(config):
        words = {"help": one.metadata["help"].en, "metavar": "VALUE"}
        parser.add_argument(f"--{one.name}", action=_Once, **words)


def markdown_table(config: type, language: str = "en") -> str:
    """The README's table of options."""
    head = ("option", "default", "range", "what it does")
    if language == "zh":
        head = ("选项", "默认值", "范围", "作用")
    rows = [f"| {' | '.join(head)} |", "|---|---|---|---|"]
    for one in dataclasses.fields(config):
        words = one.metadata
        what = f"{words['label'].in_language(language)}: {words['help'].in_language(language)}"
        shown = "" if one.default == "" else f"`{_plain(one.default)}`"
        rows.append(f"| `{one.name}` | {shown} | {_range_text(one)} | {what} |")
    return "\n".join(rows)


def choices(one: dataclasses.Field) -> tuple:
    """The values a Literal field may take, else ()."""
    return get_args(one.type) if get_origin(one.type) is Literal else ()


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


def _range_text(one: dataclasses.Field) -> str:
    if choices(one):
        return ", ".join(choices(one))
    low, high = one.metadata["low"], one.metadata["high"]
    return "" if low is None else f"{low:{_NUMBER}} to {high:{_NUMBER}}"


def out_of_range(one: dataclasses.Field, value: Any) -> Sentence | None:
    label, low, high = (one.metadata[key] for key in ("label", "low", "high"))
    if low is not None and not (math.isfinite(value) and low <= value <= high):
        is_, least, most = (f"{number:{_NUMBER}}" for number in (value, low, high))
        return Sentence(
            f"{label.en} ({one.name}) is {is_}; it must lie between {least} and {most}.",
            f"{label.zh}（{one.name}）是 {is_}，应在 {least} 到 {most} 之间。",
        )
    if choices(one) and value not in choices(one):
        known = ", ".join(choices(one))
        return Sentence(
            f"{label.en} ({one.name}) is {quoted(value)}; choose one of {known}.",
            f"{label.zh}（{one.name}）是 {quoted(value)}，请从 {known} 中选一个。",
        )
    return None


def nearest(name: object, config: type) -> str:
    """The option that a name that does not exist may stand for: what another program calls so, or
    the one that is written most alike; "" for none."""
    for one in dataclasses.fields(config):
        if name in one.metadata["elsewhere"]:
            return one.name
    near = difflib.get_close_matches(str(name), field_names(config), n=1)
    return near[0] if near else ""


def unknown_option(name: str, config: type) -> UserError:
    near = nearest(name, config)
    hint = f" Did you mean {near}?" if near else ""
    hint_zh = f"是不是想写 {near}？" if near else ""
    return UserError(
        f"There is no option called {quoted(name)}.{hint} The README lists them all.",
        f"没有叫 {quoted(name)} 的选项。{hint_zh}全部选项见 README。",
        field=name,
    )


def twice(name: str) -> UserError:
    """Whoever writes it again may have forgotten the first, and the last would win unseen."""
    return UserError(
        f"{name} stands twice; leave one of the two out.",
        f"{name} 写了两次；请去掉一个。",
        field=name,
    )


def check_once(names: list[str]) -> None:
    """Raises UserError for an option that stands twice."""
    seen = set()
    for name in names:
        if name in seen:
            raise twice(name)
        seen.add(name)


def coerce(one: dataclasses.Field, value: Any) -> Any:
    """To the declared type: PyYAML reads 2e-4 as text, forms send whole numbers as float. A list
    becomes a text where the option says what stands between (`joined_by`).

    Raises UserError, with the field, for what would become another meaning.
    """
    kind = one.type
    if get_origin(kind) is Literal:
        return value
    if kind is str:
        return _text(one.name, value, one.metadata["joined_by"])
    try:
        if kind is bool:
            return _switch(value)
        if isinstance(value, bool):
            raise ValueError("a switch is no number")
        number = float(value)
        if not math.isfinite(number):
            raise ValueError("not a number that a form could hold")
        if kind is int:
            if number != int(number):
                raise ValueError("not a whole number")
            return int(number)
        return number
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        wanted = {bool: ("true or false", "true 或 false"), int: ("a whole number", "整数")}
        en, zh = wanted.get(kind, ("a number", "数字"))
        is_en, is_zh = f"is {quoted(value)}", f"是 {quoted(value)}"
        if value is None or value == "":
            is_en, is_zh = "is empty", "是空的"
        label = one.metadata["label"]
        raise UserError(
            f"{label.en} ({one.name}) {is_en}; it must be {en}.",
            f"{label.zh}（{one.name}）{is_zh}，应为{zh}。",
            field=one.name,
        ) from error


def _switch(value: Any) -> bool:
    if isinstance(value, str):
        return {"true": True, "false": False}[value.lower()]
    if isinstance(value, bool | int) and value in (0, 1):
        return bool(value)
    raise ValueError("neither true nor false")


def _writable(name: str, text: str) -> str:
    """Half a character, which bytes that are no UTF-8 become on a command line, can be neither
    saved nor trained on."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = text[error.start]
        raise UserError(
            f"{name} holds {half!r}, half a character: it was not written in UTF-8. Write it anew.",
            f"{name} 里有 {half!r}，只是半个字符：原文不是 UTF-8 编码。请重新输入。",
            field=name,
        ) from error
    return text


def _text(name: str, value: Any, joined_by: str) -> str:
    """Raises UserError for what YAML has made of a text that was meant otherwise."""
    if isinstance(value, list | tuple) and joined_by:
        return joined_by.join(_text(name, one, "") for one in value)
    if isinstance(value, list | tuple | dict | set):
        raise UserError(
            f"{name} holds several values; it is one text, so put it in quotation marks.",
            f"{name} 有多个值；它应当是一段文字，请加上引号。",
            field=name,
        )
    if value is None:
        return ""
    if isinstance(value, str):
        return _writable(name, value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise UserError(
        f"{name} is {value}, which is no text: YAML reads yes, no, on, off, true, false and dates "
        'so. Put it in quotation marks, such as "yes".',
        f"{name} 是 {value}，不是文字：YAML 会把 yes、no、on、off、true、false 和日期读成别的。"
        '请加上引号，例如 "yes"。',
        field=name,
    )
