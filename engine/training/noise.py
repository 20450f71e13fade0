"""NEFTune: noise on the embeddings of each row, as strong as the row's own length says."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


@contextmanager
def noisy(
    model: "PeftModel | PreTrainedModel", alpha: float, position_ids: torch.Tensor
) -> Iterator[None]:
    """Within, to each embedding is added uniform noise of at most alpha / sqrt(tokens * width) in
    each direction (Jain et al. 2023, https://arxiv.org/abs/2310.05914), the tokens those of its
    row; afterwards the model is as it was. Transformers' own noise takes a whole micro-step for
    one row. A row begins where its position is 0. Nothing here waits for the device."""
    if not alpha:
        yield
        return
    tokens = _lengths(position_ids)[..., None]

    def add(module, inputs, embedded: torch.Tensor) -> torch.Tensor:
        most = alpha / (tokens.to(embedded.device) * embedded.shape[-1]).sqrt()
        return embedded + torch.empty_like(embedded).uniform_(-1, 1) * most.to(embedded.dtype)

    base = getattr(model, "get_base_model", lambda: model)()
    handle = base.get_input_embeddings().register_forward_hook(add)
    try:
        yield
    finally:
        handle.remove()


def _lengths(position_ids: torch.Tensor) -> torch.Tensor:
    """Of each token's row; rows may lie side by side or one after the other."""
    row = (position_ids.flatten() == 0).cumsum(0) - 1
    lengths = torch.zeros_like(row).scatter_add(0, row, torch.ones_like(row))
    return lengths.gather(0, row).view_as(position_ids)
