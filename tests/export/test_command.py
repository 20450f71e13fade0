"""`python -m engine export`: every way out, one JSON document, a status that tells."""

import json
import zipfile

import pytest
from peft import PeftModel

from engine.__main__ import main


@pytest.fixture
def ask(capsys):
    """ask(argument, ..): exit status, what stdout's one JSON document says, stderr."""

    def export(*arguments):
        status = main(["export", *map(str, arguments), "--json"])
        said = capsys.readouterr()
        return status, json.loads(said.out) if said.out else None, said.err

    return export


def test_merged_then_zipped(ask, adapter, tmp_path):
    """What is being done goes to stderr; a zip takes what was merged, and does not merge again."""
    out = tmp_path / "out"
    asked = ("--adapter", adapter, "--out", out)
    status, facts, err = ask(*asked, "--to", "merged", "--dtype", "float16")
    assert (status, facts["state"], facts["precision"]) == (0, "done", "float16")
    assert [one for one in err.split("\n") if one.endswith(" ...")] == [
        *("planning ...", "loading ...", "listening ...", "merging ...", "writing ..."),
        "checking ...",
    ]
    status, report, err = ask(*asked, "--to", "zip", "--what", "merged")
    assert (status, report["path"]) == (0, f"{out}.zip")
    assert "loading" not in err
    with zipfile.ZipFile(f"{out}.zip") as archive:
        assert {"model.safetensors", "README.md", "export.json"} <= set(archive.namelist())


def test_an_adapter_as_a_zip(ask, run, tmp_path):
    status, report, _ = ask("--adapter", run.id, "--to", "zip", "--out", tmp_path / "mine")
    assert (status, report["path"]) == (0, str(tmp_path / "mine.zip"))
    assert report["bytes"] == (tmp_path / "mine.zip").stat().st_size


def test_a_failed_check_is_status_1(ask, adapter, tmp_path, monkeypatch):
    def forgets_all(self, **_):
        return self.unload()

    monkeypatch.setattr(PeftModel, "merge_and_unload", forgets_all, raising=False)
    asked = ("--adapter", adapter, "--out", tmp_path / "out")
    status, facts, err = ask(*asked, "--to", "merged")
    assert (status, facts["state"]) == (1, "failed check")
    assert "Failed check: what was written does not speak as base and adapter do." in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--to", "merged"), "--out is missing"),
        (("--to", "hub", "--repo-id", "a b"), "is no name for a model on the Hub"),
        (("--to", "hub", "--repo-id", "me/x"), "paste a token that may write"),
    ],
)
def test_a_mistake_is_status_2_and_a_sentence(arguments, words, ask, adapter, monkeypatch):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    status, report, err = ask("--adapter", adapter, *arguments)
    assert (status, report) == (2, None)
    assert words in err
