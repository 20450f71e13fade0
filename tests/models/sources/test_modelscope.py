"""ModelScope through its own library, of which a stand-in with the same two calls is here."""

import json
import sys
import types

import pytest

from engine.errors import UserError
from engine.hardware import GIB
from engine.models.sources import cache, modelscope
from engine.models.sources.facts import look
from engine.models.sources.fetch import fetch, folder_here

NAME = "modelscope:ZhipuAI/tiny"


@pytest.fixture
def shelf(hub_server, monkeypatch, tiny_model_folder):
    """What the stand-in holds, and what was asked of it."""
    files = {one.name: one.read_bytes() for one in tiny_model_folder.iterdir()}
    held = types.SimpleNamespace(files=files | {"modeling_own.py": b"1/0"}, asked=[])

    def get_model_files(self, model_id, recursive=True):
        if model_id != "ZhipuAI/tiny":
            raise ValueError(f"no repository {model_id}")
        folder = {"Path": "assets", "Size": 0, "Type": "tree"}
        return [folder, *({"Path": n, "Size": len(c)} for n, c in held.files.items())]

    def snapshot_download(model_id, local_dir, allow_patterns):
        held.asked.append(sorted(allow_patterns))
        from pathlib import Path

        Path(local_dir).mkdir(parents=True, exist_ok=True)
        for name in allow_patterns:
            (Path(local_dir) / name).write_bytes(held.files[name])

    api = types.ModuleType("modelscope.hub.api")
    api.HubApi = type("HubApi", (), {"get_model_files": get_model_files})
    top = types.ModuleType("modelscope")
    top.snapshot_download = snapshot_download
    top.__spec__ = types.SimpleNamespace(name="modelscope")
    for name, module in {
        "modelscope": top,
        "modelscope.hub": types.ModuleType("modelscope.hub"),
        "modelscope.hub.api": api,
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    return held


def test_facts_then_config_then_all_of_it(shelf, tiny_model_folder):
    """No program is asked for, and once it is here nobody is asked."""
    fetched = sorted(one.name for one in tiny_model_folder.iterdir())
    gib = sum(one.stat().st_size for one in tiny_model_folder.iterdir()) / GIB
    said = look(NAME)
    assert said["gib"] == gib
    assert (said["here"], said["here_gib"], said["licence"]) == (False, 0.0, "")
    assert said["page"] == "https://modelscope.cn/models/ZhipuAI/tiny"
    folder = folder_here(NAME, whole=False)
    small = [name for name in fetched if name != "model.safetensors"]
    assert shelf.asked == [small]
    assert json.loads((folder / "config.json").read_text())["model_type"] == "qwen3"
    list(fetch(NAME))
    assert shelf.asked[-1] == fetched
    assert look(NAME) == {"model": NAME, "here": True, "gib": gib, "here_gib": gib}
    assert cache.models_here() == [(NAME, gib)]
    asked = len(shelf.asked)
    assert folder_here(NAME, whole=True) == folder == modelscope.folder_of("ZhipuAI/tiny")
    assert len(shelf.asked) == asked


def test_what_the_library_complains_about_is_a_sentence(shelf):
    with pytest.raises(UserError, match=r"could not be had from ModelScope \(ValueError: no rep"):
        look("modelscope:nobody/nothing")


def test_without_the_library_the_sentence_says_how_to_get_it(hub_server, monkeypatch):
    monkeypatch.setattr(modelscope.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="run pip install modelscope, or take the model from") as e:
        folder_here(NAME, whole=False)
    assert e.value.field == "model_name_or_path"


@pytest.mark.parametrize("name", ["modelscope:", "modelscope:one", "modelscope:../a/b"])
def test_what_is_no_id_of_modelscope(hub_server, name):
    with pytest.raises(UserError, match="nor modelscope:owner/name; check its spelling"):
        look(name)
