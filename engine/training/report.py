"""The report of a run, to be sent to somebody: report.md, report.zh.md and their pictures."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from engine.errors import Sentence
from engine.training import runs
from engine.training.curves import points, smooth
from engine.training.picture import Line, draw
from engine.training.report_parts import PARTS

_RAW, _SMOOTHED, _EVAL = "#a5a79d", "#2f8a6a", "#c8940a"


class Ending(NamedTuple):
    """How a run ends, which its status does not say before it has its report."""

    state: str
    message: Sentence


def write_report(path: Path, ending: Ending | None = None) -> None:
    """Writes report.md and curves.svg, and both in Chinese (report.zh.md, curves.zh.svg); without a
    point to draw there is no picture."""
    run = runs.view(path)
    if ending:
        run = replace(run, state=ending.state, message=ending.message)
    for language, ending in (("en", ""), ("zh", ".zh")):
        picture = curves(run.metrics(), language)
        shown = []
        if picture:
            (path / f"curves{ending}.svg").write_text(picture, encoding="utf-8")
            name = Sentence("The curves", "曲线").in_language(language)
            shown = ["", f"![{name}](curves{ending}.svg)"]
        opening, *others = (part(run, language) for part in PARTS)
        lines = [*opening, *shown, *(line for part in others for line in part)]
        (path / f"report{ending}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def curves(metrics: list[dict], language: str) -> str:
    """Loss as logged, smoothed, and the eval loss over steps, as SVG; "" without any."""
    raw, evals = points(metrics, "loss"), points(metrics, "eval_loss")
    smoothed = smooth(raw)
    names = Sentence("loss|smoothed|eval loss|step", "损失|平滑|验证损失|步").in_language(language)
    loss, even, evaluated, step = names.split("|")
    lines = [
        Line(loss, raw, _RAW, 1.0),
        Line(even, smoothed, _SMOOTHED, 2.2),
        Line(evaluated, evals, _EVAL, 2.2, "6 3"),
    ]
    said = ""
    known = [y for _, y in smoothed if y is not None]
    if known:
        said = Sentence(
            f"The smoothed loss went from {known[0]:.3f} to {known[-1]:.3f}.",
            f"平滑后的损失从 {known[0]:.3f} 变为 {known[-1]:.3f}。",
        ).in_language(language)
    return draw(lines, step, loss, said)
