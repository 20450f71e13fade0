"""What happens when many questions are asked: answers as they come, figures, files."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from engine.chat import client
from engine.errors import UserError
from engine.evaluation import exports
from engine.evaluation.metrics import FIGURES
from ui import batch_views, cards, cast, own_settings
from ui.conversation import tuned
from ui.text import say

_SECONDS_A_LOOK = 0.7
_ENDINGS = {"csv": ".csv", "jsonl": ".jsonl", "md": ".md"}


@dataclass(frozen=True, slots=True)
class Parts:
    """What handlers read and write."""

    source: gr.Radio
    prompts: gr.Textbox
    drawn: gr.Column
    dataset: gr.Dropdown
    count: gr.Number
    unseen: gr.Checkbox
    preset: gr.Dropdown
    instruction: gr.Textbox
    run: gr.Button
    stop: gr.Button
    notice: gr.HTML
    said: gr.HTML
    summary: gr.HTML
    files: gr.Row
    csv: gr.DownloadButton
    jsonl: gr.DownloadButton
    md: gr.DownloadButton
    table: gr.HTML


def wrong(source: str, prompts: str, dataset: str | None) -> str:
    """The key of the sentence that says why nothing can be asked, "" when it can."""
    if source == "typed" and not prompts.strip():
        return "judging_empty"
    return "judging_no_dataset" if source == "drawn" and not dataset else ""


def begin(parts: Parts, lang: str) -> dict:
    """Said at once, whatever the answers have to wait for."""
    return {
        parts.run: gr.Button(visible=False),
        parts.notice: cards.nothing(),
        parts.said: cards.card("", cards.waiting(say("judging_loading", lang))),
    }


def ask(parts: Parts, voices: list[str], asked: dict, manner: dict, lang: str) -> Iterator[dict]:
    """Loads the voices, asks them all, and shows what comes. `asked` as `client.evaluate` takes it;
    a file is read as the first tuned voice's run reads it. manner: system, the sampling by name,
    and `own`, what single voices have of their own."""
    rows: list[dict] = []
    report: dict = {}
    try:
        loaded = _load(voices)
        voices = loaded["voices"]
        lead = cast.lead(voices)
        if lead and lead.run and asked.get("dataset") == (config := lead.run.config).dataset:
            asked = asked | {"mapping": config.mapping, "speaker": config.speaker}
        names = {voice: cast.name_of(voice, lang) for voice in voices}
        # With each update: the browser may take several at once, and then keeps the last alone.
        going = {
            parts.stop: gr.Button(visible=True),
            parts.files: gr.Row(visible=False),
            parts.summary: cards.nothing(),
        }
        begun = shown = time.monotonic()
        systems, own = own_settings.read(manner["own"], voices)
        told = {
            "systems": {voice: systems.get(voice, manner["system"]) for voice in voices},
            "own": own,
            **_whole(manner["sampling"]),
        }
        for event in client.evaluate(**asked, loaded=loaded, **told):
            if "report" in event:
                report = event["report"]
                continue
            rows = event.get("rows", rows)
            for at, name, answer in event.get("new", ()):
                rows[at]["answers"][name] = answer
            now = time.monotonic()
            if event["phase"] != "answers" or now - shown > _SECONDS_A_LOOK:
                shown = now
                yield going | {
                    parts.said: batch_views.progress(event, now - begun, lang),
                    parts.table: batch_views.watched(rows, voices, names, lang),
                }
    except UserError as error:
        yield ready(parts) | {
            parts.said: cards.nothing(),
            parts.notice: cards.sentence(error.sentence.in_language(lang)),
        }
        if any(row["answers"] for row in rows):  # what is there is not lost with the process
            yield _kept(parts, _unmeasured(rows, voices), names, lang)
        return
    yield (
        ready(parts)
        | _kept(parts, report, names, lang)
        | {
            parts.said: batch_views.ended(report, lang),
            parts.summary: batch_views.summary(report, names, lang),
        }
    )


def ready(parts: Parts) -> dict:
    """The next questions may come."""
    return {parts.run: gr.Button(visible=True), parts.stop: gr.Button(visible=False)}


def _load(voices: list[str]) -> dict:
    """What is loaded then: the voices that are chosen in the talk; the base is always among them.
    Raises UserError."""
    model, load_in_4bit, load_in_8bit = cast.base_of(voices)
    return client.load(model, tuned(voices), load_in_4bit, load_in_8bit)


def _whole(sampling: dict[str, float | None]) -> dict[str, float]:
    """Settings as the engine wants them; an emptied field is 0."""
    return {name: own_settings.number(name, value) for name, value in sampling.items()}


def _kept(parts: Parts, report: dict, names: dict[str, str], lang: str) -> dict:
    """The table, and the files to take along."""
    folder = Path(tempfile.mkdtemp(prefix="greenroom-"))
    updates: dict = {parts.files: gr.Row(visible=True)}
    for kind, ending in _ENDINGS.items():
        file = folder / f"answers{ending}"
        exports.write(report, file)
        updates[getattr(parts, kind)] = gr.DownloadButton(value=str(file))
    return updates | {parts.table: batch_views.table(report["rows"], report["voices"], names, lang)}


def _unmeasured(rows: list[dict], voices: list[str]) -> dict:
    """A report of answers that nobody could measure any more."""
    counts = {one: sum(one in row["answers"] for row in rows) for one in voices}
    none = dict.fromkeys(FIGURES) | {"references": 0}
    summary = {one: {"answers": counts[one]} | none for one in voices}
    return {"voices": voices, "rows": rows, "summary": summary}
