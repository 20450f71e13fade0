"""The merged model: what plain Transformers loads is what base and adapter say together."""

import errno
import json
import shutil
from collections import namedtuple

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from engine.config import TrainConfig
from engine.errors import UserError
from engine.export import exporting, merge, plan
from engine.export.exporting import export
from engine.export.source import find
from engine.models.adapter import attach

IDS = torch.tensor([[5, 9, 300, 41, 7]])


def plain(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@torch.inference_mode()
def logits(model):
    return model(IDS).logits


def test_plain_transformers_loads_what_base_and_adapter_say(
    adapter, tiny_model_folder, exported, tmp_path
):
    """float32: logits and state as of PEFT's model, not as of the base; with all that a voice
    needs, and nothing left beside it."""
    facts = exported(adapter, "merged", tmp_path / "out", dtype="float32")
    written, base = plain(tmp_path / "out"), plain(tiny_model_folder)
    before = logits(base)
    torch.testing.assert_close(logits(written), logits(PeftModel.from_pretrained(base, adapter)))
    assert (logits(written) - before).abs().max() > 1
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert tokenizer.chat_template == AutoTokenizer.from_pretrained(adapter).chat_template
    assert written.generation_config.eos_token_id == tokenizer.eos_token_id == 2
    assert {one: facts[one] for one in ("state", "to", "precision", "path")} == {
        "state": "done",
        "to": "merged",
        "precision": "float32",
        "path": str(tmp_path / "out"),
    }
    check = facts["check"]
    assert (check["passed"], check["prompts"], check["equal_answers"]) == (True, 4, 4)
    assert check["largest_difference"] < 1e-5 < 1e-1 < check["from_base"]
    assert json.loads((tmp_path / "out" / "export.json").read_text()) == facts
    assert [one.name for one in tmp_path.glob("out*")] == ["out"]


@pytest.mark.parametrize("to", ["merged", "gguf"])
def test_what_is_written_ends_where_its_base_ends(
    make_adapter, tiny_model_folder, exported, tmp_path, to
):
    """At each token of the base's generation_config.json, beside that of the adapter's training."""
    base = shutil.copytree(tiny_model_folder, tmp_path / "base")
    file = base / "generation_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"eos_token_id": [0, 1]}))
    exported(make_adapter(tmp_path / "mara", 1, str(base)), to, tmp_path / "out")
    if to == "merged":
        assert plain(tmp_path / "out").generation_config.eos_token_id == [0, 1, 2]
        return
    lines = (tmp_path / "out" / "Modelfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("PARAMETER stop")] == [
        'PARAMETER stop "<|endoftext|>"',
        'PARAMETER stop "<|im_end|>"',
        'PARAMETER stop "<|im_start|>"',
    ]


def test_it_is_stored_as_the_checkpoint_is(adapter, tiny_model_folder, exported, tmp_path):
    """auto: the base's own precision; bfloat16 when asked for, rounded once from float32."""
    facts = exported(adapter, "merged", tmp_path / "own")
    assert facts["precision"] == "float32"
    facts = exported(adapter, "merged", tmp_path / "half", dtype="bfloat16")
    assert facts["precision"] == "bfloat16"
    wide = load_file(tmp_path / "own" / "model.safetensors")
    half = load_file(tmp_path / "half" / "model.safetensors")
    assert {one.dtype for one in half.values()} == {torch.bfloat16}
    assert all(torch.equal(half[name], wide[name].bfloat16()) for name in wide)
    assert 0 < facts["check"]["largest_difference"] < facts["check"]["tolerance"]


def test_large_models_are_written_in_shards(adapter, exported, tmp_path, monkeypatch):
    monkeypatch.setattr(merge, "SHARD", "300KB")
    exported(adapter, "merged", tmp_path / "out")
    index = json.loads((tmp_path / "out" / "model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) == len(list((tmp_path / "out").glob("model-*")))
    assert len(set(index["weight_map"].values())) > 1
    plain(tmp_path / "out")


@pytest.mark.parametrize(
    "options",
    [
        {"use_dora": True},
        {"use_rslora": True},
        {"peft_type": "adalora"},
        {"peft_type": "ia3"},
        {"peft_type": "loha"},
        {"peft_type": "lokr"},
        {"peft_type": "oft", "oft_block_size": 8},
    ],
    ids=str,
)
def test_every_method_that_changes_weights(
    options, tiny_model_folder, tokenizer, exported, tmp_path
):
    torch.manual_seed(0)
    config = TrainConfig(model_name_or_path=str(tiny_model_folder), lora_r=4, **options)
    model = attach(plain(tiny_model_folder), config, total_step=10)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and "ranknum" not in name:
            parameter.data += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(tmp_path / "adapter")
    tokenizer.save_pretrained(tmp_path / "adapter")
    facts = exported(tmp_path / "adapter", "merged", tmp_path / "out", dtype="float32")
    assert facts["check"]["passed"], facts["check"]
    assert facts["check"]["from_base"] > 1e-2


@pytest.mark.parametrize("method", ["prompt_tuning", "p_tuning", "prefix_tuning"])
def test_what_changes_no_weight_is_refused(method, tiny_model_folder, tmp_path):
    config = TrainConfig(model_name_or_path=str(tiny_model_folder), peft_type=method)
    attach(plain(tiny_model_folder), config).save_pretrained(tmp_path / "adapter")
    with pytest.raises(UserError, match=f"{method} learns tokens .* nothing to merge"):
        list(export(find(str(tmp_path / "adapter")), "merged", tmp_path / "out"))
    assert not list(tmp_path.glob("out*"))


def test_a_fully_tuned_model_is_copied(tiny_model_folder, tokenizer, exported, tmp_path):
    """Its weights to the bit; the base that it is told from is the card's."""
    torch.manual_seed(3)
    model = plain(tiny_model_folder)
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    folder = tmp_path / "full"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "greenroom.json").write_text(json.dumps({"base_model": str(tiny_model_folder)}))
    facts = exported(folder, "merged", tmp_path / "out")
    assert facts["check"]["passed"]
    mine, theirs = (load_file(one / "model.safetensors") for one in (folder, tmp_path / "out"))
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_a_failed_check_deletes_nothing_and_is_not_called_done(
    adapter, exported, tmp_path, monkeypatch
):
    """Here merging leaves the adapter out, as a wrong library might: the result is the base."""
    good = exported(adapter, "merged", tmp_path / "out")
    monkeypatch.setattr(
        PeftModel, "merge_and_unload", lambda self, **_: self.unload(), raising=False
    )
    facts = exported(adapter, "merged", tmp_path / "out")
    assert (facts["state"], facts["check"]["passed"]) == ("failed check", False)
    assert facts["path"] == str(tmp_path / "out-failed-check")
    assert (tmp_path / "out-failed-check" / "model.safetensors").is_file()
    assert "Failed check: what was written does not speak as base and adapter do" in (
        tmp_path / "out-failed-check" / "README.md"
    ).read_text(encoding="utf-8")
    assert json.loads((tmp_path / "out" / "export.json").read_text()) == good


def test_one_forgotten_module_is_seen(adapter, exported, tmp_path, monkeypatch):
    """Even in bfloat16, whose tolerance is wide: the check computes in float32."""

    def forgetful(self, **_):
        for name, module in self.named_modules():
            if name.endswith("layers.0.self_attn.o_proj"):
                module.scaling["default"] = 0.0
        return self.base_model.merge_and_unload()

    monkeypatch.setattr(PeftModel, "merge_and_unload", forgetful, raising=False)
    facts = exported(adapter, "merged", tmp_path / "out", dtype="bfloat16")
    assert not facts["check"]["passed"]


def test_a_disk_that_is_too_small_is_said_before(adapter, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 10, 100))
    with pytest.raises(UserError, match=r"needs 0\.0 GiB on the disk of .* free some room"):
        list(export(find(str(adapter)), "merged", tmp_path / "out"))


def test_memory_that_is_too_small_is_said_before(adapter, tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "free_gib", lambda device: 0.0)
    with pytest.raises(UserError, match="unload the chat, wait for runs to end"):
        list(export(find(str(adapter)), "merged", tmp_path / "out"))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "is full, so nothing was exported"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "Memory ran out, so nothing"),
    ],
)
def test_what_breaks_off_leaves_nothing_behind(error, words, adapter, tmp_path, monkeypatch):
    """A disk that fills up on the way, memory that ends."""

    def breaks(*_, **__):
        (tmp_path / "out.new" / "half.safetensors").write_bytes(b"half")
        raise error
        yield

    monkeypatch.setattr(exporting, "merge", breaks)
    with pytest.raises(UserError, match=words):
        list(export(find(str(adapter)), "merged", tmp_path / "out"))
    assert list(tmp_path.glob("out*")) == []


def test_only_an_export_is_replaced(adapter, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match="was not written by an export"):
        list(export(find(str(adapter)), "merged", tmp_path / "mine"))
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"
