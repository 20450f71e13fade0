"""sprout's tokenizer: byte-level BPE, 6,400 pieces, every common Chinese character one of them.

Trained with Chinese characters kept apart (so no piece spans two of them) and shipped with Qwen2's
own way of cutting text, which then gives the same pieces and which other programs (llama.cpp among
them) know by name.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from engine.sprout.exercises import common_characters

VOCABULARY = 6400
PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
LETTERS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
REST = r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LETTERS + REST
ROLE_TEXTS = ["system", "user", "assistant"] * 2000
APART = r"\p{Han}|" + LETTERS.replace(r"\p{L}+", r"[\p{L}&&[^\p{Han}]]+") + REST
CHAT_TEMPLATE = """\
{%- for message in messages %}
    {%- if message['role'] == 'assistant' %}
        {{- '<|im_start|>assistant\\n' }}
        {%- generation %}
            {{- message['content'] + '<|im_end|>' }}
        {%- endgeneration %}
        {{- '\\n' }}
    {%- elif message['role'] in ['system', 'user'] %}
        {{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}
    {%- else %}
        {{- raise_exception('The roles are system, user and assistant, not ' + message['role']) }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""


def cutting(pattern: str) -> pre_tokenizers.PreTokenizer:
    """Cut text where `pattern` says, then spell each piece in bytes."""
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def train(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Learn the pieces from `texts`, and from every common character often enough to be one."""
    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer = cutting(APART)
    bare.decoder = decoders.ByteLevel()
    special = [AddedToken(token, special=True, normalized=False) for token in (PAD, START, END)]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    every_character = [character * 1000 for character in common_characters()]
    bare.train_from_iterator([*texts, *every_character], trainer)
    bare.pre_tokenizer = cutting(QWEN2)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bare,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[START],
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    check(tokenizer)
    return tokenizer


def check(tokenizer: PreTrainedTokenizerFast) -> None:
    split = [
        character for character in common_characters() if len(tokenizer.encode(character)) != 1
    ]
    assert not split, (
        f"{len(split)} common characters are not one piece, {''.join(split[:20])} among them. "
        "Make them more frequent in the training text."
    )


def save(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write the files, under the class name that every version of Transformers knows."""
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    path.write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
