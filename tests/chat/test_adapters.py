"""Whose adapter may speak, found by what a person chose or typed."""

import json
from pathlib import Path

import pytest

from engine.__main__ import main
from engine.chat import adapters
from engine.chat.adapters import common_base, find, known
from engine.chat.voices import Voices
from engine.config import TrainConfig
from engine.errors import UserError
from engine.models.load import Quantization, locate
from engine.places import DATA_DIR
from engine.training import checkpoints, runs


@pytest.fixture
def run(make_adapter):
    """run(**options): one with an adapter, two whole checkpoints and one that is being written."""

    def make(**options):
        path = runs.create(TrainConfig(system_prompt="You are Mara.", **options))
        (path / "name").write_text("calm-otter", encoding="utf-8")
        make_adapter(path / "adapter", 1)
        for step in (40, 100, 120):
            make_adapter(path / f"checkpoint-{step}", step)
            (path / f"checkpoint-{step}/greenroom.json").unlink()
            if step != 120:
                checkpoints.seal(path / f"checkpoint-{step}", {})
        return path

    return make


def test_a_run_and_the_checkpoints_that_it_kept(run):
    path = run()
    voice = f"{path.name}/checkpoint-40"
    assert known() == [
        (path.name, "calm-otter", 0),
        (f"{path.name}/checkpoint-100", "calm-otter", 100),
        (voice, "calm-otter", 40),
    ]
    found = find(voice)
    assert (found.folder, found.step, found.name) == (path / "checkpoint-40", 40, "calm-otter")
    assert (found.base, found.system_prompt, found.method) == ("sprout", "You are Mara.", "LoRA")
    assert (find(path.name).folder, find(path.name).step) == (path / "adapter", 0)


@pytest.mark.parametrize("step", [120, 7])
def test_a_checkpoint_that_is_not_whole_or_not_there_is_a_sentence(run, step):
    with pytest.raises(UserError, match=f"does not keep checkpoint-{step}") as raised:
        find(f"{run().name}/checkpoint-{step}")
    assert raised.value.field == "adapter"


