"""The desk: a warm child process that reads files, tokenises and estimates for the page.

The page calls the functions below; `python -m engine.desk` is the other end. So the page never
imports torch, and a file of any size never makes it stutter.
"""

import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from engine import library
from engine.child import Child, serve
from engine.errors import UserError

_child = Child("engine.desk")


def warm_up() -> None:
    """Starts the process and its imports; returns when it can answer."""
    _child.answer("warm_up")


def inspect(
    dataset: str,
    model_name_or_path: str,
    *,
    max_length: int,
    loss_on: str = "answers",
    system_prompt: str = "",
    row: int | None = None,
) -> dict[str, Any]:
    """The report of engine.dataset.inspect. Raises UserError."""
    library.require(dataset)
    return _child.answer(
        "inspect",
        dataset=dataset,
        model_name_or_path=model_name_or_path,
        max_length=max_length,
        loss_on=loss_on,
        system_prompt=system_prompt,
        row=row,
    )


def table(dataset: str, start: int = 0, count: int = 50) -> dict[str, Any]:
    """Rows of the file as they are, as text. Raises UserError."""
    library.require(dataset)
    return _child.answer("table", dataset=dataset, start=start, count=count)


def convert(dataset: str, to: str, out: str | None = None) -> Path:
    """Writes the dataset in another format; by default into the temporary folder."""
    library.require(dataset)
    return Path(_child.answer("convert", dataset=dataset, to=to, out=out))


def estimate(config: dict[str, Any]) -> dict[str, Any]:
    """What engine.training.estimate foretells; never raises for a bad option."""
    try:
        library.require(str(config.get("dataset") or ""))
    except UserError as error:
        return {"reasons": [{"field": error.field} | error.sentence._asdict()]}
    return _child.answer("estimate", config=config)


def close() -> None:
    _child.close()


def _warm_up() -> Iterator[bool]:
    import peft  # noqa: F401
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: F401

    yield True


def _inspect(dataset: str, model_name_or_path: str, **options: Any) -> Iterator[dict[str, Any]]:
    from engine.dataset.inspect import inspect as report
    from engine.library import resolve

    path = resolve(dataset)
    tokenizer, note = _tokenizer(model_name_or_path)
    yield report(path, tokenizer, **options) | {"template_note": note and note._asdict()}


@lru_cache(maxsize=2)
def _tokenizer(model_name_or_path: str) -> tuple[Any, Any]:
    from engine.models.load import load_tokenizer

    return load_tokenizer(model_name_or_path)


def _table(dataset: str, start: int, count: int) -> Iterator[dict[str, Any]]:
    from engine.dataset.inspect import table_page
    from engine.library import resolve

    yield table_page(resolve(dataset), start, count)


def _convert(dataset: str, to: str, out: str | None) -> Iterator[str]:
    from engine.dataset.convert import convert as write
    from engine.library import resolve

    path = resolve(dataset)
    folder = tempfile.mkdtemp(prefix="greenroom-")
    target = Path(out) if out else Path(folder) / f"{path.stem}.{to}.jsonl"
    write(path, to, target)
    yield str(target)


def _estimate(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    from engine.training.estimate import estimate as foretell

    yield foretell(config)


if __name__ == "__main__":
    serve(
        {
            "warm_up": _warm_up,
            "inspect": _inspect,
            "table": _table,
            "convert": _convert,
            "estimate": _estimate,
        }
    )
