"""`export`: what was trained leaves, checked."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.commands.reporting import show
from engine.errors import UserError
from engine.export.plan import DTYPES, QUANTIZATIONS
from engine.export.source import Source, find

_FAILED = 1


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--adapter", required=True, help="a run's id, or an adapter's folder")
    parser.add_argument("--to", required=True, choices=("merged", "gguf", "hub", "zip"))
    parser.add_argument("--out", help="the folder that is written, or the zip; not for an adapter")
    parser.add_argument("--dtype", default="auto", choices=DTYPES, help="of the merged model")
    parser.add_argument("--quantization", default="q8_0", choices=QUANTIZATIONS, help="of a GGUF")
    parser.add_argument(
        "--what",
        default="adapter",
        choices=("adapter", "merged", "gguf"),
        help="goes to the Hub or into the zip; the latter two as --out FOLDER has them, or gets",
    )
    parser.add_argument("--repo-id", default="", help="owner/name on the Hub")
    parser.add_argument("--public", action="store_true", help="on the Hub; private otherwise")


def run(options: argparse.Namespace) -> int:
    """Exit status 1 also for what failed its check. The token is that of HF_TOKEN or of a login."""
    source = find(options.adapter)
    if options.to == "zip":
        return _zip(options, source)
    if options.to == "hub":
        return _hub(options, source)
    return _folder(options, source, options.to)


def _folder(options: argparse.Namespace, source: Source, to: str) -> int:
    from engine.export.exporting import export

    steps = export(source, to, _out(options), options.dtype, options.quantization)
    facts = _told(steps)["result"]
    show(options, facts)
    if facts["state"] == "done":
        return 0
    print(facts["said"]["en"], file=sys.stderr)
    return _FAILED


def _zip(options: argparse.Namespace, source: Source) -> int:
    from engine.export import made, zipped

    target = _out(options)
    if options.what == "adapter":
        if target.suffix != ".zip":
            target = target.with_name(target.name + ".zip")
        zipped.adapter_of(source, target)
    else:
        if not made.facts_of(target) and (status := _folder(options, source, options.what)):
            return status
        made.require_done(target)
        folder, target = target, target.with_name(target.name + ".zip")
        _told(zipped.folder_as(folder, target))
    show(options, {"path": str(target), "bytes": target.stat().st_size})
    return 0


def _hub(options: argparse.Namespace, source: Source) -> int:
    from engine.export import made
    from engine.export.exporting import export
    from engine.export.hub import check_name, send

    check_name(options.repo_id)
    out = Path() if options.what == "adapter" else _out(options)
    if options.what != "adapter" and not made.facts_of(out):
        _told(export(source, options.what, out, options.dtype, options.quantization))
    steps = send(source, options.what, out, options.repo_id, public=options.public)
    show(options, _told(steps)["result"])
    return 0


def _out(options: argparse.Namespace) -> Path:
    if not options.out:
        raise UserError(
            "--out is missing; say where it shall be written.",
            "缺少 --out；请说明写到哪里。",
            field="out",
        )
    return Path(options.out).expanduser().resolve()


def _told(steps: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """The last step; what is being done is said on stderr, once each."""
    doing, step = "", {}
    for step in steps:
        if step.get("doing", doing) != doing:
            doing = step["doing"]
            print(f"{doing} ...", file=sys.stderr, flush=True)
    return step
