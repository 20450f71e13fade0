"""Several runs as HTML: their curves on one picture, their results and settings side by side."""

from dataclasses import dataclass
from typing import Any

from engine.config import TrainConfig
from engine.evaluation import verdict
from engine.options.declare import field_names
from engine.training.curves import points, smooth
from engine.training.picture import Line, draw
from engine.training.runs import Run
from ui import cards, runs_table
from ui.cards import text
from ui.text import WORDS, say

ALONG = ("step", "tokens", "seconds")
# Told apart in print and by those who see no red or green: by lightness, and by name at the head.
COLOURS = ("#2f8a6a", "#c8940a", "#5b7fb5", "#b0605a", "#8a6fb0", "#7d8076")


@dataclass(frozen=True, slots=True)
class Compared:
    """A run with what is read of it once."""

    run: Run
    colour: str
    metrics: list[dict[str, Any]]
    card: dict[str, Any]


def html(runs: list[Run], along: str, only_differences: bool, language: str) -> str:
    """`along` is one of ALONG: what lies on the x axis."""
    if not runs:
        return cards.nothing()
    if len(runs) == 1:
        hint = cards.paragraph(say("compare_one", language), "soft")
        return cards.card(say("compare_title", language), hint)
    shown = [
        Compared(run, colour, run.metrics(), verdict.read(run.path, run.step))
        for run, colour in zip(runs, COLOURS, strict=False)
    ]
    notes = [say("compare_lines", language)]
    if len(runs) > len(COLOURS):
        notes.append(say("compare_most", language, most=len(COLOURS)))
    timeless = [one.run.name for one in shown if one.metrics and along not in one.metrics[0]]
    if timeless:
        notes.append(say("compare_no_time", language, names=", ".join(timeless)))
    return cards.card(
        say("compare_title", language),
        cards.legend([(one.run.name, one.colour) for one in shown]),
        f'<div class="curves">{_picture(shown, along, language)}</div>',
        cards.paragraph(" ".join(notes), "soft small"),
        _table(shown, only_differences, language),
        kind="compared",
    )


def _picture(shown: list[Compared], along: str, language: str) -> str:
    lines = []
    for one in shown:
        loss = smooth(points(one.metrics, "loss", along))
        evals = points(one.metrics, "eval_loss", along)
        lines.append(Line("", loss, one.colour, 2.2))
        lines.append(Line("", evals, one.colour, 1.8, "5 4"))
    said = say("compare_said", language, names=", ".join(one.run.name for one in shown))
    axis, loss = say(f"compare_{along}", language), say("train_loss", language)
    drawn = draw(lines, axis, loss, said, ink="var(--g-soft)")
    return drawn or cards.paragraph(say("compare_no_curve", language), "soft")


def _table(shown: list[Compared], only_differences: bool, language: str) -> str:
    heads = "".join(
        f'<th scope="col"><svg viewBox="0 0 26 8" aria-hidden="true"><path d="M0 4H26" '
        f'stroke="{one.colour}" stroke-width="3"/></svg>{text(one.run.name)}</th>'
        for one in shown
    )
    rows = _group("compare_results", len(shown), language)
    for key, cells in _results(shown, language):
        rows += _row(say(key, language), cells, "")
    rows += _group("compare_settings", len(shown), language)
    defined = _settings(shown, only_differences)
    for name, cells in defined:
        kind = "apart" if not only_differences and len(set(cells)) > 1 else ""
        rows += _row(WORDS[f"option_{name}"].in_language(language), cells, kind, name)
    if not defined:
        same = text(say("compare_same", language))
        rows += f'<tr><th colspan="{len(shown) + 1}">{same}</th></tr>'
    return (
        f'<div class="beside" tabindex="0"><table><thead><tr><th></th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _group(key: str, runs: int, language: str) -> str:
    return (
        f'<tr class="group"><th scope="rowgroup" colspan="{runs + 1}">'
        f"{text(say(key, language))}</th></tr>"
    )


def _row(words: str, cells: list[str], kind: str, title: str = "") -> str:
    inside = "".join(f"<td>{text(cell) if cell else '–'}</td>" for cell in cells)
    return (
        f'<tr class="{kind}"><th scope="row" title="{text(title)}">{text(words)}</th>{inside}</tr>'
    )


def _results(shown: list[Compared], language: str) -> list[tuple[str, list[str]]]:
    """What came out, one row each; a run that does not know it has an empty cell."""

    def cells(made) -> list[str]:
        return [made(one) for one in shown]

    return [
        ("compare_state", cells(lambda one: runs_table.state_words(one.run, language))),
        ("compare_verdict", cells(lambda one: _verdict(one, language))),
        ("compare_loss", cells(lambda one: _last(smooth(points(one.metrics, "loss"))))),
        ("compare_eval", cells(lambda one: _last(points(one.metrics, "eval_loss")))),
        ("compare_best", cells(lambda one: _best(one, language))),
        (
            "compare_time",
            cells(lambda one: runs_table.duration(one.run.duration_seconds, language)),
        ),
        ("compare_speed", cells(lambda one: _speed(one.run, language))),
        ("compare_peak", cells(lambda one: runs_table.gib(one.run.peak_gib))),
    ]


def _verdict(one: Compared, language: str) -> str:
    return verdict.in_short(one.card).in_language(language) if one.card else ""


def _last(line: list[tuple[float, float | None]]) -> str:
    known = [value for _, value in line if value is not None]
    return f"{known[-1]:.3f}" if known else ""


def _best(one: Compared, language: str) -> str:
    evals = [(loss, step) for step, loss in points(one.metrics, "eval_loss") if loss is not None]
    if not evals:
        return ""
    loss, step = min(evals)
    return say("compare_best_at", language, loss=f"{loss:.3f}", step=step)


def _speed(run: Run, language: str) -> str:
    if not run.tokens_per_second:
        return ""
    return say("train_speed", language, speed=cards.number(round(run.tokens_per_second)))


def _settings(shown: list[Compared], only_differences: bool) -> list[tuple[str, list[str]]]:
    """(option, its value in each run), in the form's order."""
    rows = []
    for name in field_names(TrainConfig):
        cells = [str(getattr(one.run.config, name)) for one in shown]
        if len(set(cells)) > 1 or not only_differences:
            rows.append((name, cells))
    return rows
