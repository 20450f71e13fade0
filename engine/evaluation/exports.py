"""A report of engine.evaluation.batch as a file: its rows as CSV or JSON Lines, all as Markdown."""

import os
from errno import EACCES, ENOENT
from pathlib import Path
from typing import Any

from engine.dataset.making.write import unwritable, write_rows
from engine.errors import UserError
from engine.evaluation.metrics import FIGURES

Report = dict[str, Any]
OF_A_ROW = tuple(name for name in FIGURES if name != "perplexity")


ENDINGS = (".csv", ".jsonl", ".md")
# With which a spreadsheet's formulas begin; it passes over the white space before them.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def check(out: Path) -> None:
    """Raises UserError (field "out") for a name that does not say what kind of file to write, and
    for a folder that cannot be written, so that no answers are made in vain."""
    if out.suffix.lower() not in ENDINGS:
        raise UserError(
            f"{out.name!r} does not say what kind of file to write; let its name end in "
            f"{', '.join(ENDINGS)}.",
            f"从文件名 {out.name!r} 看不出要写成哪种文件；请以 {'、'.join(ENDINGS)} 之一结尾。",
            field="out",
        )
    folder = out.resolve().parent
    if not folder.is_dir():
        raise unwritable(out, FileNotFoundError(ENOENT, f"there is no folder {folder}"))
    if out.is_dir() or not os.access(folder, os.W_OK):
        raise unwritable(out, PermissionError(EACCES, os.strerror(EACCES)))


def write(report: Report, out: Path) -> None:
    """By the name's ending: .csv (for a spreadsheet, one column a voice and figure; text that it
    would run as a formula has an apostrophe before it), .jsonl or .md. Raises UserError (field
    "out")."""
    check(out)
    ending = out.suffix.lower()
    if ending == ".md":
        try:
            out.write_text(markdown(report), encoding="utf-8", newline="\n")
        except OSError as error:
            raise unwritable(out, error) from error
    else:
        write_rows(report["rows"] if ending == ".jsonl" else _flat(report), out)


def markdown(report: Report) -> str:
    """The summary, what single voices had of their own, and every question with its answers."""
    parts = [summary_table(report)]
    for voice, its in report.get("own", {}).items():
        parts.append(f"**{_cell(voice)}**: {', '.join(f'{n} {v:g}' for n, v in its.items())}")
    for voice, system in report.get("systems", {}).items():
        parts.append(f"**{_cell(voice)}, system**\n\n{_quoted(system)}")
    for number, row in enumerate(report["rows"], 1):
        parts.append(f"## {number}\n\n{_quoted(row['prompt'])}")
        if row["reference"]:
            parts.append(f"**reference**\n\n{_quoted(row['reference'])}")
        for voice, answer in row["answers"].items():
            parts.append(f"**{_cell(voice)}**\n\n{_quoted(answer['text'])}")
    return "\n\n".join(parts) + "\n"


def summary_table(report: Report) -> str:
    """A line for each figure that any voice has, a column for each voice."""
    voices, summary = report["voices"], report["summary"]
    lines = [["", *map(_cell, voices)], ["---", *["---:"] * len(voices)]]
    for name in ("answers", "references", *FIGURES):
        values = [summary[voice][name] for voice in voices]
        if any(value is not None for value in values):
            lines.append([name, *map(figure, values)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def figure(value: float | None) -> str:
    """Four digits are more than twenty answers can tell apart."""
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def _flat(report: Report) -> list[dict[str, Any]]:
    rows = []
    for row in report["rows"]:
        flat = {"prompt": _inert(row["prompt"]), "reference": _inert(row["reference"])}
        for voice in report["voices"]:
            answer, column = row["answers"].get(voice, {}), _inert(voice)
            flat[column] = _inert(answer.get("text", ""))
            flat |= {f"{column} {name}": figure(answer.get(name)) for name in OF_A_ROW}
        rows.append(flat)
    return rows


def _inert(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _quoted(text: str) -> str:
    """Nothing within it can be taken for the file's own headings."""
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines() or [""])
