"""Layers, learned tokens and a whole model as voices of one base; what cannot speak together."""

import json

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import Qwen2Config, Qwen2ForCausalLM

from engine.chat.voices import BASE, Voices
from engine.config import TrainConfig
from engine.errors import UserError
from engine.hardware import DeviceMemory
from engine.models.adapter import attach, save
from engine.models.load import Quantization, load_base

IDS = torch.tensor([[5, 9, 300, 41, 7]])


@pytest.fixture(scope="module")
def make(tiny_model_folder, tokenizer, tmp_path_factory, cpu):
    """A voice's folder by method, moved away from its start, and what it says alone."""
    home = tmp_path_factory.mktemp("voices")

    def make(method):
        torch.manual_seed(0)
        config = TrainConfig(peft_type=method, lora_r=4, num_virtual_tokens=6)
        model = attach(load_base(str(tiny_model_folder), cpu, Quantization()), config)
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data += 0.05 * torch.randn_like(parameter)
        folder = home / method
        save(model.eval(), folder, {})
        tokenizer.save_pretrained(folder)
        card = {"base_model": str(tiny_model_folder)}
        (folder / "greenroom.json").write_text(json.dumps(card), encoding="utf-8")
        with torch.inference_mode():
            return folder, model(input_ids=IDS).logits[0, -1]

    return make


@pytest.fixture
def voices(tiny_model_folder, cpu):
    return Voices(str(tiny_model_folder), cpu, Quantization())


def heard(voices, name):
    with torch.inference_mode(), voices.tuned.speaking([name]) as model:
        return model(**voices.tuned.opening(name, IDS)[0]).logits[0, -1]


def test_all_kinds_speak_on_one_base_and_leave_it_whole(voices, make):
    """Each as it speaks alone, in any order, with the base itself between them bit for bit."""
    base = heard(voices, BASE)
    alone = {m: make(m) for m in ("lora", "prompt_tuning", "prefix_tuning", "p_tuning", "full")}
    voices.use({method: folder for method, (folder, _) in alone.items()})
    assert voices.names == [BASE, *alone]
    for method in [*alone, *reversed(alone)]:
        torch.testing.assert_close(heard(voices, method), alone[method][1], atol=1e-4, rtol=1e-4)
        assert torch.equal(heard(voices, BASE), base)
    turns = [{"role": "user", "content": "Hi"}]
    *_, answers = voices.answer(dict.fromkeys(voices.names, turns), max_new_tokens=4)
    assert len({one["checksum"] for one in answers.values()}) == 6
    assert not any(one["together"] for one in answers.values())
    assert voices.tuned.together(voices.names) == [
        [BASE, "lora"], ["prompt_tuning"], ["prefix_tuning"], ["p_tuning"], ["full"]
    ]  # fmt: skip
    voices.use({})
    assert torch.equal(heard(voices, BASE), base)


def test_the_base_speaks_beside_adapters_without_switching_peft(voices, make, monkeypatch):
    """Switching every layer for each token takes longer than a small model's token."""
    base = heard(voices, BASE)
    voices.use({"lora": make("lora")[0]})
    for name in ("disable_adapter", "set_adapter"):
        monkeypatch.setattr(voices.tuned._layers, name, None)  # would fail if it were called
    assert torch.equal(heard(voices, BASE), base)


def test_two_methods_in_the_same_layers_are_refused(voices, make):
    with pytest.raises(UserError) as raised:
        voices.use({"one": make("lora")[0], "two": make("ia3")[0]})
    assert str(raised.value) == (
        "Adapters of different methods cannot speak on one base at once: one (lora), two (ia3). "
        "Choose those of one method, and the others after them."
    )
    assert raised.value.field == "adapter"
    assert voices.names == [BASE]


def test_a_whole_model_without_room_is_refused(voices, make, monkeypatch):
    folder, _ = make("full")
    full = DeviceMemory("RAM", False, 0.1, 0.1, 0.0, 0.4)
    monkeypatch.setattr("engine.chat.tuned.memory_now", lambda: [full])
    with pytest.raises(UserError, match="mine is a whole model of .* and 0.0 GiB are free"):
        voices.use({"mine": folder})
    assert voices.names == [BASE]


def test_a_whole_model_counts_in_the_footprint(voices, make):
    before = voices.footprint_gib
    voices.use({"mine": make("full")[0]})
    assert voices.footprint_gib == pytest.approx(2 * before)


def test_learned_tokens_take_their_places_in_the_window(voices, make):
    voices.use({"mine": make("prompt_tuning")[0]})
    turns = [{"role": "user", "content": "a " * 494}]
    settings = {"temperature": 0, "max_new_tokens": 400}
    *_, answers = voices.answer(dict.fromkeys(voices.names, turns), **settings)
    asked = answers[BASE]["prompt_tokens"]
    assert 490 < asked < 512 - 6
    assert answers["mine"]["tokens"] <= 512 - asked - 6


