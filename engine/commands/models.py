"""`models`: which bases are here; what is known of one; its download."""

import argparse
import sys
from typing import Any

from engine.commands.reporting import show


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", nargs="?", metavar="ID", help="of the Hub, or modelscope:ID; without: what is here"
    )
    parser.add_argument("--download", action="store_true", help="fetch it; goes on where it ended")


def run(options: argparse.Namespace) -> int:
    if options.model is None:
        return _list(options)
    if options.download:
        download(options.model)
    from engine.models.sources.facts import look

    show(options, look(options.model))
    return 0


def _list(options: argparse.Namespace) -> int:
    from engine.models.sources.cache import models_here

    found = models_here()
    if options.json:
        show(options, {"here": [one._asdict() for one in found]})
        return 0
    for one in found:
        print(f"{one.gib:8.2f} GiB  {one.name}")
    if not found:
        print("No model of the Hub is here yet; sprout always is.")
    return 0


def download(name: str) -> None:
    """Fetches what is missing of a base, if anything is. Standard error says how far it is, on one
    line where that is a terminal."""
    from engine.models.sources.fetch import fetch, said

    end = "\r" if sys.stderr.isatty() else "\n"
    progress: dict[str, Any] | None = None
    try:
        for progress in fetch(name):
            print(f"{said(progress).en:<78}", end=end, file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        from engine.errors import UserError

        raise UserError(
            "\nStopped. What has arrived is kept; the same command goes on from there.",
            "\n已停止。已下载的部分会保留，再次执行同样的命令会接着下载。",
        ) from None
    if progress and end == "\r":
        print(file=sys.stderr)
