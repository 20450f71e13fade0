"""Small pieces of HTML out of escaped text, for all cards of the page."""

import math
from html import escape

from engine.errors import Sentence


def text(value) -> str:
    """Anything as text that HTML takes literally."""
    return escape(str(value), quote=True)


def card(title: str, *parts: str, kind: str = "") -> str:
    """A framed box. The title is escaped here; the parts are HTML made in this module."""
    head = f"<h3>{text(title)}</h3>" if title else ""
    return f'<div class="card {kind}">{head}{"".join(parts)}</div>'


def paragraph(words: str, kind: str = "") -> str:
    return f'<p class="{kind}">{text(words)}</p>'


def sentence(words: str, kind: str = "") -> str:
    """One thing the person should know. kind: "" what is wrong, "mild" a warning, "calm" a hint."""
    return f'<div class="sentence {kind}" role="status">{text(words)}</div>' if words else nothing()


def nothing() -> str:
    """An empty block: the CSS takes its room away."""
    return '<i class="nothing"></i>'


def waiting(words: str) -> str:
    """What is happening just now, with a small turning ring."""
    return f'<span class="waiting" role="status">{text(words)}</span>'


def facts(pairs: list[tuple[str, str]]) -> str:
    """Two columns: name and value."""
    rows = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in pairs)
    return f"<dl>{rows}</dl>"


def bullets(lines: list[str], kind: str = "") -> str:
    return f'<ul class="{kind}">' + "".join(f"<li>{text(line)}</li>" for line in lines) + "</ul>"


def bar(parts: list[tuple[float, str]], total: float, label: str) -> str:
    """A stacked bar, (amount, colour) each, against a total; the label says it in words."""
    pieces, room = "", 100.0
    for amount, colour in parts:
        share = min(room, 100 * max(amount, 0.0) / total) if total else 0.0
        room -= share
        pieces += f'<i style="width:{share:.2f}%;background:{colour}"></i>'
    return f'<div class="bar" role="img" aria-label="{text(label)}">{pieces}</div>'


def legend(entries: list[tuple[str, str]]) -> str:
    """(words, colour) each."""
    pieces = "".join(
        f'<span><i style="background:{colour}"></i>{text(words)}</span>'
        for words, colour in entries
    )
    return f'<div class="legend">{pieces}</div>'


def number(value: float) -> str:
    """48211 -> 48,211; 0.00031 -> 0.00031."""
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3g}"


def gib(value: float) -> str:
    """Two figures are enough to compare memory with."""
    return f"{value:.1f}" if value >= 0.95 else f"{value:.2f}"


def millions(parameters: int) -> str:
    """3190000 -> 3.2 M; 7200000000 -> 7.2 B; 41000 -> 41 k."""
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if parameters >= size:
            amount = parameters / size
            return f"{amount:.0f} {letter}" if amount >= 100 else f"{amount:.1f} {letter}"
    return str(parameters)


def clock(seconds: float | None) -> str:
    """75 -> 1:15; 3700 -> 1:01:40."""
    if seconds is None or not math.isfinite(seconds):
        return "?"
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def about(seconds: float) -> Sentence:
    """A duration as one says it."""
    if seconds < 90:
        rounded = max(5, 5 * round(seconds / 5))
        return Sentence(f"about {rounded} seconds", f"约 {rounded} 秒")
    if seconds < 5400:
        return Sentence(f"about {seconds / 60:.0f} minutes", f"约 {seconds / 60:.0f} 分钟")
    return Sentence(f"about {seconds / 3600:.1f} hours", f"约 {seconds / 3600:.1f} 小时")
