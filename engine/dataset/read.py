"""A file becomes a table of rows: JSON, JSON Lines, CSV or Parquet, told apart by content.

Knows nothing of conversations. Nothing here unpickles or executes what it reads.
"""

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import UserError

MAX_BYTES = 200 * 1024**2
_MANY_CELLS = 2**31 - 1  # csv refuses cells above 128 kB unless told otherwise


@dataclass(frozen=True, slots=True)
class Table:
    """Rows as dicts, and how the file was understood: kind is json, jsonl, csv or parquet."""

    rows: list[dict[str, Any]]
    columns: list[str]
    kind: str
    encoding: str


def read_table(path: Path) -> Table:
    """Raises UserError (field "dataset") for what is missing, too large, empty or not a table."""
    raw = _read_bytes(path)
    if raw[:4] == b"PAR1":
        return _read_parquet(path)
    text, encoding = _decode(raw, path.name)
    if not text.strip():
        raise _wrong(
            f"{path.name} is empty; choose a file with at least one row.",
            f"{path.name} 是空的，请选择至少有一行数据的文件。",
        )
    if text.lstrip()[0] in "[{":
        rows, kind = _read_json(text, path.name)
        if "\\ud" in text.lower():  # half of an emoji: no tokenizer takes it, it becomes "?"
            rows = json.loads(json.dumps(rows, ensure_ascii=False).encode("utf-8", "replace"))
    elif path.suffix.lower() in (".json", ".jsonl"):
        raise _wrong(
            f"{path.name} is called JSON but its content is not: it begins with "
            f"{text.strip()[:30]!r}. A JSON file begins with [ or {{; save it as JSON or as CSV.",
            f"{path.name} 的扩展名是 JSON，内容却不是：开头是 {text.strip()[:30]!r}。"
            "JSON 文件应以 [ 或 { 开头，请另存为 JSON 或 CSV。",
        )
    else:
        rows, kind = _read_csv(text, path.name), "csv"
    if not rows:
        raise _wrong(
            f"{path.name} holds no rows; choose a file with at least one.",
            f"{path.name} 里没有数据行，请选择至少有一行的文件。",
        )
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return Table(rows, columns, kind, encoding)


def _wrong(en: str, zh: str) -> UserError:
    return UserError(en, zh, field="dataset")


def _read_bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise _wrong(
                f"{path.name} has {size / 1024**2:.0f} MB; at most {MAX_BYTES // 1024**2} MB "
                "can be read here. Split it, or take a part of its rows.",
                f"{path.name} 有 {size / 1024**2:.0f} MB，这里最多读 "
                f"{MAX_BYTES // 1024**2} MB。请拆分，或只取一部分。",
            )
        return path.read_bytes()
    except OSError as error:
        raise _wrong(
            f"{path.name} cannot be read ({error.strerror}); choose another file.",
            f"无法读取 {path.name}，请换一个文件。",
        ) from error


def _decode(raw: bytes, name: str) -> tuple[str, str]:
    is_utf16 = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ["utf-16"] if is_utf16 else ["utf-8-sig", "gb18030"]:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text, {"utf-8-sig": "UTF-8"}.get(encoding, encoding.upper())
    raise _wrong(
        f"{name} is no text in UTF-8, UTF-16 or GB18030, and no Parquet file; "
        "save it as JSON, JSON Lines, CSV or Parquet.",
        f"{name} 不是 UTF-8、UTF-16 或 GB18030 文本，也不是 Parquet；"
        "请另存为 JSON、JSON Lines、CSV 或 Parquet。",
    )


def _read_json(text: str, name: str) -> tuple[list[dict[str, Any]], str]:
    try:
        whole = json.loads(text)
    except json.JSONDecodeError as error:
        if text.lstrip()[0] == "{" and text.lstrip().split("\n", 1)[0].strip() != "{":
            return _read_json_lines(text, name), "jsonl"
        raise _broken(name, error.lineno, error.colno, error.msg, text) from error
    except (RecursionError, ValueError) as error:
        raise _not_flat(name) from error
    rows = whole if isinstance(whole, list) else [whole]
    return _only_objects(rows, name), "json" if isinstance(whole, list) else "jsonl"


def _read_json_lines(text: str, name: str) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise _broken(name, number, error.colno, error.msg, text) from error
        except (RecursionError, ValueError) as error:
            raise _not_flat(name) from error
    return _only_objects(rows, name)


def _not_flat(name: str) -> UserError:
    return _wrong(
        f"{name} nests its brackets too deep, or holds a number of thousands of digits; "
        "a dataset is a list of flat rows.",
        f"{name} 的括号嵌套太深，或含有几千位的数字；数据集应是一列简单的行。",
    )


def _broken(name: str, line: int, column: int, message: str, text: str) -> UserError:
    around = text.split("\n")[line - 1][max(0, column - 30) : column + 30].strip()
    return _wrong(
        f"{name} is broken at line {line}, column {column} ({message}), near {around!r}; "
        "mend that place and choose the file again.",
        f"{name} 在第 {line} 行第 {column} 列有错（{message}），附近是 {around!r}；"
        "请改好后重新选择。",
    )


def _only_objects(rows: list[Any], name: str) -> list[dict[str, Any]]:
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise _wrong(
                f"Row {number} of {name} is {json.dumps(row, ensure_ascii=False)[:40]}, "
                'not an object; each row must look like {"instruction": ..., "output": ...}.',
                f"{name} 的第 {number} 行不是对象；"
                '每行应像 {"instruction": ..., "output": ...} 这样。',
            )
    return rows


def _read_csv(text: str, name: str) -> list[dict[str, Any]]:
    header = text.lstrip().split("\n", 1)[0]
    delimiter = max(",\t;", key=header.count)
    if header.count(delimiter) == 0:
        raise _wrong(
            f"{name} has a single column called {header.strip()[:30]!r}; a CSV needs a column for "
            "the question and one for the answer, with their names in its first line.",
            f"{name} 只有一列 {header.strip()[:30]!r}；CSV 需要问题和回答各一列，第一行写列名。",
        )
    csv.field_size_limit(_MANY_CELLS)
    reader = csv.DictReader(io.StringIO(text.lstrip(), newline=""), delimiter=delimiter)
    try:
        return [{k: v for k, v in row.items() if k and v is not None} for row in reader]
    except csv.Error as error:
        raise _wrong(
            f"{name} is broken at line {reader.line_num} ({error}); mend that line.",
            f"{name} 第 {reader.line_num} 行有错（{error}），请改好这一行。",
        ) from error


def _read_parquet(path: Path) -> Table:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise _wrong(
            f"{path.name} is a broken Parquet file ({str(error)[:80]}); write it again.",
            f"{path.name} 是损坏的 Parquet 文件，请重新生成。",
        ) from error
    if not table.num_rows:
        raise _wrong(
            f"{path.name} holds no rows; choose a file with at least one.",
            f"{path.name} 里没有数据行，请选择至少有一行的文件。",
        )
    return Table(table.to_pylist(), table.column_names, "parquet", "Parquet")
