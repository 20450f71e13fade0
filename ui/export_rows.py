"""The rows of the Export tab as HTML: what each way out is, needs, does now, and has become."""

import time
from pathlib import Path
from typing import Any

from engine.errors import Sentence
from engine.export import made
from engine.export.client import HUB, Job
from engine.export.source import Source
from engine.hardware import GIB
from engine.training.runs import Run
from ui import cards, run_views
from ui.text import both, say

CSS = Path(__file__).with_name("export.css").read_text(encoding="utf-8")
WAYS = ("adapter", *made.KINDS, HUB)
_GREEN = "var(--g-accent)"


def facts(source: Source, run: Run, language: str) -> str:
    """What was chosen, in one line."""
    words = say(
        "export_facts",
        language,
        method=source.method,
        base=Path(source.base).name,
        state=run_views.state_words(run, language),
        step=run.step,
    )
    return cards.paragraph(words, "soft")


def head(way: str, needs: str, language: str) -> str:
    """`needs` is HTML of this module."""
    title = cards.text(say(f"export_{way}_title", language))
    return f"<h3>{title}</h3>{cards.paragraph(say(f'export_{way}_about', language))}{needs}"


def needs(way: str, source: Source, plan: dict[str, Any] | None, kind: str, language: str) -> str:
    """Size, memory and disk; `plan` as engine.export.plan.outlook, None while it is asked for;
    `kind` is the quantization of a GGUF."""
    if way == HUB:
        return ""
    if way == "adapter":
        size = sum(one.stat().st_size for one in source.folder.rglob("*") if one.is_file())
        return cards.paragraph(_amount(size / GIB), "needs")
    if plan is None:
        return f'<p class="needs">{cards.waiting(say("export_asking", language))}</p>'
    if refused := refusal(way, plan):
        return cards.sentence(refused.in_language(language), "mild")
    one = plan[kind if way == "gguf" else way]
    amounts = {key: _amount(one[f"{key}_gib"]) for key in ("size", "memory", "disk")}
    return cards.paragraph(say("export_needs", language, **amounts), "needs")


def refusal(way: str, plan: dict[str, Any] | None) -> Sentence | None:
    refused = (plan or {}).get(way, {}).get("refused")
    return both(refused) if refused else None


def said(way: str, run: Run, job: Job | None, language: str, first: str = "") -> str:
    """Below the row: progress, what went wrong, or what was made and how it did in its check.
    `first` is HTML of this module that comes before."""
    if job and job.state in ("going", "stopping"):
        return first + _going(job, language)
    found = first
    if job and job.error:
        found += cards.sentence(job.error.in_language(language))
    elif job and job.state == "stopped":
        key = "export_push_stopped" if way == HUB else "export_stopped"
        found += cards.sentence(say(key, language), "calm")
    if way == HUB:
        done = job.result if job and job.state == "done" else {}
        return found + _pushed(done, language) or cards.nothing()
    return found + _made(made.facts_of(made.place(run, way)), language) or cards.nothing()


def doing(step: dict[str, Any], language: str) -> str:
    """What is being done, how far, with a bar where that is known."""
    words = say(f"export_doing_{step['doing']}", language)
    total = step.get("of_gib")
    if not total:
        return f'<div class="export-going">{cards.waiting(words)}</div>'
    words = say("export_of", language, doing=words, done=_amount(step["gib"]), all=_amount(total))
    bar = cards.bar([(step["gib"], _GREEN)], total, words)
    return f'<div class="export-going">{cards.waiting(words)}{bar}</div>'


def _amount(gib: float) -> str:
    """GiB as one says them; small models in MiB."""
    return f"{cards.gib(gib)} GiB" if gib >= 0.1 else f"{1024 * gib:.1f} MiB"


def _going(job: Job, language: str) -> str:
    if job.state == "stopping":
        return cards.waiting(say("export_stopping", language))
    return doing(job.progress, language)


def _made(done: dict[str, Any], language: str) -> str:
    if not done:
        return ""
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(done["made_at"]))
    size = _amount(done["gib"])
    told = say("export_done", language, precision=done["precision"], size=size, when=when)
    kind = "calm" if done["check"]["passed"] else ""
    checked = cards.sentence(both(done["said"]).in_language(language), kind)
    return (
        f'<div class="export-result"><span>{cards.text(told)}</span> '
        f"<code>{cards.text(done['path'])}</code>{checked}</div>"
    )


def _pushed(done: dict[str, Any], language: str) -> str:
    if not done:
        return ""
    told = say("export_pushed" if done["private"] else "export_pushed_public", language)
    url = cards.text(done["url"])
    return (
        f'<div class="export-result"><div class="sentence calm" role="status">{cards.text(told)} '
        f'<a href="{url}" target="_blank" rel="noopener">{url}</a></div></div>'
    )
