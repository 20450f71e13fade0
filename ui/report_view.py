"""A run's report as Markdown for the page, its picture in it, in the page's language."""

import base64
import re

from engine.training import report, runs
from engine.training.runs import Run

_PICTURE = re.compile(r"!\[([^\]\n]*)\]\(curves[.a-z]*\.svg\)")


def markdown(run: Run, language: str) -> str:
    """ "" before the report is written. The picture is drawn anew, not read from the disk: what
    stands in a folder may have been put there by anybody."""
    picture = report.curves(run.metrics(), language)
    coded = base64.b64encode(picture.encode()).decode()
    shown = rf"![\1](data:image/svg+xml;base64,{coded})" if picture else ""
    return _PICTURE.sub(shown, runs.report(run.id, language), count=1)


def size(length: int) -> str:
    """Bytes as one says them."""
    return f"{length / 1024**2:.1f} MiB" if length >= 1e6 else f"{length / 1024:.0f} KiB"