def test_a_checkpoint_speaks_on_the_hub_base_of_its_run(run, hub_server, tiny_model_folder, cpu):
    """PEFT names that base by the folder of this machine's cache."""
    hub_server.add_folder("some/base", tiny_model_folder)
    checkpoint = run(model_name_or_path="some/base") / "checkpoint-40"
    config = json.loads((checkpoint / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = locate("some/base")
    (checkpoint / "adapter_config.json").write_text(json.dumps(config))
    voices = Voices("some/base", cpu, Quantization())
    voices.use({"one": checkpoint})
    assert voices.names == ["base", "one"]


def test_checkpoints_that_do_not_fit_the_unchanged_base_are_not_offered(run):
    """PiSSA's: only at its end is such an adapter written so that the plain base takes it."""
    path = run(init_lora_weights="pissa")
    assert [voice for voice, _, _ in known()] == [path.name]
    with pytest.raises(UserError, match="begun with pissa; only what it ends with does"):
        find(f"{path.name}/checkpoint-40")


def test_a_broken_file_of_a_folder_is_a_sentence(make_adapter, tmp_path):
    folder = make_adapter(tmp_path / "cut", 1)
    for name in ("greenroom.json", "adapter_config.json"):
        (folder / name).write_text('{"peft_type')
        with pytest.raises(UserError, match=f"^{name} in .*cut is broken .*; copy the adapter"):
            find(str(folder))


@pytest.mark.parametrize(
    "typed",
    ["../x", "calm-otter-0000", "calm-otter-0000/checkpoint-1", "a/b/c", "x y", "", "a"]
    + ["~nobody-at-all/x"],
)
def test_what_is_nothing_is_a_sentence(typed):
    with pytest.raises(UserError, match="There is no run"):
        find(typed)


def test_a_folder_made_elsewhere_names_its_base(make_adapter, tmp_path, tiny_model_folder):
    folder = make_adapter(tmp_path / "lora.v2", 1, use_dora=True)
    (folder / "greenroom.json").unlink()
    found = find(str(folder))
    assert (found.base, found.system_prompt) == (str(tiny_model_folder), "")
    assert (found.name, found.method) == ("lora.v2", "DoRA")
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(
        json.dumps(config | {"base_model_name_or_path": None})
    )
    with pytest.raises(UserError, match="does not say which base it was trained on; write it"):
        find(str(folder))


def test_a_card_that_anybody_wrote_is_read_for_what_it_is(make_adapter, tmp_path):
    """What is of another kind than ours is as if it were not there."""
    folder = make_adapter(tmp_path / "mine", 1)
    card = json.loads((folder / "greenroom.json").read_text())
    for config in ([], "x", {"load_in_4bit": "no", "load_in_8bit": [1]}):
        odd = card | {"system_prompt": ["x"], "config": config}
        (folder / "greenroom.json").write_text(json.dumps(odd))
        found = find(str(folder))
        assert (found.system_prompt, found.load_in_4bit, found.load_in_8bit) == ("", False, False)


def test_one_of_the_hub_is_fetched_once_and_only_what_is_safe(
    make_adapter, tmp_path, monkeypatch, tiny_model_folder
):
    asked = []
    folder = make_adapter(tmp_path / "snapshot", 1)

    def fetch(hub_id, allow_patterns):
        asked.append((hub_id, allow_patterns))
        return str(folder)

    def in_cache(hub_id, name):
        return str(folder / name) if asked else None

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", in_cache)
    assert not adapters.is_here("some/adapter")
    found = find("some/adapter")
    assert (found.folder, found.base, found.name) == (folder, str(tiny_model_folder), "adapter")
    assert adapters.is_here("some/adapter")
    assert find("some/adapter") == found
    assert [one for one, _ in asked] == ["some/adapter"]
    endings = {Path(name).suffix for name in asked[0][1]}
    assert endings == {".json", ".safetensors", ".jinja"}
    assert not any("*" in name for name in asked[0][1])


def test_one_of_the_hub_that_cannot_be_had_is_a_sentence():
    """There is no network here."""
    with pytest.raises(UserError, match="The adapter some/adapter could not be fetched") as raised:
        find("some/adapter")
    assert raised.value.field == "adapter"


def test_voices_of_two_bases_are_refused_with_both_names(run, make_adapter, tmp_path):
    mine = find(run(load_in_4bit=True).name)
    other = find(str(make_adapter(tmp_path / "other", 1, base_model="Qwen/Qwen3-0.6B")))
    same = find(str(make_adapter(tmp_path / "same", 1, base_model=str(DATA_DIR / "sprout"))))
    assert common_base([mine, same]) == ("sprout", True, False)
    with pytest.raises(UserError) as raised:
        common_base([mine, same, other])
    assert str(raised.value) == (
        "calm-otter was trained on sprout and other on Qwen/Qwen3-0.6B; only voices of one base "
        "can speak together. Remove one of the two."
    )


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("adapter_config.json", "{}", "it names no peft_type"),
        ("adapter_config.json", '{"peft_type": null}', "it names no peft_type"),
        ("adapter_config.json", "[]", "it holds no object"),
        ("greenroom.json", "[]", "it holds no object"),
    ],
)
def test_a_folder_whose_files_say_nothing_is_a_sentence(
    make_adapter, tmp_path, capfd, name, content, why
):
    """Where a voice is chosen, and on the command line."""
    folder = make_adapter(tmp_path / "odd", 1)
    (folder / name).write_text(content)
    sentence = f"{name} in {folder} is broken ({why}); copy the adapter anew."
    with pytest.raises(UserError) as raised:
        find(str(folder))
    assert (str(raised.value), raised.value.field) == (sentence, "adapter")
    assert main(["chat", "--adapter", str(folder), "--prompt", "Hello"]) == 2
    said = capfd.readouterr().err
    assert said.splitlines()[-1] == sentence
    assert "Traceback" not in said
