"""What the loss sees, token by token."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.dataset.prompt import render
from engine.dataset.tokens import encode, encode_all, segments

X = -100
TALK = {
    "messages": [
        {"role": "user", "content": "H"},
        {"role": "assistant", "content": "Y."},
        {"role": "user", "content": "G"},
        {"role": "assistant", "content": "N."},
    ]
}
# One letter is one token in every training of sprout's tokenizer; Ċ is the line break.
PIECES = ["<|im_start|>", "user", "Ċ", "H", "<|im_end|>", "Ċ"]
PIECES += ["<|im_start|>", "assistant", "Ċ", "Y", ".", "<|im_end|>", "Ċ"]
PIECES += ["<|im_start|>", "user", "Ċ", "G", "<|im_end|>", "Ċ"]
PIECES += ["<|im_start|>", "assistant", "Ċ", "N", ".", "<|im_end|>", "Ċ"]


def named(tokenizer, ids):
    """Ids as pieces; None for what is not learned."""
    return [None if i == X else tokenizer.convert_ids_to_tokens(i) for i in ids]


@pytest.mark.parametrize(
    ("loss_on", "labels"),
    [
        ("answers", [None] * 9 + ["Y", ".", "<|im_end|>"] + [None] * 10 + PIECES[22:25] + [None]),
        ("last_answer", [None] * 22 + ["N", ".", "<|im_end|>", None]),
        ("everything", [None, *PIECES[1:]]),
    ],
)
def test_ids_and_labels_exactly(tokenizer, loss_on, labels):
    """The answers with the token that ends them; not the line break after it."""
    encoded = encode(tokenizer, TALK, max_length=99, loss_on=loss_on)
    assert encoded.input_ids == encoded.all_ids
    assert named(tokenizer, encoded.input_ids) == PIECES
    assert named(tokenizer, encoded.labels) == labels
    assert encoded.learned == len(labels) - labels.count(None)
    assert (encoded.lost, encoded.end_is_learned) == (0, True)


@pytest.mark.parametrize(
    ("max_length", "learned", "end"), [(9, 0, False), (10, 1, False), (11, 2, False), (12, 3, True)]
)
def test_what_is_longer_is_cut_at_its_end(tokenizer, max_length, learned, end):
    encoded = encode(tokenizer, TALK, max_length=max_length)
    assert named(tokenizer, encoded.input_ids) == PIECES[:max_length]
    labels = [None] * 9 + ["Y", ".", "<|im_end|>"]
    assert named(tokenizer, encoded.labels) == labels[:max_length]
    assert (encoded.learned, encoded.end_is_learned) == (learned, end)
    assert encoded.lost == len(PIECES) - max_length


def weighed(*weights):
    answers = iter(weights)
    return {
        "messages": [
            m | {"weight": next(answers)} if m["role"] == "assistant" else m
            for m in TALK["messages"]
        ]
    }


@pytest.mark.parametrize(
    ("weights", "learned"), [((0, 1), PIECES[22:25]), ((1, 0), PIECES[9:12]), ((0, 0), [])]
)
def test_an_answer_of_weight_0_is_read_not_learned(tokenizer, weights, learned):
    """Nor is it where only the last answer is learned: then the last that has weight."""
    for loss_on in ("answers", "last_answer"):
        encoded = encode(tokenizer, weighed(*weights), max_length=99, loss_on=loss_on)
        assert named(tokenizer, encoded.input_ids) == PIECES
        assert [n for n in named(tokenizer, encoded.labels) if n] == learned


def test_plain_text_is_learned_to_its_end_but_for_its_first_token(tokenizer):
    encoded = encode(tokenizer, {"text": "H.Y."}, max_length=9)
    assert encoded.text == "H.Y.<|im_end|>"
    assert named(tokenizer, encoded.input_ids) == ["H", ".", "Y", ".", "<|im_end|>"]
    assert named(tokenizer, encoded.labels) == [None, ".", "Y", ".", "<|im_end|>"]


def test_the_system_prompt_is_read_not_learned(tokenizer):
    encoded = encode(tokenizer, TALK, max_length=99, system_prompt="Be kind.")
    assert encoded.text.startswith("<|im_start|>system\nBe kind.<|im_end|>\n")
    assert encoded.learned == 6


def test_segments_exactly(tokenizer):
    assert segments(encode(tokenizer, TALK, max_length=23)) == [
        ("<|im_start|>user\nH<|im_end|>\n<|im_start|>assistant\n", "read"),
        ("Y.", "learned"),
        ("<|im_end|>", "end"),
        ("\n<|im_start|>user\nG<|im_end|>\n<|im_start|>assistant\n", "read"),
        ("N", "learned"),
        (".<|im_end|>\n", "cut"),
    ]


SAID = st.text(min_size=1).filter(str.strip)
TALKS = st.lists(st.tuples(SAID, SAID), min_size=1, max_size=3).map(
    lambda pairs: {
        "messages": [
            {"role": role, "content": text}
            for pair in pairs
            for role, text in zip(("user", "assistant"), pair, strict=True)
        ]
    }
)
ROWS = TALKS | SAID.map(lambda text: {"text": text})


@settings(max_examples=200, deadline=None)
@given(ROWS, st.integers(8, 60), st.sampled_from(["answers", "last_answer", "everything"]))
def test_segments_tile_any_text_exactly(tokenizer, row, max_length, loss_on):
    encoded = encode(tokenizer, row, max_length=max_length, loss_on=loss_on)
    pieces = segments(encoded)
    assert "".join(text for text, _ in pieces) == encoded.text
    assert all(text for text, _ in pieces)
    assert all(a[1] != b[1] for a, b in zip(pieces, pieces[1:], strict=False))
    assert {mark for _, mark in pieces} <= {"read", "learned", "end", "cut"}
    assert any(mark == "cut" for _, mark in pieces) <= (encoded.lost > 0)


@settings(max_examples=200, deadline=None)
@given(ROWS, st.integers(8, 60), st.sampled_from(["answers", "last_answer", "everything"]))
def test_labels_are_the_ids_or_ignored_and_the_first_is(tokenizer, row, max_length, loss_on):
    encoded = encode(tokenizer, row, max_length=max_length, loss_on=loss_on)
    assert len(encoded.input_ids) == len(encoded.labels) <= max_length
    assert all(b in (X, a) for a, b in zip(encoded.input_ids, encoded.labels, strict=True))
    assert encoded.labels[0] == X


@settings(max_examples=200, deadline=None)
@given(TALKS)
def test_the_learned_tokens_say_the_answers(tokenizer, row):
    """Decoded, they are what the assistant said, with its ends: nothing of the questions."""
    encoded = encode(tokenizer, row, max_length=100_000)
    said = [m["content"] for m in row["messages"] if m["role"] == "assistant"]
    ids = [label for label in encoded.labels if label != X]
    expected = "".join(f"{text}<|im_end|>" for text in said)
    assert tokenizer.decode(ids) == expected


@settings(max_examples=200, deadline=None)
@given(TALKS, st.sampled_from(["answers", "last_answer"]))
def test_learned_are_exactly_the_tokens_that_begin_within_an_answer(tokenizer, row, loss_on):
    """Against the rendered spans and the offsets as Transformers gives them, token by token."""
    rendered = render(tokenizer, row["messages"])
    spans = rendered.answers[-1:] if loss_on == "last_answer" else rendered.answers
    batch = tokenizer(rendered.text, add_special_tokens=False, return_offsets_mapping=True)
    labels = [
        token if any(start <= begins < end for start, end in spans) else X
        for token, (begins, _) in zip(batch["input_ids"], batch["offset_mapping"], strict=True)
    ]
    encoded = encode(tokenizer, row, max_length=100_000, loss_on=loss_on)
    assert (encoded.all_ids, encoded.labels) == (batch["input_ids"], labels)
    assert encoded.learned == sum(label != X for label in labels)
    assert encoded.offsets == batch["offset_mapping"]


def test_many_rows_are_encoded_as_each_alone(tokenizer):
    """Over the borders of batches, in order."""
    rows = [{"text": f"Row {i}. 第{i}行。" * (i % 3 + 1)} for i in range(1203)]
    together = [one.all_ids for one in encode_all(tokenizer, rows, max_length=50)]
    assert together == [encode(tokenizer, row, max_length=50).all_ids for row in rows]


def test_truncation_written_into_a_tokenizer_cuts_nothing(tokenizer):
    """Some tokenizer.json files ask for 512 tokens and padding; max_length alone decides."""
    tokenizer.backend_tokenizer.enable_truncation(4)
    tokenizer.backend_tokenizer.enable_padding(length=64)
    assert named(tokenizer, encode(tokenizer, TALK, max_length=99).all_ids) == PIECES


def test_threads_do_not_disturb_each_other(tokenizer):
    """The page looks at a row while all rows are measured."""
    rows = [{"messages": TALK["messages"] * (n % 3 + 1)} for n in range(600)]

    def encoded(_):
        return [one.labels for one in encode_all(tokenizer, rows, max_length=99)]

    alone = encoded(0)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(encoded, range(8))) == [alone] * 8
