"""The tokenizer of ChatGLM2-6B and ChatGLM3-6B, made fast from tokenizer.model, with their prompts.

Both begin with [gMASK] and sop, here `<|gMASK|><|sop|>`: the originals have no written form of
either, and take a typed "[gMASK]" or "sop" letter by letter.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import UserError
from engine.models.old.pieces import Kind, Pieces, read_pieces

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

# In the order of their ids, which go on where the file's pieces end.
_STARTS = ("<|MASK|>", "<|gMASK|>", "<|sMASK|>", "<|sop|>", "<|eop|>")
_ROLES = ("<|system|>", "<|user|>", "<|assistant|>", "<|observation|>")

# An answer's text is encoded by itself in the original, hence the space. As there, earlier answers
# end with no token of their own, so only the last is learned.
_TEMPLATE_2 = (
    "{{- '<|gMASK|><|sop|>' -}}"
    "{%- set asked = namespace(before=0) -%}"
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'system' -%}{{ message['content'] + '\n\n' }}"
    "{%- elif message['role'] == 'user' -%}"
    "{%- set asked.before = asked.before + 1 -%}"
    "{{ '[Round ' ~ asked.before ~ ']\n\n问：' ~ message['content'] ~ '\n\n答：' }}"
    "{%- elif loop.last -%}"
    "{%- generation -%}{{ ' ' + message['content'] + eos_token }}{%- endgeneration -%}"
    "{%- else -%}{{ message['content'] + '\n\n' }}{%- endif -%}"
    "{%- endfor -%}"
)
# The next turn's <|user|> is what ends an answer: it is learned with it.
_TEMPLATE_3 = (
    "{{- '<|gMASK|><|sop|>' -}}"
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'system' -%}{{ '<|system|>\n ' + message['content'] }}"
    "{%- elif message['role'] == 'user' -%}"
    "{%- if loop.first or loop.previtem['role'] != 'assistant' -%}{{ '<|user|>' }}{%- endif -%}"
    "{{ '\n ' + message['content'] }}"
    "{%- else -%}{{ '<|assistant|>' }}"
    "{%- generation -%}{{ '\n ' + message['content'] }}"
    "{%- if loop.last -%}{{ eos_token }}"
    "{%- elif loop.nextitem['role'] == 'user' -%}{{ '<|user|>' }}{%- endif -%}"
    "{%- endgeneration -%}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|assistant|>' }}{%- endif -%}"
)


def load_tokenizer(folder: Path, old: dict[str, Any]) -> "PreTrainedTokenizerFast":
    """The tokenizer of a folder as published; `old` is its config.json. Raises UserError for a
    vocabulary that cannot be read."""
    from transformers import PreTrainedTokenizerFast

    has_roles = is_chatglm3(folder, old)
    special = [*_STARTS, *(_ROLES if has_roles else ())]
    backend = _backend(read_pieces(folder / "tokenizer.model"), special)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="<unk>",
        pad_token="<unk>",
        eos_token="</s>",
        extra_special_tokens=special,
        padding_side="left",
        model_max_length=old.get("seq_length", 8192),
        clean_up_tokenization_spaces=False,
        chat_template=_TEMPLATE_3 if has_roles else _TEMPLATE_2,
    )


def is_chatglm3(folder: Path, old: dict[str, Any]) -> bool:
    """Whether the turns begin with tokens of roles. Configs and vocabularies are the same in both:
    the tokenizer's own program beside them is looked into (never run), else the names are read."""
    texts = [_text(folder / name) for name in ("tokenization_chatglm.py", "tokenizer_config.json")]
    if "<|user|>" in "".join(texts):
        return True
    if texts[0]:
        return False
    for name in (texts[1], str(old.get("_name_or_path")), folder.name):
        named = [number for number in "23" if f"chatglm{number}" in name.lower()]
        if len(named) == 1:
            return named == ["3"]
    return True


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _backend(pieces: Pieces, special: list[str]) -> "Tokenizer":
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, processors

    names = [*(one.text for one in pieces.pieces), *special]
    if pieces.is_unigram or not {"<unk>", "</s>"} <= set(names):
        raise UserError(
            "tokenizer.model is not the BPE vocabulary of ChatGLM2 or ChatGLM3; copy it anew from "
            "where the model was published.",
            "tokenizer.model 不是 ChatGLM2 或 ChatGLM3 的 BPE 词表，请从模型发布处重新复制。",
            field="model_name_or_path",
        )
    ids = {name: number for number, name in enumerate(names)}
    backend = Tokenizer(
        models.BPE(ids, _merges(pieces), unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    backend.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    backend.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Replace(Regex(r"\A \n "), ""),  # the empty line that opens an answer
            decoders.Strip(" ", 1, 0),
        ]
    )
    start = [(name, ids[name]) for name in ("<|gMASK|>", "<|sop|>")]
    backend.post_processor = processors.TemplateProcessing(
        single="<|gMASK|> <|sop|> $A", special_tokens=start
    )
    backend.add_special_tokens(
        [AddedToken(name, normalized=False) for name in ("<unk>", "</s>", *special)]
    )
    return backend


def _merges(pieces: Pieces) -> list[tuple[str, str]]:
    """Every way in which two pieces make a third, in the order in which those were learned."""
    score = {one.text: one.score for one in pieces.pieces if one.kind is Kind.NORMAL}
    found = []
    for whole, rank in score.items():
        for at in range(1, len(whole)):
            left, right = whole[:at], whole[at:]
            if left in score and right in score:
                found.append((-rank, -score[left], -score[right], left, right))
    return [(left, right) for *_, left, right in sorted(found)]
