"""GGUF: what Transformers' own reader makes of the file is the model that was merged."""

import numpy as np
import pytest
import torch
from gguf import GGUFReader, TokenType
from tokenizers import Regex
from tokenizers.pre_tokenizers import Digits, Sequence, Split
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from engine.errors import UserError
from engine.export import gguf_file
from engine.export.exporting import export
from engine.export.gguf_tokens import pre_tokenizer
from engine.export.plan import refusal
from engine.export.source import Source, find

IDS = torch.tensor([[5, 9, 300, 41, 7, 590, 11]])
SIZES = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2}
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2}
LLAMA3 = {
    **{"rope_type": "llama3", "rope_theta": 50000.0, "factor": 8.0, "low_freq_factor": 1.0},
    **{"high_freq_factor": 4.0, "original_max_position_embeddings": 64},
}
SHAPES = {
    "llama": (LlamaForCausalLM, LlamaConfig, {"tie_word_embeddings": False}),
    "llama3": (LlamaForCausalLM, LlamaConfig, {"rope_parameters": LLAMA3}),
    "llama with biases": (LlamaForCausalLM, LlamaConfig, {"attention_bias": True}),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config, {"tie_word_embeddings": True}),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config, {"head_dim": 32, "tie_word_embeddings": True}),
    "qwen3 untied": (Qwen3ForCausalLM, Qwen3Config, {"head_dim": 32}),
}
# Of the largest logit. Weights of 0.2 are exact in none of them.
ALLOWED = {"f16": 5e-3, "bf16": 2e-2, "q8_0": 3e-2}


@pytest.fixture
def written(tmp_path, few_pieces, cpu):
    """written(shape, quantization): the model, its config, the file, and the model as read back."""

    def write(shape, quantization):
        kind, config_kind, more = SHAPES[shape]
        torch.manual_seed(1)
        rope = {"rope_parameters": {"rope_type": "default", "rope_theta": 12345.0}}
        config = config_kind(
            vocab_size=len(few_pieces) + 3,
            max_position_embeddings=512,
            rms_norm_eps=1e-4,
            initializer_range=0.2,
            **(SIZES | HEADS | rope | more),
        )
        model = kind(config).eval()
        for parameter in model.parameters():  # else norms are ones, biases zeros
            if parameter.dim() == 1:
                parameter.data += 0.3 * torch.randn_like(parameter)
        model.save_pretrained(tmp_path / "merged")
        file = tmp_path / "model.gguf"
        steps = gguf_file.write(
            tmp_path / "merged", file, config, few_pieces, quantization, "a name"
        )
        *_, last = steps
        assert last["gib"] == pytest.approx(last["of_gib"])
        return model, file, gguf_file.read(file, config, cpu)

    return write


@torch.inference_mode()
def difference(one, other):
    said, again = one(IDS).logits, other(IDS).logits
    return ((said - again).abs().max() / said.abs().max()).item()


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_read_back(shape, written):
    """In float16 all but nothing is lost: rotations, heads, biases, norms, tied embeddings."""
    model, _, again = written(shape, "f16")
    assert difference(model, again) < ALLOWED["f16"]


@pytest.mark.parametrize("quantization", ["bf16", "q8_0"])
def test_every_precision_is_read_back(quantization, written):
    model, file, again = written("qwen3", quantization)
    assert 0 < difference(model, again) < ALLOWED[quantization]
    kinds = {one.name: one.tensor_type.name for one in GGUFReader(file).tensors}
    assert kinds["blk.1.ffn_down.weight"] == quantization.upper()
    assert kinds["blk.1.attn_q_norm.weight"] == "F32"
    assert "output.weight" not in kinds


def test_llama_3_slows_its_rotations_by_a_table(written):
    """Transformers' reader does not know it, llama.cpp does: frequency / factor is the model's."""
    model, file, _ = written("llama3", "f16")
    (table,) = (one.data for one in GGUFReader(file).tensors if one.name == "rope_freqs.weight")
    plain = 50000.0 ** -(np.arange(0, 16, 2) / 16)
    np.testing.assert_allclose(plain / table, model.model.rotary_emb.inv_freq.numpy(), rtol=1e-5)
    assert (table[0], table[-1]) == (1.0, 8.0)


