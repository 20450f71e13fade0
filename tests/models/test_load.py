"""Bases: what is refused and why; and quantised ones whose gradients are right."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from engine.config import TrainConfig
from engine.errors import UserError
from engine.models import load
from engine.models.adapter import attach
from engine.models.load import (
    Quantization,
    empty_model,
    footprint_gib,
    load_base,
    load_config,
    load_tokenizer,
    locate,
    placement,
)
from engine.places import DATA_DIR


def test_a_hub_id_becomes_a_folder_here(hub_server, tiny_model_folder, cpu):
    """Its config comes without its weights."""
    hub_server.add_folder("org/a.b-c_d", tiny_model_folder)
    folder = Path(locate(" org/a.b-c_d "))
    assert load_config("org/a.b-c_d").hidden_size == 32
    assert not (folder / "model.safetensors").exists()
    assert load_base("org/a.b-c_d", cpu, Quantization()).config.hidden_size == 32
    assert (folder / "model.safetensors").is_file()
    assert locate("org/a.b-c_d", weights=True) == str(folder)


def test_sprout_and_a_folder_are_found(tiny_model_folder):
    assert locate("sprout") == str(DATA_DIR / "sprout")
    assert locate(str(tiny_model_folder)) == str(tiny_model_folder)


@pytest.mark.parametrize(
    "name", ["", "a/b/c", "../sprout", "/nowhere", "a b", "模型", "-x", "a\nb"]
)
def test_what_is_no_name_is_refused(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="is neither sprout, nor a folder") as raised:
        locate(name)
    assert raised.value.field == "model_name_or_path"


@pytest.fixture
def copied(tiny_model_folder, tmp_path):
    return shutil.copytree(tiny_model_folder, tmp_path / "copy")


def refusal(name):
    with pytest.raises(UserError) as raised:
        locate(str(name))
    assert raised.value.field == "model_name_or_path"
    return str(raised.value)


def test_a_folder_without_a_config(copied):
    (copied / "config.json").unlink()
    assert "has no config.json" in refusal(copied)


def test_a_broken_config(copied):
    for text in ('{"model_type": ', "[]"):
        (copied / "config.json").write_text(text)
        assert "config.json in" in refusal(copied)


def test_weights_in_another_format_are_refused(copied):
    (copied / "model.safetensors").rename(copied / "model.ckpt")
    assert "holds neither *.safetensors nor pytorch_model*.bin" in refusal(copied)


def as_bin(folder, what):
    (folder / "model.safetensors").unlink()
    torch.save(what, folder / "pytorch_model.bin")


def test_weights_in_torchs_own_format_are_read(copied, cpu):
    """The same weights to the last bit; with safetensors beside them, those are read."""
    expected = load_base(str(copied), cpu, Quantization()).state_dict()
    as_bin(copied, load_file(copied / "model.safetensors"))
    found = load_base(str(copied), cpu, Quantization()).state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


class Program:
    """What a pickle can do to whoever opens it."""

    def __init__(self, proof):
        self.proof = proof

    def __reduce__(self):
        return (open, (str(self.proof), "w"))


def test_weights_that_carry_a_program_are_refused_unrun(copied, cpu):
    as_bin(copied, {"model.norm.weight": torch.ones(32), "more": Program(copied / "ran")})
    with pytest.raises(UserError, match="is broken or holds more than weights, so it is not") as r:
        load_base(str(copied), cpu, Quantization())
    assert r.value.field == "model_name_or_path"
    assert not (copied / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"xx", b"PK\x03\x04"])
def test_a_broken_bin_is_a_sentence(copied, cpu, content):
    (copied / "model.safetensors").unlink()
    (copied / "pytorch_model.bin").write_bytes(content)
    with pytest.raises(UserError, match="pytorch_model.bin in .* is broken or holds more"):
        load_base(str(copied), cpu, Quantization())


@pytest.mark.parametrize(
    ("key", "value"), [("hidden_size", "wide"), ("intermediate_size", 65)], ids=str
)
def test_a_config_that_does_not_fit_is_a_sentence(copied, cpu, key, value):
    """Told by its type, or only by the weights."""
    config = json.loads((copied / "config.json").read_text()) | {key: value}
    (copied / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="cannot be loaded as a causal language model"):
        load_base(str(copied), cpu, Quantization())


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"model_type": "qwen2_5_vl"}, "Unrecognized configuration class"),  # sees pictures too
        ({"model_type": "t5"}, "Unrecognized configuration class"),
        ({"model_type": "hunyuan_v1_dense", "head_dim": None}, "unsupported operand"),
    ],
)
def test_a_config_of_which_no_causal_model_comes_is_a_sentence(copied, changes, why):
    file = copied / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    with pytest.raises(UserError, match=f"cannot be loaded as a causal language model: {why}"):
        empty_model(str(copied))


def test_broken_weights_are_a_sentence(copied, cpu):
    (copied / "model.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{nonsens")
    with pytest.raises(UserError, match="cannot be loaded as a causal language model"):
        load_base(str(copied), cpu, Quantization())


def test_a_model_of_unknown_type_is_a_sentence(copied):
    (copied / "config.json").write_text('{"model_type": "from_tomorrow"}')
    with pytest.raises(UserError, match="cannot be loaded as a causal language model") as raised:
        load_config(str(copied))
    assert raised.value.field == "model_name_or_path"


def test_a_model_that_brings_code_of_its_own_is_refused(copied, cpu):
    """Its code would write a file; it must not run."""
    proof = copied / "ran"
    (copied / "modeling_evil.py").write_text(f"open({str(proof)!r}, 'w')\n")
    (copied / "config.json").write_text(
        '{"model_type": "evil", "auto_map": {"AutoConfig": "modeling_evil.C", '
        '"AutoModelForCausalLM": "modeling_evil.M"}}'
    )
    with pytest.raises(UserError):
        load_base(str(copied), cpu, Quantization())
    assert not proof.exists()


def test_without_a_network_a_hub_model_is_a_sentence():
    with pytest.raises(UserError, match="is not on this machine, and the Hub is switched off") as e:
        load_tokenizer("nobody/nothing-at-all")
    assert e.value.field == "model_name_or_path"


def test_the_tokenizer_has_a_template_and_a_pad_token(copied):
    tokenizer, note = load_tokenizer(str(copied))
    assert (tokenizer.is_fast, note) == (True, None)
    (copied / "chat_template.jinja").unlink()
    bare, note = load_tokenizer(str(copied))
    assert "no chat template of its own" in note.en
    assert "User: " in bare.chat_template
    assert bare.pad_token_id is not None


def test_a_plain_base_is_float32_here(tiny_model_folder, cpu):
    model = load_base(str(tiny_model_folder), cpu, Quantization())
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    weights = 4 * sum(p.numel() for p in model.parameters())
    assert footprint_gib(model) * 2**30 == pytest.approx(weights, rel=0.01)


def test_attention_that_plans_for_each_length_is_off(tiny_model_folder, cpu):
    """cuDNN's: it takes masked attention on a Hopper and later."""
    torch.backends.cuda.enable_cudnn_sdp(True)
    load_base(str(tiny_model_folder), cpu, Quantization())
    assert not torch.backends.cuda.cudnn_sdp_enabled()


