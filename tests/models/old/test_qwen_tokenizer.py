"""Qwen v1's tokenizer from its ranks: ids by tiktoken's rule, ChatML with its answers marked."""

import base64

import pytest
from transformers import AutoTokenizer

from engine.dataset.prompt import render
from engine.dataset.tokens import encode
from engine.errors import UserError
from engine.models.load import load_tokenizer
from engine.models.old import qwen_tokenizer

TEXTS = [
    "hello world",
    "helloworld",
    "你好, hello's 12 w",
    "he  llo\n\n\tx",
    "Cafe\u0301",
    "<|im_start|>user\nhi<|im_end|>",
    "",
]


@pytest.fixture(scope="module")
def made(qwen_folder):
    return load_tokenizer(str(qwen_folder))


def by_ranks(folder, word):
    """tiktoken's rule: of all neighbours, those whose union ranks lowest become one."""
    lines = (folder / "qwen.tiktoken").read_text().splitlines()
    ranks = {base64.b64decode(t): int(rank) for t, rank in (line.split() for line in lines)}
    parts = [bytes([b]) for b in word.encode()]
    while True:
        unions = [a + b for a, b in zip(parts, parts[1:], strict=False)]
        pairs = [(ranks[one], at) for at, one in enumerate(unions) if one in ranks]
        if not pairs:
            return [ranks[part] for part in parts]
        _, at = min(pairs)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hello world", ["hello", " world"]),
        ("helloworld", ["helloworld"]),
        ("你好, hello's 12 w", ["你好", ",", " hello", "'s", " ", "1", "2", " w"]),
        ("he  llo\n\n\tx", ["he", " ", " llo", "\n\n", "\tx"]),
        ("Cafe\u0301", ["Caf\u00e9"]),
    ],
)
def test_ids_are_those_of_the_ranks_word_by_word(made, qwen_folder, text, words):
    """Single digits; a blank goes with its word; composed letters (NFC)."""
    expected = [rank for word in words for rank in by_ranks(qwen_folder, word)]
    assert made[0](text)["input_ids"] == expected


def test_marks_are_one_token_each_after_the_ranks(made):
    tokenizer, _ = made
    marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|extra_0|>", "<|extra_204|>"]
    assert tokenizer.convert_tokens_to_ids(marks) == [265, 266, 267, 268, 472]
    assert len(tokenizer) == 265 + 208
    assert tokenizer("<|im_end|>")["input_ids"] == [267]
    assert (tokenizer.eos_token_id, tokenizer.pad_token_id) == (265, 265)


@pytest.mark.parametrize("text", TEXTS)
def test_a_saved_copy_is_the_same_and_words_come_back(made, text, tmp_path):
    made[0].save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    ids = made[0](text)["input_ids"]
    assert again(text)["input_ids"] == ids
    assert again.decode(ids) == text.replace("e\u0301", "\u00e9")


def test_the_template_is_chatml_and_its_answers_are_learned(made):
    """Qwen v1 always has a system turn; an answer's end is learned with it, no more."""
    tokenizer, note = made
    turns = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hello world"}]
    text = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nhello"
    text += "<|im_end|>\n<|im_start|>assistant\n"
    assert render(tokenizer, turns[:1], add_generation_prompt=True).text == text
    assert render(tokenizer, turns).text == text + "hello world<|im_end|>\n"
    encoded = encode(tokenizer, {"messages": turns}, max_length=999)
    learned = [one for one in encoded.labels if one != -100]
    assert tokenizer.decode(learned) == "hello world<|im_end|>"
    own = [{"role": "system", "content": "hi"}, *turns]
    assert render(tokenizer, own).text.startswith("<|im_start|>system\nhi<|im_end|>\n<|im_start|>u")
    assert "the original Qwen stretches" in note.en


def test_merges_are_found_in_the_order_of_their_ranks():
    ranks = {bytes([b]): b for b in range(256)} | {
        b"ab": 256,
        b"bc": 257,
        b"abc": 258,
        b"abcd": 259,
    }
    assert qwen_tokenizer._merges(ranks) == [
        (b"a", b"b"),
        (b"b", b"c"),
        (b"ab", b"c"),
        (b"abc", b"d"),
    ]


@pytest.mark.parametrize(
    "text", ["", "IQ== x", "IQ==", "not base64 at all", "IQ== 0\nIg== 2", "\u00e9"]
)
def test_a_broken_vocabulary_is_a_sentence(text, tmp_path):
    (tmp_path / "qwen.tiktoken").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="The vocabulary qwen.tiktoken in .* cannot be read") as r:
        qwen_tokenizer.load_tokenizer(tmp_path, {"seq_length": 64})
    assert r.value.field == "model_name_or_path"


def test_a_missing_vocabulary_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match="cannot be read .*No such file"):
        qwen_tokenizer.load_tokenizer(tmp_path, {"seq_length": 64})
