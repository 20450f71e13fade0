"""The cache that grows in place holds what Transformers' own holds, and copies nothing for it."""

import pytest
import torch
from transformers import AutoConfig, DynamicCache, Gemma3TextConfig
from transformers.cache_utils import DynamicSlidingWindowLayer

from engine.chat.cache import GrowingLayer, growing_cache


@pytest.fixture
def config(tiny_model_folder):
    return AutoConfig.from_pretrained(tiny_model_folder)


def test_it_holds_what_transformers_own_holds(config):
    """A prompt, tokens past the room for growing, a row that leaves, and tokens after it."""
    torch.manual_seed(0)
    mine, own = growing_cache(config), DynamicCache(config=config)
    lengths = [7, *[1] * 140, 0, *[1] * 140]
    for length in lengths:
        if not length:
            for cache in (mine, own):
                cache.batch_select_indices(torch.tensor([0, 2]))
        rows = 3 if own.get_seq_length() == 0 else len(own.layers[0].keys)
        keys, values = torch.randn(rows, 2, length, 8), torch.randn(rows, 2, length, 6)
        for given, expected in zip(
            mine.update(keys, values, 0), own.update(keys, values, 0), strict=True
        ):
            assert torch.equal(given, expected)
    assert mine.get_seq_length() == own.get_seq_length() == 287
    assert len(mine.layers[0].keys) == 2


def test_a_token_more_moves_nothing(config):
    cache = growing_cache(config)
    given = [cache.update(*torch.randn(2, 1, 2, length, 8), 0) for length in (5, 1, 1)]
    for kept in zip(*given, strict=True):
        assert len({one.data_ptr() for one in kept}) == 1
        assert [one.shape[2] for one in kept] == [5, 6, 7]


def test_a_sliding_window_stays_transformers_own():
    config = Gemma3TextConfig(
        num_hidden_layers=2, layer_types=["sliding_attention", "full_attention"], sliding_window=4
    )
    kinds = [type(one) for one in growing_cache(config).layers]
    assert kinds == [DynamicSlidingWindowLayer, GrowingLayer]
