"""How a voice reads and where it ends: the chat template, prompt and stop token of its training."""

import copy
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engine.errors import UserError
from engine.models.adapter import config_of_run, read_json

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Manner(NamedTuple):
    """The base's tokenizer with the voice's template, the ids of the tokens that end it, and the
    system prompt that it was trained with."""

    tokenizer: "PreTrainedTokenizerBase"
    ends: frozenset[int]
    system_prompt: str


def manner_of(base: Manner, folder: Path, card: dict) -> Manner:
    """Of the adapter in `folder`, whose greenroom.json is `card`. What the adapter does not say is
    as in the base. Raises UserError for a broken file."""
    config = folder / "tokenizer_config.json"
    said = read_json(config) if config.is_file() else {}
    tokenizer, template = base.tokenizer, _template(folder, said)
    if template and template != tokenizer.chat_template:
        tokenizer = copy.copy(tokenizer)  # the vocabulary is shared
        tokenizer.chat_template = template
    eos = said.get("eos_token")
    eos = eos.get("content") if isinstance(eos, dict) else eos  # with how it is split, or alone
    stops = {one for one in (eos, card.get("stop_token")) if isinstance(one, str)}
    vocabulary = tokenizer.get_vocab()
    ends = base.ends | {vocabulary[one] for one in stops if one in vocabulary}
    trained = None if card else config_of_run(folder)  # of a checkpoint, which has no card
    # What a card says may be anybody's.
    prompt = trained.system_prompt if trained else card.get("system_prompt")
    return Manner(tokenizer, ends, prompt if isinstance(prompt, str) else "")


def _template(folder: Path, said: dict) -> str:
    """As saved by Transformers: a file of its own, or before 4.43 in the tokenizer's."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        try:
            return file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise UserError(
                f"{file} is no UTF-8 text; copy the adapter anew.",
                f"{file} 不是 UTF-8 文本；请重新复制这个适配器。",
                field="adapter",
            ) from None
    template = said.get("chat_template")
    return template if isinstance(template, str) else ""  # a list names several, none the default