def test_a_voice_of_trained_words_leaves_the_base_as_it_was(
    voices, make, make_adapter, tiny_model_folder, tmp_path, cpu
):
    """PEFT wraps a layer of its own in another there, in the embedding and in the head that is tied
    to it: both come off, and the next adapter goes on."""
    mine = make_adapter(tmp_path / "mine", 1, trainable_token_indices=[5, 300])
    file = mine / "adapter_model.safetensors"
    words = {key: tensor + tensor.sign() for key, tensor in load_file(file).items()}
    save_file(words, file)
    alone = PeftModel.from_pretrained(load_base(str(tiny_model_folder), cpu, Quantization()), mine)
    base, parts = heard(voices, BASE), [*voices.base.named_modules()]
    voices.use({"mine": mine})
    with torch.inference_mode():
        said = alone(input_ids=IDS).logits[0, -1]
    torch.testing.assert_close(heard(voices, "mine"), said, atol=1e-4, rtol=1e-4)
    assert torch.equal(heard(voices, BASE), base)
    voices.use({})
    assert [*voices.base.named_modules()] == parts
    assert torch.equal(heard(voices, BASE), base)
    folder, said = make("lora")
    voices.use({"lora": folder})
    torch.testing.assert_close(heard(voices, "lora"), said, atol=1e-4, rtol=1e-4)


EMBEDDING = {"target_modules": ["q_proj", "embed_tokens"]}
REWRITES = (
    "The adapter mine rewrites weights of the base itself ({what}), as trained biases do, so the "
    "base could not speak beside it. Merge it into its base (PEFT's merge_and_unload) and load "
    "what comes out as a base of its own."
)


@pytest.fixture(scope="module")
def biased(tiny_model_folder, tmp_path_factory, tokenizer):
    """The tiny model as a Qwen2, whose queries, keys and values have biases."""
    torch.manual_seed(0)
    config = Qwen2Config.from_dict(
        json.loads((tiny_model_folder / "config.json").read_text()) | {"model_type": "qwen2"}
    )
    model = Qwen2ForCausalLM(config)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    folder = tmp_path_factory.mktemp("models") / "biased"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("names", "lora", "trained", "count"),
    [
        (["mine"], {"bias": "lora_only"}, "bias", 4),
        (["mine"], {"bias": "all"}, "bias", 6),
        (["mine"], EMBEDDING, "embed_tokens.base_layer.weight", 1),
        (["two", "mine"], EMBEDDING, "embed_tokens.base_layer.weight", 1),
    ],
)
def test_what_an_adapter_overwrites_of_the_base_is_put_back(
    biased, tmp_path, cpu, names, lora, trained, count
):
    """PEFT saves trained biases, and whole embeddings, under the base's names, and loads them over
    the base's own. Such an adapter is refused, and loaded where it changes nothing of the base."""
    voices = Voices(str(biased), cpu, Quantization())
    base = heard(voices, BASE)
    config = {"r": 4, "target_modules": ["q_proj", "v_proj"], "task_type": "CAUSAL_LM"}
    config = LoraConfig(**(config | lora), init_lora_weights=False)
    model = get_peft_model(load_base(str(biased), cpu, Quantization()), config)
    folders = {name: tmp_path / name for name in names}
    for folder in folders.values():
        model.save_pretrained(folder)
    voices.use(folders)
    assert torch.equal(heard(voices, BASE), base)
    file = folders["mine"] / "adapter_model.safetensors"
    state = load_file(file)
    changed = {key: one + key.endswith(trained) for key, one in state.items()}
    save_file(changed, file)
    with pytest.raises(UserError) as raised:
        voices.use(folders)
    assert str(raised.value) == REWRITES.format(what=f"{count} tensors")
    assert torch.equal(heard(voices, BASE), base)


def test_an_adapter_that_begins_by_rewriting_the_base_is_refused(voices, make_adapter, tmp_path):
    """A PiSSA not saved as a plain LoRA: PEFT takes its start out of the base's weights."""
    base = heard(voices, BASE)
    mine = make_adapter(tmp_path / "mine", 1)
    config = json.loads((mine / "adapter_config.json").read_text())
    (mine / "adapter_config.json").write_text(json.dumps(config | {"init_lora_weights": "pissa"}))
    with pytest.raises(UserError) as raised:
        voices.use({"mine": mine})
    assert str(raised.value) == REWRITES.format(what="init_lora_weights pissa")
    assert torch.equal(heard(voices, BASE), base)
