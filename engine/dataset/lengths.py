"""How long a dataset's rows are in tokens and how much of each is learned: the figures."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.dataset.packing import pack
from engine.dataset.reasoning import reasons
from engine.dataset.tokens import Encoded, encode_all

if TYPE_CHECKING:
    import numpy
    from transformers import PreTrainedTokenizerBase

_BARS = 24


@dataclass(frozen=True, slots=True)
class Lengths:
    """One number a conversation, in their order: tokens of the whole row, tokens that are learned,
    tokens beyond max_length, answers in the conversation, whether the chat template leaves some of
    its reasoning out. `end_is_learned` says whether an end of turn is in any of them."""

    total: "numpy.ndarray"
    trained: "numpy.ndarray"
    lost: "numpy.ndarray"
    turns: "numpy.ndarray"
    unread: "numpy.ndarray"
    end_is_learned: bool
    max_length: int


def measure(
    tokenizer: "PreTrainedTokenizerBase",
    conversations: Iterable[dict[str, Any]],
    *,
    max_length: int,
    each: Callable[[Encoded], None] = lambda one: None,
    **options: Any,
) -> Lengths:
    """Encodes all; `each` sees every row as it passes, `options` are those of `encode_all`."""
    import numpy

    ahead: deque[tuple[int, list[str]]] = deque()  # encoding reads a batch before it answers

    def counted() -> Iterator[dict[str, Any]]:
        for one in conversations:
            messages = one.get("messages", [])
            ahead.append((sum(m["role"] == "assistant" for m in messages), reasons(messages)))
            yield one

    rows, end_is_learned = [], False
    for one in encode_all(tokenizer, counted(), max_length=max_length, **options):
        turns, thoughts = ahead.popleft()
        unread = any(thought not in one.text for thought in thoughts)
        rows.append((one.total, one.learned, one.lost, turns, unread))
        end_is_learned = end_is_learned or one.end_is_learned
        each(one)
    figures = numpy.array(rows, dtype=numpy.int64).reshape(-1, 5)
    total, trained, lost, turns, unread = figures.T.copy()
    return Lengths(total, trained, lost, turns, unread > 0, end_is_learned, max_length)


def totals(lengths: Lengths) -> dict[str, Any]:
    """The command line's figures. Rows of which nothing is learned count; they are left out of the
    training, which `zero_label_rows` says."""
    import numpy

    ordered = numpy.sort(lengths.total) if len(lengths.total) else numpy.zeros(1, dtype=int)
    kept = lengths.total - lengths.lost
    return {
        "total_tokens": int(kept.sum()),
        "trained_tokens": int(lengths.trained.sum()),
        "zero_label_rows": int((lengths.trained == 0).sum()),
        "end_token_trained": lengths.end_is_learned,
        "lengths": {
            "mean": round(float(ordered.mean()), 1),
            "p50": int(ordered[len(ordered) // 2]),
            "p95": int(ordered[int(len(ordered) * 0.95)]),
            "max": int(ordered[-1]),
            "truncated": int((lengths.lost > 0).sum()),
            "lost_tokens": int(lengths.lost.sum()),
        },
    }


def pictures(lengths: Lengths) -> dict[str, Any]:
    """What is drawn: bars of equal width (`width` tokens each, the last takes all above, up to
    `most`), answers a conversation, and what packing makes of the rows that are trained on."""
    kept = (lengths.total - lengths.lost)[lengths.trained > 0].tolist()
    bins = pack(kept, lengths.max_length)
    room = len(bins) * lengths.max_length
    turns = Counter(lengths.turns.tolist())
    return {
        "tokens": _bars(lengths.total),
        "trained": _bars(lengths.trained),
        "turns": [[count, turns[count]] for count in sorted(turns)],
        "packing": {
            "rows": len(kept),
            "packs": len(bins),
            "filled": round(sum(kept) / room, 4) if room else 0.0,
        },
    }


def _bars(values: "numpy.ndarray") -> dict[str, Any]:
    """The width is a round number; one very long row does not press all others into one bar."""
    import numpy

    most = int(numpy.quantile(values, 0.99)) if len(values) else 0
    width = _round_up(max(1, -(-(most + 1) // _BARS)))
    bars = numpy.bincount(numpy.minimum(values // width, _BARS - 1), minlength=1)
    return {"width": width, "counts": bars.tolist(), "most": int(values.max(initial=0))}


def _round_up(width: int) -> int:
    """To 1, 2 or 5 times a power of ten."""
    size = 1
    while True:
        for step in (1, 2, 5):
            if width <= step * size:
                return step * size
        size *= 10
