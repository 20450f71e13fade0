"""`convert`: a dataset in another format."""

import argparse
from pathlib import Path

from engine.commands.inspect import add_reading
from engine.commands.reporting import show
from engine.errors import UserError


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file")
    parser.add_argument("--to", required=True)
    parser.add_argument("--out", required=True)
    add_reading(parser)


def run(options: argparse.Namespace) -> int:
    from engine.dataset import opened
    from engine.dataset.making.convert import convert
    from engine.dataset.making.losses import dropped, told
    from engine.library import resolve

    path, out = resolve(options.file), Path(options.out)
    _check_it_is_another(path, out)
    found = opened.conversations(path, options.mapping, options.speaker)
    done = convert(found, options.to, out, opened.table(path))
    report = {
        "rows": done.rows,
        "out": options.out,
        "lost": [one.en for one in told(found, done.lost)],
        "dropped": [{"reason": one.en, "rows": rows} for one, rows in dropped(found).items()],
    }
    show(options, report)
    return 0


def _check_it_is_another(path: Path, out: Path) -> None:
    """Whatever the path is spelt like, or linked to. Raises UserError (field "out")."""
    if out.exists() and out.samefile(path):
        raise UserError(
            f"{out} is the file that is converted, and would be lost. Choose another name.",
            f"{out} 就是要转换的文件，写入会毁掉它。请换一个名字。",
            field="out",
        )
