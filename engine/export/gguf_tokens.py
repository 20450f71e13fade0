"""A tokenizer written into GGUF: pieces with their types, merges, pre-tokenizer, special ids.

GGUF names a pre-tokenizer instead of describing it, so the one that splits text as this model's
does is looked for. Two kinds exist here: byte-level BPE ("gpt2") and Llama's pieces ("llama").
"""

import json
import re
from typing import TYPE_CHECKING, Any

from engine.dataset.tokens import end_of_turn_ids
from engine.errors import UserError

if TYPE_CHECKING:
    from gguf import GGUFWriter
    from tokenizers.pre_tokenizers import PreTokenizer
    from transformers import PreTrainedTokenizerBase

_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)
# Everything that the known ones split differently: numbers, short forms, signs, line ends, scripts.
_PROBE = (
    "Hello there, it's 7 o'clock; we'LL pay 1234567 EUR (or 89.50)!\n\n\tTabs  and   spaces \r\n"
    "你好，世界！3.14 和2026年。 naïve café l'été Ünïcode <|mark|> x_y=z+1;//ok\n  end  "
)
# The tags mark answers for training and are known to Transformers alone; as comments they keep the
# white space as it was.
_GENERATION_TAG = re.compile(r"\{%(-?)\s*(generation|endgeneration)\s*(-?)%\}")


def add_tokenizer(
    writer: "GGUFWriter", tokenizer: "PreTrainedTokenizerBase", vocab_size: int
) -> None:
    """`vocab_size` is the model's: rows of the embedding beyond the tokenizer's are unused pieces.

    Raises UserError for a tokenizer of another kind.
    """
    made_of = json.loads(tokenizer.backend_tokenizer.to_str())
    bpe = made_of["model"]
    if bpe["type"] != "BPE" or len(tokenizer) > vocab_size:
        raise _unknown(bpe["type"])
    merges = [one if isinstance(one, str) else " ".join(one) for one in bpe["merges"]]
    pieces, types = _pieces(tokenizer, made_of, vocab_size)
    if bpe.get("byte_fallback"):
        writer.add_tokenizer_model("llama")
        writer.add_tokenizer_pre("default")
        writer.add_token_scores(_scores(pieces, merges))
        first = tokenizer("a", add_special_tokens=False)["input_ids"][0]
        writer.add_add_space_prefix(tokenizer.convert_ids_to_tokens(first).startswith("▁"))
    else:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(pre_tokenizer(tokenizer))
        writer.add_token_merges(merges)
    writer.add_token_list(pieces)
    writer.add_token_types(types)
    _add_special_ids(writer, tokenizer)
    writer.add_chat_template(_GENERATION_TAG.sub(r"{#\1 \2 \3#}", tokenizer.chat_template))


def pre_tokenizer(tokenizer: "PreTrainedTokenizerBase") -> str:
    """The name that llama.cpp has for how this tokenizer splits text. Raises UserError."""
    mine = tokenizer.backend_tokenizer.pre_tokenizer
    if mine is not None:
        wanted = mine.pre_tokenize_str(_PROBE)
        for name, known in _known().items():
            if known.pre_tokenize_str(_PROBE) == wanted:
                return name
    raise _unknown("BPE")


def _known() -> dict[str, "PreTokenizer"]:
    from tokenizers import Regex
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence, Split

    def split(numbers: str) -> Sequence:
        words = Split(Regex(_WORDS % numbers), "isolated")
        return Sequence([words, ByteLevel(add_prefix_space=False, use_regex=False)])

    plain = ByteLevel(add_prefix_space=False, use_regex=True)
    return {
        "qwen2": split(r"\p{N}"),
        "llama-bpe": split(r"\p{N}{1,3}"),
        "gpt-2": plain,
        "smollm": Sequence([Digits(individual_digits=True), plain]),
    }


def _pieces(tokenizer, made_of: dict[str, Any], vocab_size: int) -> tuple[list[str], list[int]]:
    """By id: the piece's text, and its type as GGUF counts them."""
    from gguf import TokenType

    added = {one["id"]: one for one in made_of["added_tokens"]}
    texts = {at: piece for piece, at in made_of["model"]["vocab"].items()}
    fallback = made_of["model"].get("byte_fallback")
    pieces, types = [], []
    for at in range(vocab_size):
        text, kind = texts.get(at), TokenType.NORMAL
        if at in added:
            text = added[at]["content"]
            kind = TokenType.CONTROL if added[at]["special"] else TokenType.USER_DEFINED
        elif text is None:
            text, kind = f"[PAD{at}]", TokenType.UNUSED
        elif fallback and re.fullmatch(r"<0x[0-9A-F]{2}>", text):
            kind = TokenType.BYTE
        if fallback and at == tokenizer.unk_token_id:
            kind = TokenType.UNKNOWN
        pieces.append(text)
        types.append(int(kind))
    return pieces, types


def _scores(pieces: list[str], merges: list[str]) -> list[float]:
    """What is merged first has the highest score; a piece that no merge makes has the lowest."""
    ranks: dict[str, int] = {}
    for rank, merge in enumerate(merges):
        ranks.setdefault(merge.replace(" ", "", 1), rank)
    return [-float(ranks.get(piece, len(merges))) for piece in pieces]


def _add_special_ids(writer: "GGUFWriter", tokenizer: "PreTrainedTokenizerBase") -> None:
    for add, known in (
        (writer.add_bos_token_id, tokenizer.bos_token_id),
        (writer.add_eos_token_id, tokenizer.eos_token_id),
        (writer.add_pad_token_id, tokenizer.pad_token_id),
    ):
        if known is not None:
            add(known)
    for at in sorted(end_of_turn_ids(tokenizer) - {tokenizer.eos_token_id})[:1]:
        writer.add_eot_token_id(at)
    writer.add_add_bos_token(adds_bos(tokenizer))


def adds_bos(tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Whether it puts its begin-of-text before every text by itself."""
    bos = tokenizer.bos_token_id
    return bos is not None and tokenizer("a")["input_ids"][0] == bos


def _unknown(kind: str) -> UserError:
    return UserError(
        f"This model's tokenizer ({kind}) splits text in a way that GGUF has no name for here; "
        "take the merged model, and convert that with llama.cpp.",
        f"这个模型的分词器（{kind}）切分文本的方式，这里没有对应的 GGUF 名称；"
        "请导出合并后的模型，再用 llama.cpp 转换。",
    )
