"""Which figures learned.json has: one that lacks some, or has others, is damaged."""

from typing import Any

from engine.training.kinds import Kinds, each, has, is_count, is_figure, is_text, maybe

_LOSSES: Kinds = {"base": maybe(is_figure), "adapter": is_figure}
_ROWS: Kinds = _LOSSES | {"rows": is_count}
_BEST: Kinds = {
    **dict.fromkeys(("step", "last_step"), is_count),
    **dict.fromkeys(("eval_loss", "last_eval_loss"), is_figure),
    "first_eval_loss": maybe(is_figure),
    "checkpoint": is_text,
}
_FIGURES: Kinds = {
    "step": is_count,
    "verdict": is_text,
    "train": has(_ROWS),
    "held_out": maybe(has(_ROWS)),
    "general": has(_LOSSES),
    "answers": maybe(has({"asked": is_count, "changed": is_count})),
    "modules": maybe(has({"count": is_count, "zero": each(is_text)})),
    "best": maybe(has(_BEST)),
}
_FAILED: Kinds = {"step": is_count, "failed": is_text}


def are_whole(card: dict[str, Any]) -> bool:
    """Whether all is there that is read of a card, which may say only why there are no figures."""
    if has(_FAILED)(card):
        return True
    if not has(_FIGURES)(card):
        return False
    known, unseen, general = card["train"], card["held_out"], card["general"]
    if known["base"] is not None and unseen and unseen["base"] is None:
        return False
    return general["base"] is None or has({"guess": is_figure})(general)
