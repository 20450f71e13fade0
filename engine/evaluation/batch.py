"""Many questions to all voices, and what their answers are worth: rows, and figures by voice.

A report is {"voices", "settings", "own", "systems", "rows", "too_long", "summary", "in_training",
"stopped", "seconds"}; the system prompts of voices stand in "systems" where they are not the same.
A row is {"prompt", "messages" (what all were asked), "reference", "answers": {voice: ..}},
an answer {"text", "tokens", "stopped_by"} and, where they can be had, `metrics.NAMES` against its
reference, "loss" (of the reference, nats a token) with "reference_tokens", and "copied" (share of
its n-grams) with "ngrams". What could not be measured is None in the summary.
"""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from engine.chat.many import answer_many
from engine.chat.sampling import checked
from engine.dataset.prompt import render, with_system
from engine.errors import UserError
from engine.evaluation import copied, metrics
from engine.evaluation.asked import Asked, Turns
from engine.evaluation.metrics import FIGURES
from engine.evaluation.references import losses, perplexity
from engine.models.positions import window_of

if TYPE_CHECKING:
    from engine.chat.voices import Voices

Report = dict[str, Any]


def evaluate(
    voices: "Voices",
    asked: list[Asked],
    taught: list[str],
    stopping: Callable[[], bool] = lambda: False,
    systems: dict[str, str] | None = None,
    own: dict[str, dict[str, float]] | None = None,
    **settings: float,
) -> Iterator[dict[str, Any]]:
    """Yields {"phase", "done", "total"}: first "asked" with all "rows", then "answers" with those
    new since the last time as (row, voice, answer), "references", "training"; at last
    {"report"}. `taught` is what the voices were trained to say, [] where that is not known. After a
    stop the rest is left out.

    `systems` holds the system prompts of voices, for conversations that have none of their own,
    `own` the settings in which a voice differs from the others.

    Questions that do not fit the model's window are left out and counted. Raises UserError as
    `Voices.answer` does, and where no question fits.
    """
    begin, settings = time.monotonic(), checked(settings)
    systems = {name: (systems or {}).get(name, "").strip() for name in voices.names}
    alike = len(set(systems.values())) == 1
    fitting = _fitting(voices, asked, systems)
    rows = [_row(one, systems[voices.names[0]] if alike else "") for one in fitting]
    yield {"phase": "asked", "done": 0, "total": len(rows) * len(voices.names), "rows": rows}
    histories = [_histories(row["messages"], systems) for row in rows]
    for event in answer_many(voices, histories, stopping, own, **settings):
        new = []
        for one in event["answers"]:
            answer = {name: one[name] for name in ("text", "tokens", "stopped_by")}
            rows[one["index"]]["answers"][one["voice"]] = answer
            new.append((one["index"], one["voice"], answer))
        yield {"phase": "answers", "done": event["done"], "total": event["total"], "new": new}
    whole = [row for row in rows if _is_whole(row, voices.names)]
    referred = [row for row in whole if row["reference"].strip()]
    _compare(referred, voices.names)
    yield from _read_references(voices, referred, systems, stopping)
    yield {"phase": "training", "done": 0, "total": 1}
    known = _look_into_training(whole, taught, stopping) if taught else None
    yield {
        "report": {
            "voices": voices.names,
            "settings": settings,
            "own": own or {},
            "systems": {} if alike else systems,
            "rows": rows,
            "too_long": len(asked) - len(fitting),
            "summary": {name: _summary(whole, referred, name) for name in voices.names},
            "in_training": known,
            "stopped": stopping(),
            "seconds": round(time.monotonic() - begin, 1),
        }
    }


def _fitting(voices: "Voices", asked: list[Asked], systems: dict[str, str]) -> list[Asked]:
    """One that would be refused must not cost the answers of all others."""
    fitting = [one for one in asked if _fits(voices, _histories(one.turns, systems))]
    if not fitting:
        raise UserError(
            f"None of the {len(asked)} questions fits into what {voices.model_name} can read; "
            "choose shorter ones.",
            f"{len(asked)} 个问题全都超出了 {voices.model_name} 的长度上限；请换短一些的。",
            field="prompts",
        )
    return fitting


