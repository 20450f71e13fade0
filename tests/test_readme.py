"""The README is true: its tree names every file, its table is the options'."""

import re
from collections import Counter
from pathlib import Path

import pytest

from engine.config import TrainConfig
from engine.options.declare import markdown_table

ROOT = Path(__file__).resolve().parent.parent
FILES = [ROOT / "app.py", *(ROOT / "engine").rglob("*.py"), *(ROOT / "ui").rglob("*.py")]


def tree():
    """Names in the code block in which app.py stands, each with its phrase behind it."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    block = next(one for one in blocks if re.search(r"^\W*app\.py\s", one, re.MULTILINE))
    lines = (re.match(r"\W*([\w./-]+)\s+(\S.*)", line) for line in block.splitlines())
    return Counter(line[1].rstrip("/").rsplit("/", 1)[-1] for line in lines if line)


def test_every_file_stands_in_the_tree_with_a_phrase():
    """Files of one name stand there as often as they are; an __init__.py is its folder's line."""
    files = [path for path in FILES if "__pycache__" not in path.parts]
    wanted = Counter(p.parent.name if p.name == "__init__.py" else p.name for p in files)
    assert sorted((wanted - tree()).elements()) == []


def test_the_tree_names_no_file_that_is_gone():
    folders = [ROOT / name for name in ("engine", "ui", "tests", "data")]
    known = {path.name for folder in folders for path in folder.rglob("*.py")} | {"app.py"}
    assert sorted({name for name in tree() if name.endswith(".py")} - known) == []


@pytest.mark.parametrize(("name", "language"), [("README.md", "en"), ("README.zh.md", "zh")])
def test_the_option_table_is_generated(name, language):
    text = (ROOT / name).read_text(encoding="utf-8")
    written = re.search(r"<!-- options -->\n(.*?)\n<!-- /options -->", text, re.DOTALL)
    assert written[1].strip() == markdown_table(TrainConfig, language)
