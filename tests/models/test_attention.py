"""Varlen attention: its layout, its windows and its checks, with the kernel's arithmetic written
out, so that a processor can do it. The kernel itself is proved in tests/gpu."""

import pytest
import torch
from transformers import (
    FalconConfig,
    FalconForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3nTextConfig,
    Gemma4ForCausalLM,
    Gemma4TextConfig,
    GptOssConfig,
    GptOssForCausalLM,
    Lfm2Config,
    Lfm2ForCausalLM,
    Llama4ForCausalLM,
    Llama4TextConfig,
    LlamaConfig,
    MambaConfig,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
    masking_utils,
)

from engine.dataset.packing import join
from engine.models import attention
from engine.training.micro_steps import Layout

ROWS = [[5, 9, 300, 41, 7, 2], [8, 100, 77], [6, 60, 61, 62, 63, 64, 65, 2]]
SMALL = {
    "vocab_size": 320,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "initializer_range": 0.2,
    "pad_token_id": 0,
}


def by_rows(query, key, value, ends, _, longest, __, *, scale, window_size, enable_gqa=False):
    """What varlen_attn does: [tokens, heads, width] each, every row by itself."""
    assert int(ends.diff().max()) <= longest
    assert ends.dtype is torch.int32
    assert window_size[1] == 0
    assert enable_gqa == (query.shape[1] != key.shape[1])
    repeats = query.shape[1] // key.shape[1]
    key, value = (one.repeat_interleave(repeats, 1) for one in (key, value))
    out = torch.empty_like(query)
    for begin, end in zip(ends[:-1], ends[1:], strict=True):
        q, k, v = (one[begin:end].transpose(0, 1) for one in (query, key, value))
        at = torch.arange(end - begin, device=query.device)
        back = at[:, None] - at
        hidden = back < 0
        if window_size[0] >= 0:
            hidden = hidden | (back > window_size[0])
        scores = (q @ k.transpose(1, 2) * scale).masked_fill(hidden, -torch.inf)
        out[begin:end] = (scores.softmax(-1) @ v).transpose(0, 1)
    return out


def model_of(**config):
    torch.manual_seed(0)
    return Qwen3ForCausalLM(Qwen3Config(**SMALL | config)).eval()


@pytest.fixture
def switch(monkeypatch):
    """As use_varlen does on a GPU without our kernels, over the arithmetic above."""
    monkeypatch.setattr(attention, "varlen_attn", by_rows)
    monkeypatch.setattr(attention, "_TAKES_GROUPS", True)
    return lambda model: attention.switch(model, "varlen", attention._by_rows)


def packed():
    layout = Layout(0, flat=True, capacity=99, longest=8, multiple=4)
    items = [{"input_ids": ids, "labels": ids} for ids in ROWS]
    return layout.batch([join(items)], torch.device("cpu")).inputs


WINDOW = {"use_sliding_window": True, "sliding_window": 3, "max_window_layers": 0}


@pytest.mark.parametrize("config", [{}, WINDOW], ids=["all", "window"])
def test_packed_rows_are_the_rows_alone(switch, config):
    """Four heads over two of keys; a window of 3 sees itself and two back, as in Transformers."""
    model = model_of(**config)
    with torch.no_grad():
        alone = [model(input_ids=torch.tensor([ids])).logits[0] for ids in ROWS]
        switch(model)
        together = model(**packed(), use_cache=False).logits[0, : sum(map(len, ROWS))]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-5, atol=1e-5)


def test_no_mask_is_looked_for(switch, monkeypatch):
    """Transformers would ask the GPU whether rows share a sequence, and wait for the answer."""
    model = model_of()
    asked = []
    monkeypatch.setattr(masking_utils, "find_packed_sequence_indices", asked.append)
    model(input_ids=torch.tensor([[5, 6]]), position_ids=torch.tensor([[0, 1]]), use_cache=False)
    assert len(asked) == 1  # so that it would be seen
    assert attention.use_varlen(model)
    model(**packed(), use_cache=False)
    assert len(asked) == 1


def test_without_boundaries_it_answers_as_sdpa(switch):
    model = model_of()
    question = torch.tensor([[5, 6, 7]])

    def said():
        return model.generate(input_ids=question, max_new_tokens=8, do_sample=False)

    expected = said()
    switch(model)
    assert torch.equal(said(), expected)


def test_generating_it_reads_masks(switch):
    """A window of 3, and a row that is padded on its left; training goes on as before."""
    model = model_of(**WINDOW)
    rows = torch.tensor([[5, 6, 7, 8, 9, 10], [0, 0, 0, 11, 12, 13]])
    heard = {"input_ids": rows, "attention_mask": (rows > 0).long()}

    def said():
        return model.generate(**heard, max_new_tokens=8, do_sample=False)

    expected = said()
    switch(model)
    assert not torch.equal(said(), expected)
    with attention.reading_masks(model):
        assert torch.equal(said(), expected)
    assert model.config._attn_implementation == "varlen"


def test_rows_that_are_alone_are_found_so(switch):
    model = model_of()
    switch(model)
    assert attention.rows_are_alone(model)


def test_layers_that_drop_the_boundaries_are_found_out(switch):
    """The rows would be mixed without a word."""
    model = model_of()
    switch(model)
    drop_boundaries(model)
    assert not attention.rows_are_alone(model)


