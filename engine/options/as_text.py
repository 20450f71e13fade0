"""A configuration as a command line and back, and out of YAML that somebody pastes.

The command holds only what differs from what `python -m engine train` takes by itself. What is read
comes from outside: nothing in it is executed, no path in it is opened, an unknown name is refused.
"""

import re
import shlex

import yaml

from engine import fast_yaml
from engine.config import TrainConfig, default_config
from engine.errors import UserError, quoted
from engine.options.declare import check_once, field_names, twice, unknown_option

_START = ["python", "-m", "engine", "train"]
_LOOKS_LIKE_A_COMMAND = re.compile(r"(\w+=\S*\s+)*(--\w|\S*python[\d.]*\s)")
_LONGEST = 100_000  # characters; a configuration has a few thousand


def to_command(config: TrainConfig) -> str:
    """One line for a shell: `python -m engine train --lora_r=8 ...`."""
    flags = [
        f"--{name}={shlex.quote(_written(getattr(config, name)))}"
        for name in config.changed(default_config())
    ]
    return " ".join([*_START, *flags])


def from_text(text: str) -> TrainConfig:
    """Reads a command as `to_command` writes it, or YAML as `TrainConfig.to_yaml` does. Raises
    UserError, with the field where there is one."""
    if len(text) > _LONGEST:
        raise UserError(
            f"This text has {len(text):,} characters; a configuration has at most {_LONGEST:,}.",
            f"这段文字有 {len(text):,} 个字符；配置最多 {_LONGEST:,} 个。",
        )
    if _LOOKS_LIKE_A_COMMAND.match(text.lstrip()):
        return TrainConfig.from_dict(default_config().to_dict() | _flags(text))
    return TrainConfig.from_dict(_mapping(text))


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _flags(text: str) -> dict[str, str]:
    """{name: text} of the flags behind `train`; a backslash may end a line."""
    try:
        found = shlex.split(text)
    except ValueError as error:
        raise UserError(
            f"This command cannot be read ({error}); copy it whole, with its quotation marks.",
            "无法读取这条命令：引号不成对。请连同引号完整复制。",
        ) from error
    # A line's end is left of such a backslash; a word that is empty was written so.
    words = [word.lstrip("\r\n") for word in found if not word or word.strip("\r\n")]
    first = next((at for at, word in enumerate(words) if word.startswith("--")), len(words))
    before = [word for word in words[:first] if word]
    if before and before[-3:] != _START[1:]:
        word = quoted(before[-1])
        raise UserError(
            f"Only flags can be read here, and this command has {word} before them; give "
            "the content of a YAML file instead of its path.",
            f"这里只能读取选项，而命令里有 {word}；若是 YAML 文件，请粘贴它的内容。",
        )
    return _pairs(words[first:])


def _pairs(words: list[str]) -> dict[str, str]:
    known = field_names(TrainConfig)
    flags, found = {"--json", *(f"--{name}" for name in known)}, {}
    while words:
        word = words.pop(0)
        if word == "--json":
            continue
        name, has_value, value = word.removeprefix("--").partition("=")
        if not word.startswith("--"):
            raise UserError(
                f"{quoted(word)} stands where an option should; write --option=value.",
                f"{quoted(word)} 的位置应当是选项，请写成 --选项=值。",
            )
        if name not in known:
            raise unknown_option(name, TrainConfig)
        if not has_value and (not words or words[0].partition("=")[0] in flags):
            raise UserError(
                f"{name} has no value; write --{name}=value.",
                f"{name} 没有值，请写成 --{name}=值。",
                field=name,
            )
        if name in found:
            raise twice(name)
        found[name] = value if has_value else words.pop(0)
    return found


def _mapping(text: str) -> dict[str, object]:
    try:
        values = fast_yaml.read(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = "" if line is None else f" (line {line + 1})"
        where_zh = "" if line is None else f"（第 {line + 1} 行）"
        raise UserError(
            f"This is neither a command nor valid YAML{where}; write lines such as "
            "'learning_rate: 2e-4'.",
            f"这既不是命令，也不是有效的 YAML{where_zh}；请写成“learning_rate: 2e-4”这样的行。",
        ) from error
    if not isinstance(values, dict):
        raise UserError(
            "This holds no options; write lines such as 'learning_rate: 2e-4', or a command.",
            "里面没有选项；请写成“learning_rate: 2e-4”这样的行，或粘贴一条命令。",
        )
    check_once(fast_yaml.keys(text))
    return values
