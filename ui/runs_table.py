"""All runs as an HTML table with a small curve in each row; every text is escaped."""

import time
from pathlib import Path

from engine.training.curves import smooth
from engine.training.runs import ACTIVE, Run
from ui import run_views
from ui.cards import text
from ui.text import say

CSS = Path(__file__).with_name("runs.css").read_text(encoding="utf-8")
# Rows and buttons with data-run or data-go tell Python about a click; Enter on a button is one.
# What is ticked belongs to the page: it outlives the next drawing of the table, also when Gradio
# makes the whole component anew, or writes one run over another and leaves the box. An input says
# that it has changed.
SELECT_BY_CLICK = """
const ticked = (document.ticked ??= new Set());
element.addEventListener('click', (event) => {
  if (event.target.closest('.tick')) return;
  const hit = event.target.closest('[data-run], [data-go]');
  if (hit) trigger('click', {run: hit.dataset.run || '', go: hit.dataset.go || ''});
});
element.addEventListener('change', (event) => {
  const {checked, dataset} = event.target;
  ticked[checked ? 'add' : 'delete'](dataset.compare);
  trigger('input');
});
element.addEventListener('clear', () => { ticked.clear(); tick(); trigger('input'); });
const tick = () => element.querySelectorAll('[data-compare]').forEach((one) => {
  one.checked = ticked.has(one.dataset.compare);
});
const drawn = {childList: true, subtree: true, attributeFilter: ['data-compare']};
new MutationObserver(tick).observe(element, drawn);
tick();
"""
WIDTH, HEIGHT, POINTS = 116, 28, 58
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_curves: dict[str, tuple[object, list[dict]]] = {}


def table(runs: list[Run], selected: str, language: str) -> str:
    """All runs, newest first; the selected one is told apart by more than its colour."""
    if not runs:
        return (
            f'<div class="card runs-empty"><p>{text(say("runs_empty", language))}</p>'
            f'<button type="button" data-go="train">{text(say("runs_empty_go", language))}'
            "</button></div>"
        )
    keys = ("name", "state", "curve", "loss", "eval", "time", "peak", "made")
    heads = "".join(
        f'<th scope="col" class="{key}">{text(say(f"runs_col_{key}", language))}</th>'
        for key in keys
    )
    rows = "".join(_row(run, run.id == selected, language) for run in runs)
    caption = text(say("runs_caption", language))
    return (
        f'<div class="runs-box"><table class="runs"><caption>{caption}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>{_legend(language)}"
    )


def head(run: Run, language: str) -> str:
    """The selected run in a card: its name, how it stands, what it was made of, what to do next."""
    config = run.config
    facts = [
        config.dataset,
        config.model_name_or_path,
        duration(run.duration_seconds, language),
        gib(run.peak_gib),
        run.id,
    ]
    next_step = ""
    if run.state == "queued":
        next_step = say("runs_waiting_help", language)
    elif run.state in ACTIVE:
        next_step = say("runs_alive_help", language)
    elif run.can_resume and run.step:
        next_step = say("runs_resume_help", language)
    message = run.message.in_language(language) if run.message else ""
    lines = [" · ".join(fact for fact in facts if fact), message, next_step]
    shown = "".join(f'<p class="facts">{text(line)}</p>' for line in lines if line)
    return (
        f'<div class="card"><span class="big">{text(run.name)}</span>'
        f"<span>{text(state_words(run, language))}</span>{shown}</div>"
    )


def stamp(runs: list[Run], selected: str, language: str) -> str:
    """Changes whenever the table would; what did not change is not sent again."""
    return repr(
        [
            (run.id, run.name, run.state, run.alive, run.step, run.updated_at, run.has_adapter)
            + (run.place,)
            for run in runs
        ]
        + [selected, language]
    )


def state_words(run: Run, language: str) -> str:
    """The state in a word, and for what is not over how far it is."""
    word = run_views.state_words(run, language)
    if run.state in ("finished", "queued") or not run.max_steps:
        return word
    return f"{word} · " + say("runs_steps", language, step=run.step, steps=run.max_steps)


