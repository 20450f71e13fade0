"""Models that keep more of what they have heard than keys and values, or count it otherwise: each
row of a batch says what it says alone, however long the others are and whenever they end."""

import json

import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from engine.chat.many import answer_many
from engine.chat.voices import BASE, Voices
from engine.models.load import Quantization
from tests.still import hold_still

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}
LINEAR = {
    "layer_types": ["linear_attention", "full_attention"],
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
}
MAMBA = {
    "mamba_n_heads": 8,
    "mamba_d_head": 8,
    "mamba_n_groups": 1,
    "mamba_d_state": 8,
    "mamba_chunk_size": 8,
}
HYBRIDS = {
    "lfm2": {"layer_types": ["conv", "full_attention"], "block_ff_dim": 64},
    "qwen3_5_text": LINEAR | {"head_dim": 8},
    "falcon_h1": MAMBA | {"mamba_d_ssm": 64, "head_dim": 8},
    "bamba": MAMBA | {"attn_layer_indices": [1]},
    "mamba": {"state_size": 4},
}
SHORT = [{"role": "user", "content": "Who?"}]
LONG = [{"role": "user", "content": "What colour is the sea tonight? 海是什么颜色？"}]
GREEDY = {"temperature": 0, "repetition_penalty": 1}


@pytest.fixture
def make_voices(tokenizer, cpu, tmp_path):
    def make(kind, **more):
        torch.manual_seed(0)
        ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
        config = CONFIG_MAPPING[kind](vocab_size=len(tokenizer), **ends, **more)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.data.normal_(0, 0.2)
        model.save_pretrained(tmp_path / "base")
        tokenizer.save_pretrained(tmp_path / "base")
        return Voices(str(tmp_path / "base"), cpu, Quantization())

    return make


@pytest.fixture
def adapted(tmp_path):
    """Puts an adapter of random weights on the voices' base."""

    def put_on(voices, targets):
        from peft import LoraConfig, get_peft_model

        base = AutoModelForCausalLM.from_pretrained(voices.model_name, dtype=torch.float32)
        lora = LoraConfig(
            r=4, target_modules=targets, init_lora_weights=False, task_type="CAUSAL_LM"
        )
        get_peft_model(base, lora).save_pretrained(tmp_path / "one")
        card = {"base_model": voices.model_name}
        (tmp_path / "one" / "greenroom.json").write_text(json.dumps(card), encoding="utf-8")
        voices.use({"one": tmp_path / "one"})

    return put_on


def generated(voices, turns, new):
    """By Transformers."""
    speaker = voices.speaker(BASE, turns, {"max_new_tokens": new, "seed": 0})
    ids = torch.tensor([speaker.prompt_ids])
    model = AutoModelForCausalLM.from_pretrained(voices.model_name, dtype=torch.float32).eval()
    said = model.generate(ids, do_sample=False, max_new_tokens=new, min_new_tokens=new)
    return voices.tokenizer.decode(said[0, ids.shape[1] :], skip_special_tokens=True)


@pytest.mark.parametrize("kind", HYBRIDS)
def test_one_voice_ends_before_the_other(kind, make_voices, adapted):
    """And the base says what generate() says."""
    voices = make_voices(kind, **SIZES | HYBRIDS[kind])
    adapted(voices, ["in_proj", "in_proj_qkv", "q_proj"])
    own = {BASE: {"max_new_tokens": 8}, "one": {"max_new_tokens": 3}}
    heard = {BASE: LONG, "one": SHORT}
    *_, together = voices.answer(heard, own=own, **GREEDY)
    for name, turns in heard.items():
        *_, alone = voices.answer({name: turns}, **GREEDY | own[name])
        assert together[name]["text"] == alone[name]["text"]
    if together[BASE]["stopped_by"] == "length":
        assert together[BASE]["text"] == generated(voices, LONG, 8).rstrip("\ufffd")


