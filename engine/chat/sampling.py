"""How the next token is drawn: the settings, their ranges, and the draw itself."""

from typing import TYPE_CHECKING

from engine.errors import UserError

if TYPE_CHECKING:
    import torch
    from transformers import LogitsProcessorList

# Names as in Transformers' GenerationConfig; temperature 0 is greedy, top_k 0 is off.
DEFAULTS = {
    "temperature": 0.3,
    "top_p": 0.9,
    "top_k": 50,
    "repetition_penalty": 1.05,
    "max_new_tokens": 256,
    "seed": 0,
}
RANGES = {
    "temperature": (0.0, 2.0, 0.05),
    "top_p": (0.05, 1.0, 0.05),
    "top_k": (0, 200, 1),
    "repetition_penalty": (1.0, 2.0, 0.01),
    "max_new_tokens": (1, 4096, 1),
    "seed": (0, 2**31 - 1, 1),
}
# From here on scores up to 1e8, so divided, are within float32; below they come to be infinite and
# then no numbers. The draw is the greedy one on both sides: any lead is a certainty.
_COLDEST = 1e-30


def seed_after(seed: float, steps: int = 1) -> int:
    """After the last one comes the first."""
    return (int(seed) + steps) % (RANGES["seed"][1] + 1)


def checked(settings: dict[str, float]) -> dict[str, float]:
    """The defaults with these laid over; a temperature that is as good as 0 is 0. Raises UserError
    (with the field)."""
    for name, value in settings.items():
        if name not in RANGES:
            raise UserError(
                f"There is no sampling setting {name!r}; known are {', '.join(RANGES)}.",
                f"没有 {name!r} 这个采样设置；现有 {'、'.join(RANGES)}。",
                field=name,
            )
        low, high, step = RANGES[name]
        number = isinstance(value, int | float) and low <= value <= high
        if not number or (isinstance(step, int) and value != int(value)):
            raise UserError(
                f"{name} is {value}; it must be a number from {low:g} to {high:.10g}.",
                f"{name} 是 {value}，应为 {low:g} 到 {high:.10g} 之间的数。",
                field=name,
            )
    asked = DEFAULTS | settings
    is_greedy = 0 < asked["temperature"] < _COLDEST
    return asked | {"temperature": 0.0} if is_greedy else asked


def processors(settings: dict[str, float]) -> "LogitsProcessorList":
    """Transformers' processors in the order of its own generate()."""
    from transformers import LogitsProcessorList
    from transformers.generation import logits_process as known

    chosen = LogitsProcessorList()
    if settings["repetition_penalty"] != 1:
        chosen.append(known.RepetitionPenaltyLogitsProcessor(float(settings["repetition_penalty"])))
    if settings["temperature"] > 0:
        chosen.append(known.TemperatureLogitsWarper(float(settings["temperature"])))
        if settings["top_k"]:
            chosen.append(known.TopKLogitsWarper(int(settings["top_k"])))
        if settings["top_p"] < 1:
            chosen.append(known.TopPLogitsWarper(settings["top_p"]))
    return chosen


def draw(
    scores: "torch.Tensor", temperature: float, chances: "list[torch.Generator]"
) -> "torch.Tensor":
    """The next tokens' ids [rows] from processed scores [rows, vocabulary], each by its own random
    numbers.

    They are those that torch.multinomial draws: the largest share of a token's probability by an
    exponential number. It asks the GPU at each call whether these are probabilities, and waits.
    """
    if temperature == 0:
        return scores.argmax(-1)
    shares = scores.float().softmax(-1)
    waits = shares.new_empty(shares.shape)
    for row, generator in zip(waits, chances, strict=True):
        row.exponential_(1, generator=generator)
    return shares.div_(waits).argmax(-1)
