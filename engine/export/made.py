"""What has been exported: where it lies, and its export.json. Knows no model."""

import json
import shutil
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.training.runs import Run

FACTS = "export.json"
FAILED = "-failed-check"
KINDS = ("merged", "gguf")


def place(run: Run, to: str) -> Path:
    """Where the page's exports of a run lie; they go with the run. Raises UserError for a name that
    is no way out: it may come from outside."""
    if to not in ("adapter", *KINDS):
        raise UserError(
            f"{to!r} cannot leave; choose adapter, {' or '.join(KINDS)}.",
            f"无法导出 {to!r}；可选 adapter、{'、'.join(KINDS)}。",
            field="what",
        )
    return run.path / "export" / to


def facts_of(out: Path) -> dict[str, Any]:
    """The export.json of a finished export, {} where there is none; of one that failed its check
    only where no good one is there."""
    for folder in (out, out.with_name(out.name + FAILED)):
        try:
            return json.loads((folder / FACTS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
    return {}


def require_done(out: Path) -> dict[str, Any]:
    """Raises UserError for an export that is not there or failed its check."""
    facts = facts_of(out)
    if facts.get("state") == "done":
        return facts
    if facts:
        raise UserError(
            "This export failed its check, so it is not passed on; make it anew, or pass on the "
            "adapter.",
            "这次导出没有通过检查，不能分发；请重新导出，或直接分发适配器。",
            field="what",
        )
    raise UserError(
        f"{out.name} has not been made yet; export it first.",
        f"还没有导出 {out.name}；请先导出。",
        field="what",
    )


def clear(out: Path) -> None:
    """Removes what a broken or stopped export of `out` has left beside it."""
    for ending in (".new", ".parts"):
        shutil.rmtree(out.with_name(out.name + ending), ignore_errors=True)