IDS = torch.tensor([[5, 9, 300, 41, 7, 2, 81, 600, 44, 1000, 31, 2]])
BITS = {"4-bit nf4": Quantization(load_in_4bit=True), "8-bit": Quantization(load_in_8bit=True)}


@pytest.fixture(scope="module")
def wide_folder(tmp_path_factory):
    """Wide enough for whole blocks of 64 weights, which is what a kernel repacks."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=1024,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=64,
        initializer_range=0.1,
        tie_word_embeddings=True,
    )
    folder = tmp_path_factory.mktemp("models") / "wide"
    Qwen3ForCausalLM(config).save_pretrained(folder)
    return folder


def with_adapter(model):
    """The same adapter on every model, with both of its halves away from zero."""
    model = attach(model, TrainConfig(lora_r=4))
    torch.manual_seed(2)
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.05)
    return model


def gradient(model):
    """All of the adapter's gradients as one vector, after an evaluation as in training."""
    model.eval()
    with torch.no_grad():
        model(input_ids=IDS)
    model.train()
    model(input_ids=IDS, labels=IDS).loss.backward()
    parts = [p.grad for p in model.parameters() if p.requires_grad]
    assert all(part is not None for part in parts)
    return torch.cat([part.flatten().float() for part in parts])


@pytest.mark.parametrize("quantization", BITS.values(), ids=BITS)
def test_gradients_of_a_quantised_base_are_those_of_its_dequantised_weights(
    wide_folder, cpu, quantization
):
    """After an evaluation too: there, bitsandbytes swaps its kernel for one without autograd."""
    quantised = load_base(str(wide_folder), cpu, quantization)
    plain = load_base(str(wide_folder), cpu, Quantization())
    assert footprint_gib(quantised) < footprint_gib(plain)
    for name, module in quantised.named_modules():
        if type(module).__name__ in ("Linear4bit", "Linear8bitLt"):
            identity = torch.eye(module.in_features)
            with torch.no_grad():
                weight = _dequantised(module)
            assert weight.shape == (module.out_features, identity.shape[0])
            plain.get_submodule(name).weight.data = weight
    got, expected = gradient(with_adapter(quantised)), gradient(with_adapter(plain))
    assert expected.norm() > 1e-3
    assert torch.nn.functional.cosine_similarity(got, expected, dim=0) > 0.99


