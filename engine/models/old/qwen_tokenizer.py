"""The tokenizer of Qwen v1 as a fast one: byte-level BPE from the ranks in qwen.tiktoken."""

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *(f"<|extra_{n}|>" for n in range(205))]
_WORDS = (  # contractions, words with what leads them, single digits, marks, line ends, blanks
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_TEMPLATE = """\
{%- if messages[0]['role'] != 'system' %}
    {{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {{- '<|im_start|>' + message['role'] + '\\n' }}
    {%- if message['role'] == 'assistant' %}
        {%- generation %}
            {{- message['content'] + '<|im_end|>' }}
        {%- endgeneration %}
        {{- '\\n' }}
    {%- else %}
        {{- message['content'] + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""


def load_tokenizer(folder: Path, old: dict[str, Any]) -> "PreTrainedTokenizerFast":
    """With ChatML as its template. Raises UserError when qwen.tiktoken is absent or broken."""
    from tokenizers import (
        AddedToken,
        Regex,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
    )
    from transformers import PreTrainedTokenizerFast

    ranks = _ranks(folder / "qwen.tiktoken")
    letters = _letters()
    vocabulary = {"".join(letters[b] for b in token): rank for token, rank in ranks.items()}
    merges = [tuple("".join(letters[b] for b in half) for half in pair) for pair in _merges(ranks)]
    # As tiktoken, a word that is a token is taken whole.
    fast = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, ignore_merges=True))
    fast.normalizer = normalizers.NFC()
    fast.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    fast.post_processor = processors.ByteLevel(trim_offsets=False)
    fast.decoder = decoders.ByteLevel()
    fast.add_special_tokens([AddedToken(one, normalized=False, special=True) for one in _SPECIAL])
    return PreTrainedTokenizerFast(
        tokenizer_object=fast,
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        chat_template=_TEMPLATE,
        model_max_length=old["seq_length"],
        clean_up_tokenization_spaces=False,
    )


def _ranks(file: Path) -> dict[bytes, int]:
    """Each token's bytes with its id, from lines of base64 and number."""
    try:
        lines = file.read_text(encoding="ascii").splitlines()
        pairs = [line.split() for line in lines if line]
        ranks = {base64.b64decode(token, validate=True): int(rank) for token, rank in pairs}
    except (OSError, ValueError, binascii.Error) as error:
        raise _unreadable(file, str(error)) from error
    if sorted(ranks.values()) != list(range(len(ranks))) or not _bytes() <= ranks.keys():
        raise _unreadable(file, "ids or bytes are missing")
    return ranks


def _bytes() -> set[bytes]:
    return {bytes([b]) for b in range(256)}


def _merges(ranks: dict[bytes, int]) -> list[tuple[bytes, bytes]]:
    """The two tokens that each token was merged from, in the order of their merging: what is left
    of its bytes when all merges before its own are done."""
    merges = []
    for token, rank in sorted(ranks.items(), key=lambda pair: pair[1]):
        parts = [token[i : i + 1] for i in range(len(token))]
        while len(parts) > 2:
            joined = [ranks.get(a + b, rank) for a, b in zip(parts, parts[1:], strict=False)]
            first = min(joined)
            if first >= rank:
                break
            at = joined.index(first)
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        if len(parts) == 2:
            merges.append((parts[0], parts[1]))
    return merges


def _letters() -> dict[int, str]:
    """The visible letter that byte-level BPE writes for each byte (GPT-2's table)."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [b for b in range(256) if b not in visible]
    return {b: chr(b) for b in visible} | {b: chr(256 + n) for n, b in enumerate(hidden)}


def _unreadable(file: Path, why: str) -> UserError:
    return UserError(
        f"The vocabulary {file.name} in {file.parent} cannot be read ({why[:120]}); copy it anew.",
        f"{file.parent} 里的词表 {file.name} 无法读取（{why[:120]}），请重新复制。",
        field="model_name_or_path",
    )
