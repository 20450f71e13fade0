"""The process of an export: holds the models while it lasts. `python -m engine.export.process`."""

from collections.abc import Iterator
from typing import Any

from engine.child import serve
from engine.export import made
from engine.export.source import of_run


def _export(run: str, to: str, dtype: str, quantization: str) -> Iterator[dict[str, Any]]:
    yield {"doing": "planning"}  # the libraries take seconds to come
    from engine.export.exporting import export

    source = of_run(run)
    yield from export(source, to, made.place(source.run, to), dtype, quantization)


def _send(run: str, what: str, repo_id: str, token: str, public: bool) -> Iterator[dict[str, Any]]:
    """The token comes through the pipe, is used, and is kept nowhere."""
    yield {"doing": "planning"}
    from engine.export.hub import send

    source = of_run(run)
    yield from send(source, what, made.place(source.run, what), repo_id, token, public)


if __name__ == "__main__":
    serve({"export": _export, "send": _send})
