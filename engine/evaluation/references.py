"""How well each voice would have said the reference answers: their loss, and so their perplexity.

The rows are tokenised and masked as in training (engine.dataset.tokens), the last answer learned.
"""

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch

from engine.dataset.packing import Row, alone, count_trained
from engine.dataset.tokens import encode_all
from engine.models.positions import window_of
from engine.training.micro_steps import Layout

if TYPE_CHECKING:
    from engine.chat.voices import Voices

CAPACITY = 2048  # tokens at once, padding among them; their scores are what takes the memory


def losses(
    voices: "Voices",
    histories: list[dict[str, list[dict[str, str]]]],
    stopping: Callable[[], bool] = lambda: False,
) -> Iterator[list[dict[str, tuple[float, int]]]]:
    """Yields some conversations at a time, in their order: for each {voice: (summed loss in nats,
    tokens)} of its last answer, the end-of-turn token among them. After a stop it ends early.

    `histories` holds for each conversation what each voice hears, the answer among it, in the chat
    template in which it speaks. What is longer than the model's window is cut there.
    """
    if not histories:
        return
    rows = {name: _encoded(voices, name, [one[name] for one in histories]) for name in voices.names}
    longest_of = [max(some, key=_length) for some in zip(*rows.values(), strict=True)]
    longest = max(map(_length, longest_of))
    layout = Layout(voices.tokenizer.pad_token_id, flat=False, capacity=CAPACITY, longest=longest)
    done = 0
    for count in map(len, layout.cut(longest_of)):
        if stopping():
            return
        parts = {name: some[done : done + count] for name, some in rows.items()}
        sums = {name: _of_voice(voices, name, part, layout) for name, part in parts.items()}
        yield [
            {name: (sums[name][at], count_trained(part[at])) for name, part in parts.items()}
            for at in range(count)
        ]
        done += count


def _encoded(voices: "Voices", name: str, conversations: list[list[dict[str, str]]]) -> list[Row]:
    window = window_of(voices.base.config)
    encoded = encode_all(
        voices.tokenizer_of(name),
        [{"messages": turns} for turns in conversations],
        max_length=window or 2**20,
        loss_on="last_answer",
    )
    return [alone(one) for one in encoded]


def _length(row: Row) -> int:
    return len(row["input_ids"])


def perplexity(loss: float) -> float:
    """Of a mean loss in nats a token; infinite where it is too large for a number."""
    return math.exp(loss) if loss < 700 else math.inf


@torch.inference_mode()
def _of_voice(voices: "Voices", name: str, part: list[Row], layout: Layout) -> list[float]:
    """The summed loss of each row. Voices with learned tokens before the prompt hear one row at a
    time, as in chat; all others hear them padded, side by side."""
    device = voices.base.device
    if voices.tuned.virtual_tokens(name):
        return [_alone(voices, name, layout.batch([row], device)) for row in part]
    batch = layout.batch(part, device)
    with voices.tuned.speaking([name] * len(part)) as model:
        logits = model(**batch.inputs, use_cache=False).logits
    each = _cross_entropy(logits, batch)
    width = batch.labels.shape[1]
    sums = torch.zeros(len(part), device=device)
    return sums.index_add(0, batch.at.to(device) // width, each).tolist()


def _alone(voices: "Voices", name: str, batch: Any) -> float:
    ids = batch.inputs["input_ids"]
    heard, _ = voices.tuned.opening(name, ids)
    with voices.tuned.speaking([name]) as model:
        logits = model(**heard, use_cache=True).logits
    return float(_cross_entropy(logits[:, -ids.shape[1] :], batch).sum())


def _cross_entropy(logits: torch.Tensor, batch: Any) -> torch.Tensor:
    """Of each learned token."""
    scores = logits.flatten(0, 1)[batch.at].float()
    return torch.nn.functional.cross_entropy(scores, batch.targets, reduction="none")
