"""The vocabularies of ChatGLM: read from their files, cut as SentencePiece does, learned as marked.

The files are written here as protocol buffers, small enough to be read.
"""

import struct

import pytest
from transformers import AutoTokenizer

from engine.dataset.prompt import render
from engine.dataset.tokens import IGNORED, encode
from engine.errors import UserError
from engine.models.old import chatglm3_tokenizer, chatglm_tokenizer
from engine.models.old.pieces import Piece, Pieces, read_pieces
from tests.models.old.vocabularies import (
    BPE,
    CONTROL,
    DEFINED,
    NORMAL,
    UNIGRAM,
    UNKNOWN,
    counted,
    model,
    varint,
)


def lower_q():
    """A normalizer's table that knows one thing, Q becomes q: a double array of one branch."""
    units = [0] * 512
    units[0] = 256 << 10  # the root's children begin at 256
    units[256 ^ ord("Q")] = ord("Q") | 1 << 8 | 1 << 10  # its leaf is its neighbour
    units[256 ^ ord("Q") ^ 1] = 1 << 31  # the text at 0
    table = struct.pack("<512I", *units)
    return struct.pack("<I", len(table)) + table + b"q\0"


@pytest.fixture
def chatglm(tmp_path):
    """ChatGLM-6B's tokenizer from a folder in its layout."""
    (tmp_path / "ice_text.model").write_bytes(model(UNIGRAM, unigram=True, charsmap=lower_q()))
    return chatglm_tokenizer.load_tokenizer(tmp_path, {"max_sequence_length": 2048})


@pytest.fixture
def load_bpe(tmp_path):
    """ChatGLM2's or ChatGLM3's, by the name in tokenizer_config.json."""

    def load(name):
        (tmp_path / "tokenizer.model").write_bytes(model(BPE, unigram=False))
        (tmp_path / "tokenizer_config.json").write_text(f'{{"name_or_path": "THUDM/{name}"}}')
        return chatglm3_tokenizer.load_tokenizer(tmp_path, {"seq_length": 8192})

    return load


def ids_of(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def tokens_of(tokenizer, text):
    return tokenizer.convert_ids_to_tokens(ids_of(tokenizer, text))


def learned(tokenizer, messages):
    """The tokens whose labels are not ignored."""
    encoded = encode(tokenizer, {"messages": messages}, max_length=999)
    kept = [one for one in encoded.labels if one != IGNORED]
    return tokenizer.convert_ids_to_tokens(kept)


def turns(*texts):
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]


def test_a_vocabulary_is_read_as_it_was_written(tmp_path):
    file = tmp_path / "a.model"
    pieces = [Piece("<unk>", 0.0, UNKNOWN), Piece("▁a", -1.5, NORMAL), Piece("<n>", 0.0, DEFINED)]
    file.write_bytes(model(pieces, unigram=True, charsmap=b"map"))
    assert read_pieces(file) == Pieces(pieces, is_unigram=True, charsmap=b"map")
    file.write_bytes(model(pieces, unigram=False))
    assert read_pieces(file) == Pieces(pieces, is_unigram=False, charsmap=b"")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "it cannot be opened"),
        (b"", "it holds no pieces"),
        (b"version https://git-lfs.github.com/spec/v1\n", "it is broken"),
        (model(UNIGRAM, unigram=True)[:-3], "it is broken"),
        (counted(1, counted(1, b"\xff\xfe")), "it is broken"),
        (counted(1, varint(2 << 3 | 5) + bytes(4)), "it is broken"),
        (varint(1 << 3) + varint(7), "it is broken"),
        (b"\x0a" + b"\xff" * 12, "it is broken"),
    ],
)
def test_what_is_no_vocabulary_is_said_in_a_sentence(tmp_path, content, why):
    """Missing, empty, a pointer of Git LFS, cut off, a piece of no UTF-8 or without a text, a
    number for a piece, a number without an end."""
    file = tmp_path / "ice_text.model"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserError) as said:
        read_pieces(file)
    assert why in str(said.value)
    assert "ice_text.model" in said.value.sentence.zh
    assert said.value.field == "model_name_or_path"


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("ab", ["▁ab"]),
        (" ab  c ", ["▁ab", "<|blank_2|>", "c"]),
        ("Qb", ["▁", "q", "b"]),
        ("\n\tc", ["▁", "<n>", "<|tab|>", "c"]),
        ("a" + " " * 83 + "b", ["▁", "a", "<|blank_80|>", "<|blank_3|>", "b"]),
        ("é", ["▁", "<0xC3>", "<0xA9>"]),
        ("a<sop> [MASK]b", ["▁", "a", "<sop>", "[MASK]", "▁", "b"]),
        ("</s>", ["▁", "<", "/", "s", ">"]),
        ("[gMASK]", ["▁", "[", "g", "MASK", "]"]),
    ],
)
def test_chatglm_cuts_a_text_as_its_original(chatglm, text, tokens):
    """Nothing; a piece with its space; runs of blanks, and single ones at the ends left out; the
    table's Q; line and tab; a run of more than 80; a sign in bytes; what is special when typed;
    what is not."""
    assert tokens_of(chatglm, text) == tokens
    assert chatglm(text)["input_ids"][-2:] == chatglm.convert_tokens_to_ids(["<|gMASK|>", "<sop>"])


