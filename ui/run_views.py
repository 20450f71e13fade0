"""A run as HTML: progress card, memory, log. Knows no component."""

import math
import time

from engine.training import turns
from engine.training.runs import Run
from ui import cards
from ui.text import say


def progress(run: Run, metrics: list[dict], language: str) -> str:
    """Step, time left and the clock time of the end; the newest figures; what went wrong."""
    head = f'<span class="big">{cards.text(_headline(run, language))}</span>'
    beside = f'<span class="beside">{cards.text(_when(run, language))}</span>'
    drawn = cards.bar(
        [(run.step, "var(--g-accent)")], max(1, run.max_steps), _headline(run, language)
    )
    message = _waits_for(run, language) or run.message.in_language(language)
    failed = run.state == "failed"
    said = cards.sentence(message, "" if failed else "calm") if message else ""
    if _is_no_number(metrics):
        said += cards.sentence(say("train_loss_nan", language))
    figures = cards.paragraph(" · ".join(_figures(run, metrics, language)))
    address = cards.paragraph(say("train_link", language, run=run.id), "soft small")
    return cards.card(run.name, f"<div>{head}{beside}</div>{drawn}{figures}{said}{address}")


def state_words(run: Run, language: str) -> str:
    """The state in a word or two; for a run that waits, its place in line."""
    if run.state == "queued" and run.place:
        return say("shell_in_line", language, place=ordinal(run.place, language))
    if run.state == "running" and not run.max_steps:
        return say("shell_state_starting", language)
    return say(f"shell_state_{run.state}", language)


def ordinal(number: int, language: str) -> str:
    """2 -> "2nd", and in Chinese "2"."""
    if language == "zh":
        return str(number)
    teen = number % 100 in (11, 12, 13)
    return f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def _headline(run: Run, language: str) -> str:
    if run.alive and run.max_steps and run.state != "queued":
        words = say("train_step", language, step=run.step, steps=run.max_steps)
        if run.state == "stopping":
            words += " · " + say("shell_state_stopping", language)
        return words
    return state_words(run, language)


def _waits_for(run: Run, language: str) -> str:
    """What a run in line waits for."""
    if run.state != "queued":
        return ""
    names = [one.name for one in turns.going(run.path.parent)]
    if not names:
        return say("train_in_line_next", language)
    return say("train_in_line", language, names=", ".join(names))


def _when(run: Run, language: str) -> str:
    if not run.alive:
        took = cards.clock(run.duration_seconds)
        words = say("train_took", language, step=run.step, steps=run.max_steps, time=took)
        return words if run.max_steps else ""
    if run.seconds_left is None or run.state == "queued":
        return ""
    # As of the last step; what has passed since is taken off.
    left = max(0.0, run.seconds_left - (time.time() - run.updated_at))
    end = time.strftime("%H:%M:%S", time.localtime(time.time() + left))
    return say("train_left", language, left=cards.clock(left), end=end)


def _figures(run: Run, metrics: list[dict], language: str) -> list[str]:
    figures = []
    for key, column, last in (
        ("train_loss", "loss", run.last_loss),
        ("train_eval", "eval_loss", run.last_eval_loss),
    ):
        value = newest(metrics, column)
        value = last if value is None else value
        if value is not None:
            figures.append(f"{say(key, language)} {value:.2f}")
    if run.tokens_per_second:
        speed = cards.number(round(run.tokens_per_second))
        figures.append(say("train_speed", language, speed=speed))
    if run.peak_gib:
        figures.append(say("train_peak", language, peak=cards.gib(run.peak_gib)))
    return figures


def newest(metrics: list[dict], column: str) -> float | None:
    """The last value that stands in a column, or None."""
    return next((row[column] for row in reversed(metrics) if row.get(column) is not None), None)


def _is_no_number(metrics: list[dict]) -> bool:
    loss = newest(metrics, "loss")
    return loss is not None and not math.isfinite(loss)


def plot_says(points: list[tuple], language: str) -> str:
    """The loss plot in one sentence, for those who cannot see it."""
    known = [(step, value) for step, value in points if value is not None]
    if len(known) < 2:
        return cards.nothing()
    step, loss = known[-1]
    words = say(
        "train_plot_says", language, loss=f"{loss:.2f}", step=step, first=f"{known[0][1]:.2f}"
    )
    return cards.paragraph(words, "soft small")


def memory(metrics: list[dict], alive: bool, language: str) -> str:
    """What the run uses now, keeps reserved and used at most, drawn against its peak; of several
    devices each, against the largest peak. When it has ended, that it used at most."""
    now = newest(metrics, "memory")
    if not now:
        return cards.nothing()
    own, peak = now["own_gib"], now["peak_gib"]
    older = {"now_gib": own, "reserved_gib": own, "peak_gib": peak}  # a row of an older run
    devices = now.get("devices") or [older]
    drawn = [_memory_of(one, max(own, peak), alive, language) for one in devices]
    if len(drawn) == 1:
        return cards.card(*drawn[0])
    lines = [
        cards.paragraph(f"{one['device']} · {words}", "small") + bar
        for one, (words, bar) in zip(devices, drawn, strict=True)
    ]
    return cards.card(say("train_memory_devices", language), *lines)


def _memory_of(device: dict, most: float, alive: bool, language: str) -> tuple[str, str]:
    """In words, and drawn against `most`. RAM is not reserved beforehand."""
    if not alive:
        words = say("train_memory_peak", language, peak=cards.gib(device["peak_gib"]))
        return words, cards.bar([(device["peak_gib"], "var(--g-pale)")], most, words)
    now, reserved = device["now_gib"], device["reserved_gib"]
    key = "train_memory_measured" if now == reserved else "train_memory_reserved"
    figures = {"own": now, "reserved": reserved, "peak": device["peak_gib"]}
    words = say(key, language, **{name: cards.gib(value) for name, value in figures.items()})
    parts = [(now, "var(--g-accent)"), (reserved - now, "var(--g-pale)")]
    return words, cards.bar(parts, most, words)


def log(run: Run, language: str) -> str:
    tail = run.log_tail(30) or say("train_log_empty", language)
    return f'<div class="log" tabindex="0"><div>{cards.text(tail)}</div></div>'
