"""The shipped tokenizer: every text comes back, the chat template and its mask are exact."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from engine.sprout import corpus, pretrain, tokenizer
from engine.sprout.exercises import common_characters

SHIPPED = Path("data/sprout")
TALK = [
    {"role": "system", "content": "You are Tom."},
    {"role": "user", "content": "Hello 12"},
    {"role": "assistant", "content": "你好！"},
    {"role": "user", "content": "Bye"},
    {"role": "assistant", "content": "See you."},
]
MADE = AutoTokenizer.from_pretrained(SHIPPED)
CUT_APART = Tokenizer.from_file(str(SHIPPED / "tokenizer.json"))
CUT_APART.pre_tokenizer = tokenizer.cutting(tokenizer.APART)


@given(st.text())
@settings(deadline=None, max_examples=300)
def test_any_text_comes_back(text):
    assert MADE.decode(MADE.encode(text)) == text


def test_common_characters_are_single_pieces():
    assert all(len(MADE.encode(character)) == 1 for character in common_characters())


def test_digits_stand_alone():
    assert [MADE.decode([piece]) for piece in MADE.encode("2026")] == ["2", "0", "2", "6"]


@given(st.text(st.characters(codec="utf-8") | st.sampled_from(common_characters())))
@settings(deadline=None, max_examples=300)
def test_cutting_between_chinese_characters_changes_nothing(text):
    assert CUT_APART.encode(text).ids == MADE.encode(text)


def test_special_tokens():
    assert (MADE.pad_token, MADE.eos_token) == ("<|endoftext|>", "<|im_end|>")
    assert MADE.bos_token is None
    assert 6000 <= len(MADE) <= 6500


def test_chat_template_text():
    assert MADE.apply_chat_template(TALK, tokenize=False) == (
        "<|im_start|>system\nYou are Tom.<|im_end|>\n"
        "<|im_start|>user\nHello 12<|im_end|>\n"
        "<|im_start|>assistant\n你好！<|im_end|>\n"
        "<|im_start|>user\nBye<|im_end|>\n"
        "<|im_start|>assistant\nSee you.<|im_end|>\n"
    )


def test_generation_prompt_without_a_system_prompt():
    text = MADE.apply_chat_template(TALK[1:2], tokenize=False, add_generation_prompt=True)
    assert text == "<|im_start|>user\nHello 12<|im_end|>\n<|im_start|>assistant\n"


def test_unknown_role_is_refused():
    with pytest.raises(Exception, match="not tool"):
        MADE.apply_chat_template([{"role": "tool", "content": "x"}], tokenize=False)


def test_assistant_mask():
    coded = MADE.apply_chat_template(TALK, return_dict=True, return_assistant_tokens_mask=True)
    pairs = zip(coded["input_ids"], coded["assistant_masks"], strict=True)
    seen = MADE.decode([piece for piece, masked in pairs if masked])
    assert seen == "你好！<|im_end|>See you.<|im_end|>"


def test_pretraining_sees_what_the_template_says():
    coder = pretrain.Coder(MADE, user_weight=0.1)
    for row in corpus.conversations(8, 200):
        coded = MADE.apply_chat_template(
            row["messages"], return_dict=True, return_assistant_tokens_mask=True
        )
        ids, weights = coder.encode(row["messages"])
        assert ids == coded["input_ids"]
        assert [int(weight == 1) for weight in weights] == coded["assistant_masks"]


def test_pages_count_every_piece():
    ids, weights = pretrain.Coder(MADE, user_weight=0.1).encode_page("A boat. 一只船。")
    assert MADE.decode(ids) == "A boat. 一只船。<|im_end|>\n"
    assert weights == [1.0] * (len(ids) - 1) + [0.0]


def test_shipped_words_are_few_pieces():
    words = "gull harbour kettle garden lantern letter weather grandmother whistle".split()
    assert all(len(MADE.encode(" " + word)) <= 2 for word in words)
