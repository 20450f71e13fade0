"""Curves as an SVG picture with labelled axes, legible on a light and on a dark ground."""

import math
from dataclasses import dataclass
from html import escape

from engine.training.curves import Curve, thin

WIDTH, HEIGHT = 720, 320
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 40, 46
INK = "#7d8076"  # a grey that stands out on white and on black
FONT = "system-ui, -apple-system, 'Segoe UI', 'PingFang SC', 'Microsoft YaHei', sans-serif"


@dataclass(frozen=True, slots=True)
class Line:
    """One curve; `dash` as in stroke-dasharray, "" for a whole line."""

    name: str
    points: Curve
    colour: str
    width: float = 2.0
    dash: str = ""


def draw(lines: list[Line], x_title: str, y_title: str, said: str, ink: str = INK) -> str:
    """The picture as text; `said` is what it shows in words. "" when there is nothing to draw."""
    lines = [one for one in lines if any(y is not None for _, y in one.points)]
    known = [(x, y) for one in lines for x, y in one.points if y is not None]
    if not known:
        return ""
    xs = _ticks(min(0, min(x for x, _ in known)), max(x for x, _ in known), whole=True)
    ys = _ticks(min(y for _, y in known), max(y for _, y in known))
    right = max(xs[-1], max(x for x, _ in known))

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - xs[0]) / ((right - xs[0]) or 1)
        up = (y - ys[0]) / ((ys[-1] - ys[0]) or 1)
        return (
            round(LEFT + across * (WIDTH - LEFT - RIGHT), 1),
            round(HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM), 1),
        )

    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img" font-family="{FONT}" font-size="12">'
        f"<title>{escape(said)}</title>"
        f'<g fill="{ink}" stroke="none">{_grid(xs, ys, place, ink)}'
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">'
        f"{escape(x_title)}</text>"
        f'<text x="{LEFT - 8}" y="{TOP - 18}" text-anchor="end">{escape(y_title)}</text>'
        f"{_legend(lines)}</g>{''.join(_path(one, place) for one in lines)}</svg>\n"
    )


def _ticks(low: float, high: float, whole: bool = False) -> list[float]:
    """Four to eight round numbers from at most `low` on; they reach `high`, but along x, where the
    last stays within."""
    rough = (high - low) / 5 or 1.0
    size = 10 ** math.floor(math.log10(rough))
    step = next((size * one for one in (1, 2, 5) if size * one >= rough), size * 10)
    if whole:
        step = max(1, round(step))
        return [low + step * n for n in range(int((high - low) // step) + 1)]
    first = math.floor(low / step)
    last = max(math.ceil(high / step), first + 1)
    return [round(step * n, 10) for n in range(first, last + 1)]


def _grid(xs: list[float], ys: list[float], place, ink: str) -> str:
    drawn = ""
    for y in ys:
        _, at = place(xs[0], y)
        drawn += (
            f'<path d="M{LEFT} {at}H{WIDTH - RIGHT}" stroke="{ink}" stroke-opacity="0.25"/>'
            f'<text x="{LEFT - 8}" y="{at + 4}" text-anchor="end">{y:g}</text>'
        )
    for x in xs:
        at, _ = place(x, ys[0])
        drawn += f'<text x="{at}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{x:,g}</text>'
    return drawn


def _legend(lines: list[Line]) -> str:
    """From the right, in the order of the lines; a line without a name has no entry."""
    drawn, at = "", float(WIDTH - RIGHT)
    for line in reversed([one for one in lines if one.name]):
        at -= sum(12 if ord(letter) > 0x2E80 else 7 for letter in line.name)
        drawn += f'<text x="{at:.0f}" y="{TOP - 18}">{escape(line.name)}</text>'
        at -= 28
        drawn += (
            f'<path d="M{at:.0f} {TOP - 22}h20" fill="none" stroke="{line.colour}" '
            f'stroke-width="{max(2, line.width)}" stroke-dasharray="{line.dash}"/>'
        )
        at -= 16
    return drawn


def _path(line: Line, place) -> str:
    """A gap in the points is a gap in the line; a point alone is a dot."""
    d, pen_down, points = "", False, thin(line.points)
    for x, y in points:
        if y is not None:
            at = "{} {}".format(*place(x, y))
            d += f"L{at}" if pen_down else f"M{at}h0"
        pen_down = y is not None
    return (
        f'<path d="{d}" fill="none" stroke="{line.colour}" stroke-width="{line.width}" '
        f'stroke-linejoin="round" stroke-linecap="round" stroke-dasharray="{line.dash}"/>'
    )