def _row(one: Asked, system_prompt: str) -> dict[str, Any]:
    messages = with_system(one.turns, system_prompt)
    return {"prompt": one.prompt, "messages": messages, "reference": one.reference, "answers": {}}


def _histories(turns: Turns, systems: dict[str, str]) -> dict[str, Turns]:
    """What each voice hears."""
    return {name: with_system(turns, system) for name, system in systems.items()}


def _fits(voices: "Voices", histories: dict[str, Turns]) -> bool:
    window = window_of(voices.base.config)
    if not window:
        return True
    # Most often all hear the same, in the same template: that is counted once.
    heard = {
        (id(voices.tokenizer_of(name)), str(turns[0])): (voices.tokenizer_of(name), turns)
        for name, turns in histories.items()
    }
    prompts = [(some, render(some, turns, None, True).text) for some, turns in heard.values()]
    longest = max(len(some(text, add_special_tokens=False)["input_ids"]) for some, text in prompts)
    return longest + max(map(voices.tuned.virtual_tokens, voices.names)) < window


def _is_whole(row: dict, names: list[str]) -> bool:
    """Every voice has answered to its end: voices are compared on the same questions."""
    answers = row["answers"]
    return all(name in answers and answers[name]["stopped_by"] != "stop" for name in names)


def _compare(referred: list[dict], names: list[str]) -> None:
    references = [row["reference"] for row in referred]
    for name in names if referred else []:
        answers = [row["answers"][name] for row in referred]
        found = metrics.of_each([one["text"] for one in answers], references)
        for answer, figures in zip(answers, found, strict=True):
            answer |= figures


def _read_references(
    voices: "Voices", referred: list[dict], systems: dict[str, str], stopping
) -> Iterator[dict[str, Any]]:
    taught = []
    for row in referred:
        answered = [*row["messages"], {"role": "assistant", "content": row["reference"]}]
        taught.append(_histories(answered, systems))
    done = 0
    for some in losses(voices, taught, stopping):
        for row, of_voices in zip(referred[done : done + len(some)], some, strict=True):
            for name, (loss, tokens) in of_voices.items():
                if tokens:  # else it is cut before its answer
                    row["answers"][name] |= {"loss": loss / tokens, "reference_tokens": tokens}
        done += len(some)
        yield {"phase": "references", "done": done, "total": len(referred)}


def _look_into_training(rows: list[dict], taught: list[str], stopping) -> int | None:
    """Notes what is copied at each answer; returns how many references stand among the taught texts
    as they are, None after a stop."""
    answers = [answer for row in rows for answer in row["answers"].values()]
    found = copied.rates([one["text"] for one in answers], taught, stopping)
    if found is None:
        return None
    for answer, (known, ngrams) in zip(answers, found, strict=True):
        if ngrams:
            answer |= {"copied": known / ngrams, "ngrams": ngrams}
    exact = {text.strip() for text in taught}
    return sum(row["reference"].strip() in exact for row in rows)


def _summary(rows: list[dict], referred: list[dict], name: str) -> dict[str, float | None]:
    """{answers, references} and FIGURES of one voice: tokens are the mean of its answers."""
    answers = [row["answers"][name] for row in rows]
    figures: dict[str, float | None] = dict.fromkeys(FIGURES)
    if answers:
        figures["tokens"] = sum(one["tokens"] for one in answers) / len(answers)
    if referred:
        said = [row["answers"][name]["text"] for row in referred]
        figures |= metrics.of_all(said, [row["reference"] for row in referred])
    read = [row["answers"][name] for row in referred if "loss" in row["answers"][name]]
    if read:
        figures["loss"] = _mean(read, "loss", "reference_tokens")
        figures["perplexity"] = perplexity(figures["loss"])
    long = [one for one in answers if "copied" in one]
    if long:
        figures["copied"] = _mean(long, "copied", "ngrams")
    return {"answers": len(answers), "references": len(referred)} | figures


def _mean(answers: list[dict], figure: str, weight: str) -> float:
    return sum(one[figure] * one[weight] for one in answers) / sum(one[weight] for one in answers)