def drop_boundaries(model):
    """As a layer does that hands on only what it knows."""
    inner = model.model.layers[1].self_attn
    whole = inner.forward

    def dropping(*args, **kwargs):
        kept = {n: v for n, v in kwargs.items() if not n.startswith(("cu_seq", "max_length"))}
        return whole(*args, **kept)

    inner.forward = dropping


def test_heads_that_the_kernel_refuses_are_no_error(switch, monkeypatch, capsys):
    model = model_of()
    switch(model)

    def refuses(*args, **kwargs):
        raise RuntimeError("head dimension must be equal")

    monkeypatch.setattr(attention, "varlen_attn", refuses)
    assert not attention.rows_are_alone(model)
    assert capsys.readouterr().out == "No attention over rows: head dimension must be equal\n"


def test_boundaries_exactly():
    ends = torch.tensor([0, 3, 8], dtype=torch.int32)
    assert attention.boundaries(ends, 5) == {
        "cu_seq_lens_q": ends,
        "cu_seq_lens_k": ends,
        "max_length_q": 5,
        "max_length_k": 5,
    }


@pytest.mark.parametrize("config", [{}, WINDOW, {"num_key_value_heads": 4}], ids=str)
def test_a_processor_takes_row_by_row(config):
    """Rows of 6, 3 and 8 tokens and one of filling, with the gradients of all that they touch."""
    model, alone = model_of(**config), model_of(**config)
    assert attention.use_varlen(model)
    assert model.config._attn_implementation == "varlen"
    together = model(**packed(), use_cache=False).logits[0, : sum(map(len, ROWS))]
    expected = torch.cat([alone(input_ids=torch.tensor([ids])).logits[0] for ids in ROWS])
    torch.testing.assert_close(together, expected, rtol=1e-5, atol=1e-5)
    together.square().mean().backward()
    expected.square().mean().backward()
    for one, other in zip(model.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-5)


def test_a_model_that_would_mix_rows_keeps_what_it_had():
    model = model_of()
    drop_boundaries(model)
    before = model.config._attn_implementation
    assert not attention.use_varlen(model)
    assert model.config._attn_implementation == before


# Heads of one layer are as wide as SMALL says, those of the other twice as wide.
GEMMA_4 = {
    "layer_types": ["sliding_attention", "full_attention"],
    "sliding_window": 4,
    "global_head_dim": 32,
    "num_kv_shared_layers": 0,
    "hidden_size_per_layer_input": 8,
    "vocab_size_per_layer_input": 320,
}


def test_layers_that_differ_are_taken_at_their_widest():
    model = Gemma4ForCausalLM(Gemma4TextConfig(**SMALL | GEMMA_4))
    text = model.config.get_text_config()
    assert attention.head_width(text) == 32
    assert attention.most(text, "num_attention_heads") == 4
    assert attention.use_varlen(model)


def test_widths_that_a_config_lists_or_does_not_have():
    lists = Gemma3nTextConfig(intermediate_size=[64, 128] + [64] * 33)
    assert attention.most(lists, "intermediate_size") == 128
    assert attention.head_width(MambaConfig()) == 0
    assert attention.head_width(LlamaConfig(hidden_size=32, num_attention_heads=4)) == 8


FAMILIES = {
    "plain": (lambda: model_of(), True),
    "layers that differ": (
        lambda: Gemma4ForCausalLM(Gemma4TextConfig(**SMALL | GEMMA_4)),
        True,
    ),
    "too wide": (lambda: Qwen3ForCausalLM(Qwen3Config(**SMALL | {"head_dim": 320})), False),
    "capped": (lambda: Gemma2ForCausalLM(Gemma2Config(**SMALL)), False),
    "sinks": (lambda: GptOssForCausalLM(GptOssConfig(**SMALL, num_local_experts=2)), False),
    "chunks": (lambda: Llama4ForCausalLM(Llama4TextConfig(**SMALL, num_local_experts=2)), False),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_attention_that_is_more_than_softmax_keeps_its_own(family):
    make, plain = FAMILIES[family]
    assert attention.knows_boundaries(make()) == plain


EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
OF_ALIBI = {"vocab_size": 320, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
POSITIONS = {
    "plain": (lambda: model_of(), True),
    "window": (lambda: model_of(**WINDOW), True),
    "capped": (FAMILIES["capped"][0], True),
    "chunks": (FAMILIES["chunks"][0], True),
    "experts": (lambda: Qwen3MoeForCausalLM(Qwen3MoeConfig(**SMALL | EXPERTS)), True),
    "sinks": (lambda: GptOssForCausalLM(GptOssConfig(**SMALL, num_local_experts=4)), False),
    "alibi": (lambda: FalconForCausalLM(FalconConfig(**OF_ALIBI, alibi=True)), False),
    "convolutions": (
        lambda: Lfm2ForCausalLM(Lfm2Config(**SMALL, layer_types=["conv", "full_attention"])),
        False,
    ),
}


@pytest.mark.parametrize("family", POSITIONS)
def test_where_positions_keep_rows_apart(family):
    """GPT-OSS and Falcon make their masks without them, a convolution has none."""
    torch.manual_seed(0)
    make, apart = POSITIONS[family]
    assert attention.positions_keep_rows_apart(make().eval()) == apart
