"""What reading and the doctor found in a dataset, as a page of Markdown to keep or to hand on."""

import re
from typing import Any, NamedTuple

from engine.errors import Sentence

_TITLE = Sentence("Dataset report: {name}", "数据报告：{name}")
_LEFT_OUT = Sentence("Left out", "未采用的数据")
_LEARNED = Sentence("What the model learns", "模型学到什么")
_DOCTOR = Sentence("What the doctor found", "体检结果")
_REPAIRS = Sentence("Repairs made", "做过的修复")
_SOURCE = Sentence("What it was made from", "由什么数据得来")
_NOTHING = Sentence("Nothing.", "没有。")
_FACTS = {
    "format": Sentence("Format", "格式"),
    "encoding": Sentence("Encoding", "编码"),
    "rows": Sentence("Rows in the file", "文件中的行数"),
    "usable": Sentence("Conversations to learn from", "可学习的对话"),
    "mapping": Sentence("Columns", "各列的用途"),
    "splits": Sentence("Parts that the file brings", "文件自带的划分"),
    "sha256": Sentence("SHA-256 of the file", "文件的 SHA-256"),
    "made_at": Sentence("Report made (UTC)", "报告生成时间（UTC）"),
}
_FACT = Sentence("{name}: {value}", "{name}：{value}")
_DROPPED = Sentence("{count} rows: {reason}", "{count} 行：{reason}")
_TOKENS = Sentence(
    "{tokens} tokens, {learned} of them learned; {cut} rows are cut at the longest length, "
    "{empty} have nothing to learn.",
    "共 {tokens} 个 token，其中学习 {learned} 个；{cut} 行超过最大长度被截断，"
    "{empty} 行没有可学的。",
)
_FINDING = Sentence("{kind}, {rows} rows: {advice}", "{kind}，{rows} 行：{advice}")
_REPAIR = Sentence(
    "{kind}: {removed} rows removed, {changed} changed",
    "{kind}：删除 {removed} 行，修改 {changed} 行",
)


class Repaired(NamedTuple):
    """How many rows one kind of repair removed and changed."""

    kind: str
    removed: int
    changed: int


def markdown(
    facts: dict[str, Any], language: str, repaired: list[Repaired] | None = None, source: str = ""
) -> str:
    """`facts` are those of engine.dataset.inspect (`understood` or the whole report) with the
    dataset's `name`, its `sha256` and when the report was `made_at`. `repaired` is None for a file
    that is no copy; `source` is the report, in Markdown too, of what a copy was made from."""

    def words(sentence: Sentence, **values: Any) -> str:
        return sentence.in_language(language).format(**values)

    parts = [f"# {words(_TITLE, name=_code(facts['name']))}", _bullets(_facts(facts, words))]
    parts += _section(words(_LEFT_OUT), _dropped(facts, language, words) or [words(_NOTHING)])
    if "total_tokens" in facts:
        parts += _section(words(_LEARNED), [words(_TOKENS, **_totals(facts))])
        found = _findings(facts, language, words)
        parts += _section(words(_DOCTOR), found or [words(_NOTHING)])
    if repaired is not None:
        done = [words(_REPAIR, **_counted(one)) for one in repaired]
        parts += _section(words(_REPAIRS), done or [words(_NOTHING)])
    if source:
        parts += [f"## {words(_SOURCE)}", _deeper(source)]
    return "\n\n".join(parts) + "\n"


def _deeper(source: str) -> str:
    return re.sub(r"^#{1,4}(?= )", r"##\g<0>", source, flags=re.MULTILINE).strip()


def _facts(facts: dict[str, Any], words: Any) -> list[str]:
    mapping = [f"{_code(column)} = {role}" for column, role in facts["mapping"].items()]
    splits = [f"{_code(name)} {rows:,}" for name, rows in facts["splits"].items()]
    said = {
        "format": f"{words(Sentence(**facts['format_title']))} ({_code(facts['format'])})",
        "encoding": str(facts["encoding"]).upper(),
        "rows": f"{facts['rows']:,}",
        "usable": f"{facts['usable']:,}",
        "mapping": ", ".join(mapping),
        "splits": ", ".join(splits),
        "sha256": _code(facts["sha256"]),
        "made_at": facts["made_at"],
    }
    return [
        words(_FACT, name=words(_FACTS[name]), value=value) for name, value in said.items() if value
    ]


def _dropped(facts: dict[str, Any], language: str, words: Any) -> list[str]:
    return [
        words(_DROPPED, count=f"{one['count']:,}", reason=one["reason"][language])
        for one in facts["dropped"]
    ]


def _totals(facts: dict[str, Any]) -> dict[str, str]:
    counts = {
        "tokens": facts["total_tokens"],
        "learned": facts["trained_tokens"],
        "cut": facts["lengths"]["truncated"],
        "empty": facts["zero_label_rows"],
    }
    return {name: f"{count:,}" for name, count in counts.items()}


def _findings(facts: dict[str, Any], language: str, words: Any) -> list[str]:
    return [
        words(
            _FINDING,
            kind=_code(one["kind"]),
            rows=f"{one['rows']:,}",
            advice=" ".join(one["advice"][language].split()),
        )
        for one in facts["problems"]
    ]


def _counted(one: Repaired) -> dict[str, str]:
    counts = {"removed": f"{one.removed:,}", "changed": f"{one.changed:,}"}
    return counts | {"kind": _code(one.kind)}


def _section(title: str, lines: list[str]) -> list[str]:
    return [f"## {title}", _bullets(lines)]


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _code(text: str) -> str:
    """As it is, whatever it holds; it cannot leave its line or its marks."""
    return "`" + " ".join(str(text).replace("`", "'").split()) + "`"
