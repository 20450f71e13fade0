"""The curves of a run out of its metrics: points, smoothed, thinned. Knows no way to draw them."""

import math
from typing import Any

MOST_POINTS = 300
SMOOTHING = 0.8

Curve = list[tuple[float, float | None]]


def points(metrics: list[dict[str, Any]], column: str, along: str = "step") -> Curve:
    """(x, value) where both are there; what is not finite becomes None, a gap."""
    found = [(row.get(along), row.get(column)) for row in metrics]
    return [
        (x, value if math.isfinite(value) else None)
        for x, value in found
        if x is not None and value is not None
    ]


def smooth(line: Curve) -> Curve:
    """Exponential moving average, corrected for its start; gaps stay gaps."""
    mean, weight, smoothed = 0.0, 0.0, []
    for x, value in line:
        if value is None:
            smoothed.append((x, None))
            continue
        mean = SMOOTHING * mean + (1 - SMOOTHING) * value
        weight = SMOOTHING * weight + (1 - SMOOTHING)
        smoothed.append((x, mean / weight))
    return smoothed


def thin(line: Curve, most: int = MOST_POINTS) -> Curve:
    """At most `most` points: of each bin the lowest and the highest, so that spikes stay."""
    if len(line) <= most:
        return line
    inner, bins = line[1:-1], (most - 2) // 2
    kept = [line[0]]
    for i in range(bins):
        part = inner[i * len(inner) // bins : (i + 1) * len(inner) // bins]
        known = [p for p in part if p[1] is not None]
        if known:
            ends = {min(known, key=lambda p: p[1]), max(known, key=lambda p: p[1])}
            kept += sorted(ends, key=lambda p: p[0])
    return [*kept, line[-1]]