def duration(seconds: float | None, language: str) -> str:
    if seconds is None:
        return ""
    whole = round(seconds)
    if whole < 60:
        return say("runs_seconds", language, s=whole)
    if whole < 3600:
        return say("runs_minutes", language, m=whole // 60, s=f"{whole % 60:02d}")
    return say("runs_hours", language, h=whole // 3600, m=f"{whole % 3600 // 60:02d}")


def moment(epoch: float | None, language: str) -> str:
    """When something began, in this machine's time: the clock today, the day before that."""
    if not epoch:
        return ""
    then, now = time.localtime(epoch), time.localtime()
    clock = f"{then.tm_hour:02d}:{then.tm_min:02d}"
    if then[:3] == now[:3]:
        return say("runs_today", language, clock=clock)
    return say(
        "runs_month_day",
        language,
        day=then.tm_mday,
        month=MONTHS[then.tm_mon - 1],
        number=then.tm_mon,
        clock=clock,
    )


def gib(amount: float | None) -> str:
    return "" if amount is None else f"{amount:.2f} GiB" if amount < 10 else f"{amount:.1f} GiB"


def loss(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}" if abs(value) < 100 else f"{value:.4g}"


def _row(run: Run, is_selected: bool, language: str) -> str:
    pressed = str(is_selected).lower()
    compare = text(say("compare_pick", language, name=run.name))
    name = (
        f'<label class="tick"><input type="checkbox" data-compare="{text(run.id)}" '
        f'aria-label="{compare}" title="{compare}"/></label>'
        f'<button type="button" data-run="{text(run.id)}" aria-pressed="{pressed}">'
        f'{text(run.name)}</button><span class="id">{text(run.id)}</span>'
    )
    cells = {
        "name": name,
        "state": f'<span class="dot {text(run.state)}"></span>{text(_state_cell(run, language))}',
        "curve": sparkline(run, language),
        "loss": text(loss(run.last_loss)),
        "eval": text(loss(run.last_eval_loss)),
        "time": text(duration(run.duration_seconds, language)),
        "peak": text(gib(run.peak_gib)),
        "made": text(moment(run.started_at or run.created_at, language)),
    }
    inside = "".join(
        f'<td class="{key}" data-label="{text(say(f"runs_col_{key}", language))}">'
        f"{cell or '<i>–</i>'}</td>"
        for key, cell in cells.items()
    )
    mark = ' class="selected"' if is_selected else ""
    return f'<tr data-run="{text(run.id)}"{mark}>{inside}</tr>'


def _state_cell(run: Run, language: str) -> str:
    words = state_words(run, language)
    if run.state == "running" and run.seconds_left is not None:
        words += " · " + say("runs_left", language, time=duration(run.seconds_left, language))
    return words


def _legend(language: str) -> str:
    return (
        '<p class="runs-legend"><svg width="18" height="8" aria-hidden="true"><path class="loss" '
        f'd="M1 4H17"/></svg>{text(say("runs_legend_loss", language))}'
        '<svg width="18" height="8" aria-hidden="true"><path class="eval" d="M1 4H17"/></svg>'
        f"{text(say('runs_legend_eval', language))}</p>"
    )


def sparkline(run: Run, language: str) -> str:
    """The smoothed loss and the eval loss on one small scale, and what they say in words."""
    rows = _metrics(run)
    losses, evals = smooth(_series(rows, "loss")), _series(rows, "eval_loss")
    if not losses:
        return f'<i class="soft">{text(say("runs_no_curve", language))}</i>'
    values = [value for _, value in losses + evals]
    reached = max(losses[-1][0], 1)
    last_step = max(reached, min(run.max_steps, 3 * reached))  # what is missing stays open
    scale = (last_step, min(values), max(values))
    words = say(
        "runs_curve",
        language,
        first=loss(losses[0][1]),
        last=loss(losses[-1][1]),
        steps=losses[-1][0],
    )
    drawn = f'<path class="loss" d="{_path(_thinned(losses), *scale)}"/>'
    if len(evals) > 1:
        drawn += f'<path class="eval" d="{_path(_thinned(evals), *scale)}"/>'
    return (
        f'<svg class="spark" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'role="img" aria-label="{text(words)}"><title>{text(words)}</title>{drawn}</svg>'
    )


def _metrics(run: Run) -> list[dict]:
    """A run's rows, read again only when the run has moved on."""
    now = (run.updated_at, run.step, run.state)
    known = _curves.get(run.id)
    if known is None or known[0] != now:
        known = _curves[run.id] = (now, run.metrics())
    return known[1]


def _series(rows: list[dict], key: str) -> list[tuple[int, float]]:
    return [(row["step"], row[key]) for row in rows if _is_number(row.get(key))]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and value == value and abs(value) < 1e30


def _thinned(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """At most POINTS of them, the first and the last among these."""
    if len(points) <= POINTS:
        return points
    return [points[round(i * (len(points) - 1) / (POINTS - 1))] for i in range(POINTS)]


def _path(points: list[tuple[int, float]], last_step: int, low: float, high: float) -> str:
    spread = (high - low) or 1.0
    places = (
        f"{2 + (WIDTH - 4) * step / last_step:.1f} {2 + (HEIGHT - 4) * (high - value) / spread:.1f}"
        for step, value in points
    )
    return "M" + "L".join(places)
