"""JSON and YAML from outside as plain values: bounded, without aliases, and valid as UTF-8."""

import json
import math
from typing import Any

import yaml

from engine import fast_yaml
from engine.errors import UserError

LONGEST_JSON = 4 * 2**20  # bytes
LONGEST_YAML = 6 * 2**20  # characters
_DEEPEST = 60


def read_json(text: str | bytes) -> Any:
    """Raises UserError for what is no JSON, too long or too deep."""
    if len(text) > LONGEST_JSON:
        raise _too_long(len(text), LONGEST_JSON)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"This is no valid JSON ({_first_line(error)}); export the card again.",
            f"这不是有效的 JSON（{_first_line(error)}），请重新导出这张卡。",
            field="card",
        ) from error
    return _clean(value)


def read_yaml(text: str) -> Any:
    """Raises UserError for what is no YAML, too long or too deep, and for aliases, which can make a
    small file endless."""
    if len(text) > LONGEST_YAML:
        raise _too_long(len(text), LONGEST_YAML)
    try:
        _refuse_aliases(text)
        value = fast_yaml.read(text)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise UserError(
            f"This YAML cannot be read ({_first_line(error)}); mend the file and try again.",
            f"无法读取这份 YAML（{_first_line(error)}），请修正后再试。",
            field="card",
        ) from error
    return _clean(value)


def _refuse_aliases(text: str) -> None:
    """Before anything is built of it. Raises yaml.YAMLError."""
    for event in yaml.parse(text, Loader=fast_yaml.LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError(f"it uses the alias *{event.anchor}; write the text out")


def write_yaml(values: dict[str, Any]) -> str:
    """For people: texts of several lines as such. Reads back as exactly the same."""
    text = _dump(values, _Writer)
    try:
        same = read_yaml(text) == values
    except UserError:
        same = False
    # PyYAML loses some rare white space and line ends in its readable styles, but not in quotes.
    return text if same else _dump(values, yaml.SafeDumper, default_style='"')


def _dump(values: dict[str, Any], dumper: type, **style: Any) -> str:
    return yaml.dump(values, Dumper=dumper, allow_unicode=True, sort_keys=False, width=100, **style)


class _Writer(yaml.SafeDumper):
    """Texts of several lines in block style."""


def _as_block(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    )


_Writer.add_representer(str, _as_block)


def _clean(value: Any, depth: int = 0) -> Any:
    """Only what JSON can say again; half of a pair of surrogates is no text and becomes a mark, and
    what is no finite number nothing."""
    if depth > _DEEPEST:
        raise UserError(
            f"This card is nested deeper than {_DEEPEST} levels; no card needs that.",
            f"这张卡的嵌套超过 {_DEEPEST} 层，正常的卡不会这样。",
            field="card",
        )
    if isinstance(value, dict):
        return {_clean(str(key)): _clean(one, depth + 1) for key, one in value.items()}
    if isinstance(value, list | tuple | set):
        return [_clean(one, depth + 1) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _too_long(length: int, most: int) -> UserError:
    return UserError(
        f"This card has {length:,} characters; at most {most:,} can be read. Remove its lorebook "
        "or the files in it.",
        f"这张卡有 {length:,} 个字符，最多能读 {most:,} 个；请去掉其中的世界书或附带文件。",
        field="card",
    )


def _first_line(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deep"
    return " ".join(str(error).split())[:160]