def test_weights_that_float16_cannot_hold_are_refused(tmp_path, few_pieces):
    config = Qwen3Config(vocab_size=600, head_dim=16, **SIZES, **HEADS)
    model = Qwen3ForCausalLM(config)
    model.model.layers[0].mlp.up_proj.weight.data[0, 0] = 1e6
    model.save_pretrained(tmp_path / "merged")
    with pytest.raises(UserError, match=r"layers\.0\.mlp\.up_proj\.weight .* choose bf16"):
        list(gguf_file.write(tmp_path / "merged", tmp_path / "x", config, few_pieces, "f16", "x"))


def test_the_tokenizer_goes_along(written, few_pieces):
    """Pieces by id with their types, merges, special ids; what the model has beyond is unused."""
    _, file, _ = written("qwen3", "q8_0")
    known = {name: one.contents() for name, one in GGUFReader(file).fields.items()}
    found = {name.rpartition(".")[2]: value for name, value in known.items()}
    pieces = few_pieces.convert_ids_to_tokens(range(600))
    assert found["tokens"] == [*pieces, "[PAD600]", "[PAD601]", "[PAD602]"]
    types = found["token_type"]
    assert types[:3] == [TokenType.CONTROL] * 3
    assert set(types[3:600]) == {TokenType.NORMAL}
    assert types[600:] == [TokenType.UNUSED] * 3
    assert found["merges"][:2] == ["Ġ t", "h e"]
    assert len(found["merges"]) == 600 - 256 - 3
    named = ("model", "pre", "eos_token_id", "padding_token_id", "add_bos_token")
    assert [found[one] for one in named] == ["gpt2", "qwen2", 2, 0, False]
    template = found["chat_template"]
    assert "{%- generation" not in template
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": " b "}]
    said = few_pieces.apply_chat_template(talk, tokenize=False)
    again = few_pieces.apply_chat_template(talk, tokenize=False, chat_template=template)
    assert again == said == "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n b <|im_end|>\n"


class Splits:
    """As much of a tokenizer as its way to split text."""

    def __init__(self, split):
        self.backend_tokenizer = type("Backend", (), {"pre_tokenizer": split})()


def test_the_pre_tokenizer_is_found_by_what_it_does(tokenizer):
    """Llama 3's takes three digits at once, Qwen's one; another one is refused, not guessed."""
    assert pre_tokenizer(tokenizer) == "qwen2"
    _, by_byte = tokenizer.backend_tokenizer.pre_tokenizer
    pattern = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
        r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    threes = Sequence([Split(Regex(pattern), "isolated"), by_byte])
    assert pre_tokenizer(Splits(threes)) == "llama-bpe"
    with pytest.raises(UserError, match="GGUF has no name for"):
        pre_tokenizer(Splits(Sequence([Digits(individual_digits=True), by_byte])))


def test_other_architectures_are_refused(tmp_path):
    model = GPT2LMHeadModel(GPT2Config(n_layer=1, n_embd=16, n_head=2, vocab_size=99))
    model.save_pretrained(tmp_path / "gpt2")
    source = Source("x", tmp_path, str(tmp_path / "gpt2"), "lora", {}, None)
    assert refusal(source, "merged") is None
    assert refusal(source, "gguf").en.startswith(
        "GGUF is written for Llama, Qwen2 and Qwen3 models here, and this one is gpt2"
    )


def test_an_adapter_becomes_a_gguf_beside_its_modelfile(adapter, tmp_path):
    """From end to end; what was merged on the way is gone."""
    *_, last = export(find(str(adapter)), "gguf", tmp_path / "out", quantization="q8_0")
    facts = last["result"]
    assert (facts["state"], facts["file"]) == ("done", "mara-Q8_0.gguf")
    assert facts["check"]["largest_difference"] < 0.05 < facts["check"]["from_base"]
    assert [one.name for one in tmp_path.glob("out*")] == ["out"]
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == [
        *("Modelfile", "README.md", "export.json", "mara-Q8_0.gguf")
    ]
    assert "FROM ./mara-Q8_0.gguf\n" in (tmp_path / "out" / "Modelfile").read_text()
