"""Zips: all that is needed, nothing of training, nothing of this machine."""

import json
import shutil
import zipfile
from collections import namedtuple

import pytest

from engine.config import TrainConfig
from engine.errors import UserError
from engine.export import zipped
from engine.export.source import of_run
from engine.training import run_changes, runs
from engine.training.report import write_report


def contents(file):
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_an_adapter_leaves_training_and_this_machine_behind(run, adapter):
    """No optimiser, no other file; no absolute path, neither in its configs nor in its card."""
    folder = run.path / "adapter"
    for name in ("optimizer.pt", "scheduler.pt", "trainer_state.json", "notes.txt"):
        (folder / name).write_text("of training")
    found = contents(zipped.adapter(run.id))
    assert sorted(found) == [
        *("README.md", "adapter_config.json", "adapter_model.safetensors", "chat_template.jinja"),
        *("curves.svg", "greenroom.json", "tokenizer.json", "tokenizer_config.json"),
    ]
    weights = (adapter / "adapter_model.safetensors").read_bytes()
    assert found["adapter_model.safetensors"] == weights
    assert json.loads(found["adapter_config.json"])["base_model_name_or_path"] == "tiny"
    assert json.loads(found["greenroom.json"])["base_model"] == "tiny"
    place = str(run.config.model_name_or_path).rpartition("/")[0].encode()
    assert [name for name, read in found.items() if place in read] == []


def test_a_run_without_an_adapter_is_a_sentence():
    path = runs.create(TrainConfig(dataset="x"))
    with pytest.raises(UserError, match="has no adapter yet"):
        zipped.adapter(path.name)


def test_a_report_holds_what_a_colleague_needs(run):
    with pytest.raises(UserError, match="has no report yet"):
        zipped.report(run.id)
    write_report(run.path)
    assert list(contents(zipped.report(run.id))) == [
        *("report.md", "report.zh.md", "curves.svg", "curves.zh.svg", "config.yaml")
    ]


def test_a_report_is_under_the_present_name(run):
    """In what is packed and what is shown; all else stays as it was written."""
    write_report(run.path)
    written = (run.path / "report.zh.md").read_text(encoding="utf-8")
    run_changes.rename(run.id, "my *best*")
    packed = contents(zipped.report(run.id))
    told = packed["report.zh.md"].decode()
    assert told == runs.report(run.id, "zh")
    assert told.split("\n", 1) == ["# my \\*best\\*", written.split("\n", 1)[1]]
    assert packed["report.md"].startswith(b"# my")


def test_a_folder_is_packed_piece_by_piece(tmp_path, monkeypatch):
    """How far it is, in GiB; weights are stored, text is deflated."""
    monkeypatch.setattr(zipped, "_PIECE", 1000)
    folder = tmp_path / "merged"
    (folder / "in").mkdir(parents=True)
    (folder / "a.safetensors").write_bytes(b"w" * 2500)
    (folder / "in" / "b.json").write_bytes(b"{}" * 250)
    steps = list(zipped.folder_as(folder, tmp_path / "x.zip"))
    assert [round(one["gib"] * 1024**3) for one in steps] == [1000, 2000, 2500, 3000]
    assert contents(tmp_path / "x.zip") == {"a.safetensors": b"w" * 2500, "in/b.json": b"{}" * 250}
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert [one.compress_type for one in archive.infolist()] == [0, 8]


def test_a_disk_without_room_is_a_sentence_and_leaves_nothing(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 10, 3))
    (tmp_path / "merged").mkdir()
    (tmp_path / "merged" / "a").write_bytes(b"1234")
    with pytest.raises(UserError, match=r"The zip needs 0\.0 GiB on the disk of"):
        list(zipped.folder_as(tmp_path / "merged", tmp_path / "x.zip"))
    assert not (tmp_path / "x.zip").exists()


def test_an_export_is_packed_by_its_run(run):
    folder = run.path / "export" / "merged"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"1234")
    *_, last = zipped.exported(folder)
    assert last["file"].name == f"{run.id}-merged.zip"
    assert contents(last["file"]) == {"model.safetensors": b"1234"}
    assert of_run(run.id).run.id == run.id