def test_chatglm_gives_a_text_back(chatglm):
    text = "ab  c\n\n\tq é   b"
    assert chatglm.decode(ids_of(chatglm, text)) == text
    answer = ids_of(chatglm, "<|gMASK|><sop>ab<eop>")
    assert chatglm.decode(answer, skip_special_tokens=True) == "ab"


def test_chatglm_pads_on_the_left_with_its_own_ids(chatglm):
    side = chatglm(["ab", "ab ab"], padding=True)
    pad = UNIGRAM.index(Piece("<pad>", 0.0, CONTROL))
    assert side["input_ids"][0][:1] == [pad]
    assert side["attention_mask"] == [[0, 1, 1, 1], [1, 1, 1, 1]]
    assert chatglm.eos_token == "<eop>"
    assert chatglm.eos_token_id == UNIGRAM.index(Piece("<eop>", 0.0, CONTROL))
    assert len(chatglm) == len(UNIGRAM)


def test_a_question_to_chatglm_is_its_text(chatglm):
    asked = render(chatglm, turns("ab"), add_generation_prompt=True)
    assert asked.text == "ab<|gMASK|><sop>"
    talk = turns("ab", "c", "de", "f")
    asked = render(chatglm, talk[:3], add_generation_prompt=True)
    rounds = "[Round 0]\n问：ab\n答：c\n[Round 1]\n问：de\n答：<|gMASK|><sop>"
    assert asked.text == rounds
    assert render(chatglm, talk).text == rounds + "f<eop>"
    told = [{"role": "system", "content": "be"}, *turns("ab", "c")]
    assert render(chatglm, told).text == "be\nab<|gMASK|><sop>c<eop>"


def test_chatglm_learns_what_stands_behind_the_prompt(chatglm):
    """Its last answer and the end, nothing of the answers that are part of the prompt."""
    assert learned(chatglm, turns("ab", "ab  c")) == ["▁ab", "<|blank_2|>", "c", "<eop>"]
    assert learned(chatglm, turns("ab", "c", "de", "f")) == ["▁", "f", "<eop>"]


@pytest.mark.parametrize("count", [20_000, 0])
def test_the_edition_with_images_is_refused(tmp_path, count):
    (tmp_path / "ice_text.model").write_bytes(model(UNIGRAM, unigram=True))
    (tmp_path / "tokenizer_config.json").write_text(f'{{"num_image_tokens": {count}}}')
    if not count:
        assert chatglm_tokenizer.load_tokenizer(tmp_path, {}).pad_token == "<pad>"
        return
    with pytest.raises(UserError, match="20000 image tokens") as said:
        chatglm_tokenizer.load_tokenizer(tmp_path, {})
    assert "20000" in said.value.sentence.zh


def test_a_vocabulary_of_another_model_is_refused(tmp_path):
    """Else the special tokens would come behind the others, where the model has no row for them."""
    (tmp_path / "ice_text.model").write_bytes(model(UNIGRAM[:40], unigram=True))
    (tmp_path / "tokenizer.model").write_bytes(model(UNIGRAM, unigram=True))
    with pytest.raises(UserError, match="lacks its special tokens"):
        chatglm_tokenizer.load_tokenizer(tmp_path, {})
    with pytest.raises(UserError, match="not the BPE vocabulary"):
        chatglm3_tokenizer.load_tokenizer(tmp_path, {})
    (tmp_path / "ice_text.model").write_bytes(model(BPE, unigram=False))
    with pytest.raises(UserError, match="not a Unigram vocabulary"):
        chatglm_tokenizer.load_tokenizer(tmp_path, {})


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("people", ["▁people"]),
        ("xpeople", ["▁", "x", "pe", "ople"]),
        (" hi", ["▁", "▁hi"]),
        ("é", ["▁", "<0xC3>", "<0xA9>"]),
        ("sop", ["▁", "sop"]),
        ("[gmask]<sop>", ["▁", *"[gmask]", "<", "sop", ">"]),
        ("<s>", ["▁", "<", "s", ">"]),
    ],
)
def test_chatglm3_cuts_a_text_as_its_original(load_bpe, text, tokens):
    """The earliest pair first ("pe" before "eop"); a space at the start; a sign in bytes; names of
    special tokens typed by a person."""
    tokenizer = load_bpe("chatglm3-6b")
    assert tokens_of(tokenizer, text) == tokens
    starts = [len(BPE) + 1, len(BPE) + 3]
    assert tokenizer(text)["input_ids"] == [*starts, *ids_of(tokenizer, text)]


