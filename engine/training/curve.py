"""The smoothed loss: what the plot draws is what `stop_at_loss` looks at."""

SMOOTHING = 0.8


def smooth(line: list[tuple[int, float | None]]) -> list[tuple[int, float | None]]:
    """Exponential moving average, corrected for its start; gaps stay gaps."""
    mean, weight, smoothed = 0.0, 0.0, []
    for step, value in line:
        if value is None:
            smoothed.append((step, None))
            continue
        mean = SMOOTHING * mean + (1 - SMOOTHING) * value
        weight = SMOOTHING * weight + (1 - SMOOTHING)
        smoothed.append((step, mean / weight))
    return smoothed
