"""Many questions to all voices, and what their answers are worth: rows, and figures by voice.

A report is {"voices", "settings", "rows", "too_long", "summary", "in_training", "stopped",
"seconds"}. A row is {"prompt", "messages" (what was asked), "reference", "answers": {voice: ..}},
an answer {"text", "tokens", "stopped_by"} and, where they can be had, `metrics.NAMES` against its
reference, "loss" (of the reference, nats a token) with "reference_tokens", and "copied" (share of
its n-grams) with "ngrams". What could not be measured is None in the summary.
"""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from engine.chat.many import answer_many
from engine.chat.sampling import checked
from engine.dataset.prompt import render
from engine.errors import UserError
from engine.evaluation import copied, metrics
from engine.evaluation.asked import Asked
from engine.evaluation.metrics import FIGURES
from engine.evaluation.references import losses, perplexity

if TYPE_CHECKING:
    from engine.chat.voices import Voices

Report = dict[str, Any]


def evaluate(
    voices: "Voices",
    asked: list[Asked],
    taught: list[str],
    stopping: Callable[[], bool] = lambda: False,
    **settings: float,
) -> Iterator[dict[str, Any]]:
    """Yields {"phase", "done", "total"}: first "asked" with all "rows", then "answers" with those
    new since the last time as (row, voice, answer), "references", "training"; at last
    {"report"}. `taught` is what the voices were trained to say, [] where that is not known. After a
    stop the rest is left out.

    Questions that do not fit the model's window are left out and counted. Raises UserError as
    `Voices.answer` does, and where no question fits.
    """
    begin, settings = time.monotonic(), checked(settings)
    rows, too_long = _rows(voices, asked)
    yield {"phase": "asked", "done": 0, "total": len(rows) * len(voices.names), "rows": rows}
    conversations = [row["messages"] for row in rows]
    for event in answer_many(voices, conversations, stopping, **settings):
        new = []
        for one in event["answers"]:
            answer = {name: one[name] for name in ("text", "tokens", "stopped_by")}
            rows[one["index"]]["answers"][one["voice"]] = answer
            new.append((one["index"], one["voice"], answer))
        yield {"phase": "answers", "done": event["done"], "total": event["total"], "new": new}
    whole = [row for row in rows if _is_whole(row, voices.names)]
    referred = [row for row in whole if row["reference"].strip()]
    _compare(referred, voices.names)
    yield from _read_references(voices, referred, stopping)
    yield {"phase": "training", "done": 0, "total": 1}
    known = _look_into_training(whole, taught, stopping) if taught else None
    yield {
        "report": {
            "voices": voices.names,
            "settings": settings,
            "rows": rows,
            "too_long": too_long,
            "summary": {name: _summary(whole, referred, name) for name in voices.names},
            "in_training": known,
            "stopped": stopping(),
            "seconds": round(time.monotonic() - begin, 1),
        }
    }


def _rows(voices: "Voices", asked: list[Asked]) -> tuple[list[dict[str, Any]], int]:
    """One that would be refused must not cost the answers of all others."""
    fitting = [one for one in asked if _fits(voices, one)]
    if not fitting:
        raise UserError(
            f"None of the {len(asked)} questions fits into what {voices.model_name} can read; "
            "choose shorter ones.",
            f"{len(asked)} 个问题全都超出了 {voices.model_name} 的长度上限；请换短一些的。",
            field="prompts",
        )
    rows = [
        {"prompt": one.prompt, "messages": one.turns, "reference": one.reference, "answers": {}}
        for one in fitting
    ]
    return rows, len(asked) - len(fitting)


def _fits(voices: "Voices", one: Asked) -> bool:
    window = getattr(voices.base.config, "max_position_embeddings", None)
    if not window:
        return True
    learned = max(voices.tuned.virtual_tokens(name) for name in voices.names)
    tokenizers = {id(some): some for some in map(voices.tokenizer_of, voices.names)}
    prompts = [(some, render(some, one.turns, None, True).text) for some in tokenizers.values()]
    longest = max(len(some(text, add_special_tokens=False)["input_ids"]) for some, text in prompts)
    return longest + learned < window


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


def _read_references(voices: "Voices", referred: list[dict], stopping) -> Iterator[dict[str, Any]]:
    taught = [
        [*row["messages"], {"role": "assistant", "content": row["reference"]}] for row in referred
    ]
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
