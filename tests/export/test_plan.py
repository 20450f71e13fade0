"""What an export needs, said before it begins."""

import json

import pytest
import torch

from engine.errors import UserError
from engine.export import plan
from engine.export.source import find, of_run
from engine.hardware import GIB


def test_what_each_way_needs(run):
    """Sizes by parameters and precision: q8_0 takes 34 bytes for 32 weights."""
    found = plan.outlook(of_run(run.id))
    assert list(found) == ["merged", "q8_0", "f16", "bf16"]
    parameters = 6400 * 32 + 2 * (3 * 32 * 64 + 2 * 32 * 32 + 2 * 16 * 32 + 2 * 16 + 2 * 32) + 32
    sizes = {name: round(one["size_gib"] * GIB) for name, one in found.items()}
    assert sizes == {
        "merged": 4 * parameters,
        "q8_0": round(parameters * 34 / 32),
        "f16": 2 * parameters,
        "bf16": 2 * parameters,
    }
    assert {one["dtype"] for one in found.values()} == {"float32"}
    assert found["q8_0"]["disk_gib"] == pytest.approx(1.02 * (4 + 34 / 32) * parameters / GIB)
    assert found["f16"]["memory_gib"] > found["merged"]["memory_gib"]


def test_where_float32_does_not_fit_it_is_merged_as_it_is_stored(run, monkeypatch):
    room = plan.needs(of_run(run.id), "merged", "bfloat16")
    assert room.device.dtype == torch.float32
    monkeypatch.setattr(plan, "free_gib", lambda device: room.memory_gib - 0.0001)
    tight = plan.needs(of_run(run.id), "merged", "bfloat16")
    assert (tight.device.dtype, tight.dtype) == (torch.bfloat16, torch.bfloat16)
    assert tight.memory_gib < room.memory_gib


@pytest.mark.parametrize(
    ("field", "value"), [("dtype", "float64"), ("quantization", "q4_k_m"), ("dtype", "__class__")]
)
def test_unknown_precisions_are_refused(field, value, run):
    with pytest.raises(UserError, match=f"{field} is '{value}'; choose one of") as refused:
        plan.needs(of_run(run.id), "gguf", **{field: value})
    assert refused.value.field == field


def test_a_base_that_is_stored_quantised_is_refused(run, tiny_model_folder, tmp_path):
    """There is no full precision to go back to."""
    config = json.loads((tiny_model_folder / "config.json").read_text())
    base = tmp_path / "small"
    base.mkdir()
    quantised = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    text = json.dumps(config | {"quantization_config": quantised})
    (base / "config.json").write_text(text)
    (base / "model.safetensors").write_bytes(b"")
    card = {"base_model": str(base)}
    (run.path / "adapter" / "greenroom.json").write_text(json.dumps(card))
    found = plan.outlook(of_run(run.id))
    assert list(found) == ["merged", "gguf"]
    for one in found.values():
        assert "is itself stored quantised, so it has no full precision" in one["refused"].en


def test_an_adapter_is_found_by_id_run_or_folder(run, adapter):
    for asked in (run.id, str(run.path), str(run.path / "adapter")):
        source = find(asked)
        assert (source.run.id, source.folder) == (run.id, run.path / "adapter")
        assert (source.method, source.name) == ("lora", "calm <b>otter</b>")
    alone = find(str(adapter))
    assert (alone.run, alone.name) == (None, "mara")
    with pytest.raises(UserError, match="There is no run 'no-such-dead'"):
        find("no-such-dead")