ROPE = {
    "rope_type": "longrope",
    "rope_theta": 1e4,
    "original_max_position_embeddings": 48,
    "short_factor": [1.0] * 4,
    "long_factor": [1.0 + 3 * n for n in range(4)],
}
LONG_ROPE = SIZES | {
    "bos_token_id": 1,
    "rope_parameters": ROPE,
    "original_max_position_embeddings": 48,
}
PAST_THE_TURN = [{"role": "user", "content": "sea " * 90}]


def test_a_long_row_turns_no_short_one(make_voices):
    """LongRoPE turns all rows of a batch by the longest."""
    voices = make_voices("phi3", **LONG_ROPE)
    histories = [{BASE: SHORT}, {BASE: PAST_THE_TURN}, {BASE: LONG}]

    def said(some):
        ended = answer_many(voices, some, max_new_tokens=8, **GREEDY)
        answers = [one for each in ended for one in each["answers"]]
        return [one["text"] for one in sorted(answers, key=lambda one: one["index"])]

    assert said(histories) == [said([one])[0] for one in histories]
    assert [len(group) for group in voices.groups(speakers_of(voices, histories))] == [2, 1]


def test_a_window_holds_in_captured_steps_too(make_voices, monkeypatch):
    """This family masks beyond it, and tells its attention nothing."""
    few = {"num_experts": 2, "num_experts_per_tok": 1, "max_window_layers": 2}
    wide = {"moe_intermediate_size": 16, "shared_expert_intermediate_size": 16}
    window = {"use_sliding_window": True, "sliding_window": 8, "layer_types": None}
    hold_still(monkeypatch)
    voices = make_voices("qwen2_moe", **SIZES, **few, **wide, **window)
    *_, alone = voices.answer({BASE: LONG}, max_new_tokens=12, **GREEDY)
    voices.use({})
    voices.settle()
    *_, captured = voices.answer({BASE: LONG}, max_new_tokens=12, **GREEDY)
    assert (alone[BASE]["captured"], captured[BASE]["captured"]) == (False, True)
    assert captured[BASE]["text"] == alone[BASE]["text"]


def speakers_of(voices, histories):
    settings = {"max_new_tokens": 8, "seed": 0}
    return [voices.speaker(BASE, one[BASE], settings) for one in histories]


def test_voices_that_share_no_batch_share_no_captured_step(make_voices, adapted, monkeypatch):
    """They take turns, and its cache is one."""
    hold_still(monkeypatch)
    voices = make_voices("phi3", **LONG_ROPE)
    adapted(voices, ["qkv_proj", "down_proj"])
    voices.settle()
    heard = {BASE: PAST_THE_TURN, "one": SHORT}
    *_, both = voices.answer(heard, max_new_tokens=8, **GREEDY)
    assert {name: one["captured"] for name, one in both.items()} == {BASE: False, "one": True}
    for name, turns in heard.items():
        *_, alone = voices.answer({name: turns}, max_new_tokens=8, **GREEDY)
        assert both[name]["text"] == alone[name]["text"]


def test_who_has_ended_stays_within_the_places_there_are(make_voices, monkeypatch):
    """Captured, it goes on beside the others; a table of learned places has no more than 64."""
    sizes = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
    hold_still(monkeypatch)
    voices = make_voices("gpt2", bos_token_id=1, **sizes)
    voices.use({})
    words = [{"role": "user", "content": "sea " * 22}]
    histories = [{BASE: words}, {BASE: SHORT}]
    long, short = speakers_of(voices, histories)
    assert len(long.prompt_ids) + 40 > 64 > len(short.prompt_ids) + 40
    ended = answer_many(voices, histories, max_new_tokens=40, **GREEDY)
    answers = {one["index"]: one["text"] for each in ended for one in each["answers"]}
    for index, heard in enumerate(histories):
        *_, alone = voices.answer(heard, max_new_tokens=40, **GREEDY)
        assert answers[index] == alone[BASE]["text"]
