"""ChatGLM-6B's tokenizer, made fast from its ice_text.model, with the prompt its chat() wrote.

A prompt is text, then [gMASK] and <sop>; an answer ends with <eop>. [gMASK] stands in texts as
`<|gMASK|>`: the original has no written form of it, and takes a typed "[gMASK]" letter by letter.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import UserError
from engine.models.old.pieces import Kind, Pieces, read_pieces

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

GMASK = "<|gMASK|>"
_SPECIAL = ("<unk>", "<pad>", GMASK, "<sop>", "<eop>")
_WRITTEN = {"[gMASK]": GMASK}
_BLANKS = range(80, 1, -1)  # runs of spaces that have a piece, the longest first
_NEVER = -1e9  # the score of a piece that no text can be cut into

# The other answers are part of the prompt, which is read as a whole: only the last is learned.
_TEMPLATE = (
    "{%- set rounds = messages | selectattr('role', 'equalto', 'user') | list | length -%}"
    "{%- set asked = namespace(before=0) -%}"
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'system' -%}{{ message['content'] + '\n' }}"
    "{%- elif message['role'] == 'user' -%}"
    "{%- if rounds > 1 -%}"
    "{{ '[Round ' ~ asked.before ~ ']\n问：' ~ message['content'] ~ '\n答：' }}"
    "{%- else -%}{{ message['content'] }}{%- endif -%}"
    "{%- set asked.before = asked.before + 1 -%}"
    "{%- elif loop.last -%}{{ '<|gMASK|><sop>' }}"
    "{%- generation -%}{{ message['content'] + eos_token }}{%- endgeneration -%}"
    "{%- else -%}{{ message['content'] + '\n' }}{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|gMASK|><sop>' }}{%- endif -%}"
)


def load_tokenizer(folder: Path, old: dict[str, Any]) -> "PreTrainedTokenizerFast":
    """The tokenizer of a folder as published; `old` is its config.json.

    Raises UserError for a vocabulary that cannot be read or is of the first weeks' edition.
    """
    from transformers import AddedToken, PreTrainedTokenizerFast

    _check_edition(folder)
    backend = _backend(read_pieces(folder / "ice_text.model"))
    if any(backend.token_to_id(name) is None for name in (*_SPECIAL, "[MASK]")):
        raise _wrong("ice_text.model lacks its special tokens", "ice_text.model 缺少特殊 token")
    mask = AddedToken("[MASK]", normalized=False, lstrip=True, rstrip=True)
    backend.add_special_tokens([*(AddedToken(name, normalized=False) for name in _SPECIAL), mask])
    _append_start(backend)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="<unk>",
        pad_token="<pad>",
        bos_token="<sop>",
        eos_token="<eop>",
        mask_token=mask,
        extra_special_tokens=[GMASK],
        padding_side="left",
        truncation_side="left",
        model_max_length=old.get("max_sequence_length", 2048),
        clean_up_tokenization_spaces=False,
        chat_template=_TEMPLATE,
    )


def _backend(pieces: Pieces) -> "Tokenizer":
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers

    if not pieces.is_unigram:
        raise _wrong(
            "its ice_text.model is not a Unigram vocabulary", "ice_text.model 不是 Unigram 词表"
        )
    runs = [(" " * count, f"<|blank_{count}|>") for count in _BLANKS]
    marks = [("\n", "<n>"), ("\t", "<|tab|>"), *runs]
    backend = Tokenizer(models.Unigram(_scored(pieces), unk_id=0, byte_fallback=True))
    charsmap = [normalizers.Precompiled(pieces.charsmap)] if pieces.charsmap else []
    backend.normalizer = normalizers.Sequence(
        [
            *(normalizers.Replace(text, mark) for text, mark in marks),
            *charsmap,
            normalizers.Replace(Regex("^ +| +$|(?<= ) +"), ""),
            normalizers.Replace(" ", "▁"),
            normalizers.Prepend("▁"),
        ]
    )
    backend.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            *(decoders.Replace(mark, text) for text, mark in marks),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return backend


def _scored(pieces: Pieces) -> list[tuple[str, float]]:
    """SentencePiece favours what its maker defined, by length in bytes, and finds no control piece
    in a text."""
    best = max(one.score for one in pieces.pieces if one.kind is Kind.NORMAL)
    scored = []
    for one in pieces.pieces:
        score = one.score if one.kind is Kind.NORMAL else _NEVER
        if one.kind is Kind.USER_DEFINED:
            score = len(one.text.encode()) * best - 0.1
        scored.append((_WRITTEN.get(one.text, one.text), score))
    return scored


def _append_start(backend: "Tokenizer") -> None:
    """What an encoded prompt ends with when special tokens are asked for."""
    from tokenizers import processors

    ids = [(name, backend.token_to_id(name)) for name in (GMASK, "<sop>")]
    backend.post_processor = processors.TemplateProcessing(
        single=f"$A {GMASK} <sop>", special_tokens=ids
    )


def _check_edition(folder: Path) -> None:
    """Until April 2023 its 20,000 image tokens came first, and every id was another."""
    file = folder / "tokenizer_config.json"
    if not file.is_file():
        return
    images = json.loads(file.read_text(encoding="utf-8")).get("num_image_tokens", 0)
    if images:
        raise _wrong(
            f"it numbers {images} image tokens before its words, as the edition of March 2023 did",
            f"词表前面还有 {images} 个图像 token，是 2023 年 3 月的旧版",
        )


def _wrong(en: str, zh: str) -> UserError:
    return UserError(
        f"This ChatGLM-6B cannot be read: {en}. Take the edition that is published today.",
        f"无法读取这个 ChatGLM-6B：{zh}。请使用现在发布的版本。",
        field="model_name_or_path",
    )