def test_the_kernel_without_autograd_is_off_on_every_processor(wide_folder, cpu, monkeypatch):
    """The test above can only fail on a processor with avx512_bf16; this one fails on all."""
    import bitsandbytes

    monkeypatch.setattr(bitsandbytes.nn.modules, "has_avx512bf16", lambda: True)
    model = load_base(str(wide_folder), cpu, BITS["4-bit nf4"])
    layers = [one for one in model.modules() if isinstance(one, bitsandbytes.nn.Linear4bit)]
    assert len(layers) == 14
    assert not any(one.support_avx512bf16_for_cpu for one in layers)


def _dequantised(module):
    import bitsandbytes

    if type(module).__name__ == "Linear4bit":
        functional = bitsandbytes.functional
        return functional.dequantize_4bit(module.weight.data, module.weight.quant_state).float()
    scale = module.weight.SCB if module.weight.SCB is not None else module.state.SCB
    return module.weight.data.float() * scale.float()[:, None] / 127


def test_the_names_of_precisions():
    assert [one.name for one in BITS.values()] == list(BITS)
    assert Quantization().name == ""


class Placed:
    """A model as Accelerate leaves it."""

    def __init__(self, **parts):
        self.hf_device_map = parts


def test_the_placement_names_its_devices():
    assert placement(Placed(embed=0, layers=1)) == {"embed": "cuda:0", "layers": "cuda:1"}
    assert placement(Placed(embed="cpu", layers="cpu")) == {"embed": "cpu", "layers": "cpu"}


def test_a_model_that_found_no_room_on_the_gpus_is_refused():
    with pytest.raises(UserError, match="1 parts of the model found no room .* layers first") as r:
        placement(Placed(embed=0, layers="cpu"))
    assert r.value.field == "device_map"


@pytest.mark.parametrize(
    ("wanted", "to_share", "on_gpu"),
    [
        ("single", False, {"": 0}),
        ("single", True, {"": "cpu"}),
        ("auto", False, "auto"),
        ("balanced_low_0", False, "balanced_low_0"),
    ],
)
def test_the_device_map_that_transformers_gets(cpu, wanted, to_share, on_gpu):
    """What is to be shared out waits in RAM."""
    gpu = dataclasses.replace(cpu, type="cuda")
    assert load._device_map(gpu, wanted, to_share) == on_gpu
    assert load._device_map(cpu, wanted, to_share) == {"": "cpu"}


@pytest.mark.parametrize(
    ("wanted", "parts", "moved"),
    [("auto", {}, ["cuda"]), ("auto", {"embed": 0, "layers": 1}, []), ("single", {}, [])],
)
def test_what_one_of_several_cards_holds_lies_where_its_rows_go(
    tiny_model_folder, cpu, monkeypatch, wanted, parts, moved
):
    """Accelerate may choose any card for it, and hands no rows over there then."""
    seen = []

    class Loaded:
        to = seen.append

    loaded = Loaded()
    if parts:
        loaded.hf_device_map = parts
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", lambda *_, **how: loaded)
    gpu = dataclasses.replace(cpu, type="cuda")
    assert load.load_base(str(tiny_model_folder), gpu, Quantization(), wanted) is loaded
    assert seen == moved


@pytest.mark.parametrize(("to_share", "storage"), [(True, "float32"), (False, "uint8")])
def test_4_bit_weights_are_stored_so_that_fsdp_can_share_them_out(
    tiny_model_folder, cpu, to_share, storage
):
    """FSDP shares out floating weights only; without it the usual bytes stay."""
    from bitsandbytes.nn import Params4bit

    model = load_base(
        str(tiny_model_folder), cpu, Quantization(load_in_4bit=True), to_share=to_share
    )
    kinds = {p.dtype for p in model.parameters() if isinstance(p, Params4bit)}
    assert kinds == {getattr(torch, storage)}
