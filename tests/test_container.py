"""The Dockerfile copies what is there and what the app needs, and starts it as README says."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def lines(instruction):
    """What follows an instruction each time, its continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return re.findall(rf"^{instruction} +(.*)$", text, re.MULTILINE)


def copied():
    words = [[one for one in line.split() if not one.startswith("--")] for line in lines("COPY")]
    return {source for *sources, _ in words for source in sources}


def environment():
    return dict(word.split("=", 1) for line in lines("ENV") for word in line.split())


def test_it_copies_only_what_is_there():
    assert copied() == {"requirements.txt", "app.py", "LICENSE", "data", "engine", "ui"}
    assert [one for one in copied() if not (ROOT / one).exists()] == []


def test_the_context_is_what_is_copied():
    """.dockerignore leaves everything out but that; one more name would let a folder of runs in."""
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    rules = [one for one in rules if one and not one.startswith("#")]
    assert rules[0] == "*"
    assert {one.removeprefix("!") for one in rules if one.startswith("!")} == copied()


def test_it_starts_as_the_readme_says():
    (command,) = lines("CMD")
    start = re.search(
        r"^## Start\n\n    pip install -r requirements.txt\n    (.*)$",
        (ROOT / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert " ".join(json.loads(command)) == start[1]
    assert "pip install --no-cache-dir -r requirements.txt" in lines("RUN")


def test_user_port_and_places_are_those_of_a_docker_space():
    assert lines("USER") == ["1000"]
    assert lines("EXPOSE") == ["7860"]
    assert environment() == {
        "GRADIO_SERVER_NAME": "0.0.0.0",
        "GRADIO_SERVER_PORT": "7860",
        "HF_HOME": "/data/huggingface",
        "RUNS_DIR": "/data/runs",
        "PYTHONUNBUFFERED": "1",
    }