def test_chatglm3_speaks_in_turns_of_roles(load_bpe):
    """An answer ends where the next turn begins, with a token that is learned."""
    tokenizer = load_bpe("chatglm3-6b")
    talk = [{"role": "system", "content": "be"}, *turns("hi", "so", "you", "le")]
    asked = render(tokenizer, talk[:-1], add_generation_prompt=True)
    assert asked.text == (
        "<|gMASK|><|sop|><|system|>\n be<|user|>\n hi<|assistant|>\n so<|user|>\n you<|assistant|>"
    )
    assert render(tokenizer, talk).text == asked.text + "\n le</s>"
    ids = ids_of(tokenizer, asked.text)
    special = [one for one in ids if one >= len(BPE)]
    assert [one - len(BPE) for one in special] == [1, 3, 5, 6, 7, 6, 7]
    first, last = ["▁", "\n", "▁", "so", "<|user|>"], ["▁", "\n", "▁", "le", "</s>"]
    assert learned(tokenizer, talk) == first + last
    assert tokenizer.decode(ids_of(tokenizer, "\n so"), skip_special_tokens=True) == "so"
    assert tokenizer.decode(ids_of(tokenizer, "hi\n so")) == "hi\n so"


def test_chatglm2_counts_its_rounds(load_bpe):
    tokenizer = load_bpe("chatglm2-6b")
    talk = turns("hi", "so", "you", "le")
    asked = render(tokenizer, talk[:-1], add_generation_prompt=True)
    assert asked.text == (
        "<|gMASK|><|sop|>[Round 1]\n\n问：hi\n\n答：so\n\n[Round 2]\n\n问：you\n\n答："
    )
    assert render(tokenizer, talk).text == asked.text + " le</s>"
    assert learned(tokenizer, talk) == ["▁", "le", "</s>"]
    assert "<|user|>" not in tokenizer.get_vocab()
    told = [{"role": "system", "content": "be"}, *turns("hi")]
    assert render(tokenizer, told, add_generation_prompt=True).text == (
        "<|gMASK|><|sop|>be\n\n[Round 1]\n\n问：hi\n\n答："
    )


@pytest.mark.parametrize(
    ("files", "old", "is_third"),
    [
        ({"tokenization_chatglm.py": 'roles = ["<|user|>"]'}, {"_name_or_path": "chatglm2"}, True),
        ({"tokenization_chatglm.py": "class ChatGLMTokenizer: pass"}, {}, False),
        ({"tokenizer_config.json": '{"added": "<|user|>"}'}, {}, True),
        ({"tokenizer_config.json": '{"name_or_path": "THUDM/chatglm2-6b"}'}, {}, False),
        ({}, {"_name_or_path": "/models/ChatGLM2-6B"}, False),
        ({}, {"_name_or_path": "THUDM/chatglm3-6b"}, True),
        ({}, {}, False),
    ],
)
def test_chatglm2_and_3_are_told_apart(tmp_path, files, old, is_third):
    """By the program that came with it, else by the names in its files, else by its folder's."""
    folder = tmp_path / "ChatGLM2"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    assert chatglm3_tokenizer.is_chatglm3(folder, old) is is_third


def test_a_saved_tokenizer_is_read_again_without_the_vocabulary(chatglm, load_bpe, tmp_path):
    text = "people  [MASK] hi\n"
    for number, one in enumerate((chatglm, load_bpe("chatglm3-6b"))):
        one.save_pretrained(tmp_path / str(number))
        again = AutoTokenizer.from_pretrained(tmp_path / str(number))
        assert again(text)["input_ids"] == one(text)["input_ids"]
        assert again.decode(ids_of(one, text)) == one.decode(ids_of(one, text))
        assert again.chat_template == one.chat_template
        assert (again.eos_token_id, again.padding_side) == (one.eos_token_id, "left")
