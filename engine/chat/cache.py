"""A cache of keys and values that is written at its end, where another is copied for each token."""

import torch
from transformers import DynamicCache, PretrainedConfig
from transformers.cache_utils import DynamicLayer

_ROOM = 128  # tokens that a row may grow by before it is copied


def growing_cache(config: PretrainedConfig) -> DynamicCache:
    """An empty cache for a model. Layers that keep other things than all tokens' keys and values,
    such as a window of them, stay Transformers' own."""
    cache = DynamicCache(config=config)
    cache.layers = [GrowingLayer() if type(one) is DynamicLayer else one for one in cache.layers]
    return cache


class GrowingLayer(DynamicLayer):
    """Keys and values [rows, heads, tokens, width], which lie at the beginning of longer memory.
    For inference: what an earlier step was given changes no more, but it shares its memory."""

    def __init__(self):
        super().__init__()
        self._key_memory = self._value_memory = torch.empty(0, 0, 0, 0)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args, **kwargs
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Takes new tokens' keys and values in; gives those of all tokens."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
        self.keys, self._key_memory = _longer(self.keys, self._key_memory, key_states)
        self.values, self._value_memory = _longer(self.values, self._value_memory, value_states)
        return self.keys, self.values


def _longer(
    held: torch.Tensor, memory: torch.Tensor, new: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """What is held and then the new, and the memory in which they lie."""
    before, more = held.shape[2], new.shape[2]
    lies_there = held.data_ptr() == memory.data_ptr() and len(held) == len(memory)
    if not lies_there or before + more > memory.shape[2]:
        rows, heads, _, width = new.shape
        memory = new.new_empty(rows, heads, before + more + _ROOM, width)
        memory.narrow(2, 0, before).copy_(held)
    memory.narrow(2, before, more).copy_(new)
    return memory.narrow(2, 0, before + more), memory
