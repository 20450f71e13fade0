"""The process that fetches a model for the page, so that the page holds none of it. `python -m`."""

from collections.abc import Iterator
from typing import Any

from engine.child import serve, stopping
from engine.models.sources.fetch import fetch


def _fetch(name: str) -> Iterator[dict[str, Any]]:
    yield from fetch(name, stopping)


if __name__ == "__main__":
    serve({"fetch": _fetch})
