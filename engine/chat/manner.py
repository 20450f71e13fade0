"""How a voice reads and where it ends: the chat template, prompt and stop token of its training."""

import copy
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engine.dataset.tokens import end_of_turn_ids
from engine.models.adapter import read_json

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Manner(NamedTuple):
    """The base's tokenizer with the voice's template, the ids of the tokens that end it, and the
    system prompt that it was trained with."""

    tokenizer: "PreTrainedTokenizerBase"
    ends: frozenset[int]
    system_prompt: str


def manner_of(tokenizer: "PreTrainedTokenizerBase", folder: Path | None, card: dict) -> Manner:
    """Of the adapter in `folder`, whose greenroom.json is `card`; without a folder the base's own.
    What the adapter does not say is as in the base. Raises UserError for a broken file."""
    ends = end_of_turn_ids(tokenizer)
    template = _template(folder) if folder else ""
    if template and template != tokenizer.chat_template:
        tokenizer = copy.copy(tokenizer)  # the vocabulary is shared
        tokenizer.chat_template = template
    stop = tokenizer.get_vocab().get(card.get("stop_token"))
    ends = ends if stop is None else ends | {stop}
    prompt = card.get("system_prompt")  # of a file that anybody may have written
    return Manner(tokenizer, ends, prompt if isinstance(prompt, str) else "")


def _template(folder: Path) -> str:
    """As saved by Transformers: a file of its own, or before 4.43 in the tokenizer's."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    config = folder / "tokenizer_config.json"
    said = read_json(config) if config.is_file() else {}
    template = said.get("chat_template")
    return template if isinstance(template, str) else ""  # a list names several, none the default
