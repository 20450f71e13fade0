"""Where tokens begin by their bytes: what `tokenizers` itself says of it, for any text."""

from unicodedata import is_normalized

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import normalizers, pre_tokenizers, processors

from engine.dataset.prompt import render
from engine.dataset.token_bytes import token_bytes, token_offsets, token_ranges
from engine.dataset.tokens import encode_all
from engine.models.load import load_tokenizer

X = -100
# Letters of one to four bytes, composed and in parts, white space of several kinds.
ANSWERS = [
    "Yes, 2 things.",
    "Zoë, 你好。🙂🏽 end",
    "Zoe\u0308 de\u0301ja\u0300",
    "a  b\n\n c\u3000d",
]
LETTERS = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
TEXTS = st.lists(st.text() | st.sampled_from(ANSWERS), max_size=4)


def told(tokenizer, text):
    """Ids and offsets by `tokenizers`, which takes its time."""
    one = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False)
    return one.ids, one.offsets


def test_sizes_exactly(tokenizer):
    """A letter that no token has alone is one byte in each of its tokens."""
    sizes = token_bytes(tokenizer)
    ids, _ = told(tokenizer, "Hé<|im_end|>🙂 end")
    assert sizes[ids].tolist() == [1, 1, 1, len("<|im_end|>"), 1, 1, 1, 1, len(" end")]


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.data())
def test_ranges_and_offsets_are_those_that_tokenizers_tells(tokenizer, texts, data):
    """Of several texts at once, for spans that begin and end anywhere."""
    read = []
    for text in texts:
        ends = st.integers(0, len(text))
        spans = st.lists(st.tuples(ends, ends).map(sorted).map(tuple), max_size=3)
        read.append((text, data.draw(spans)))
    sizes = token_bytes(tokenizer)
    encodings = tokenizer.backend_tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    offsets = [
        token_offsets(text, one.ids, sizes) for text, one in zip(texts, encodings, strict=True)
    ]
    known = [told(tokenizer, text) for text in texts]
    assert [(one.ids, of) for one, of in zip(encodings, offsets, strict=True)] == known
    ranges = [
        [tuple(sum(begin < at for begin, _ in of) for at in span) for span in spans]
        for (_, spans), of in zip(read, offsets, strict=True)
    ]
    composed = all(is_normalized("NFC", text) for text in texts)
    assert token_ranges(read, encodings, sizes) == (ranges if composed else None)


def as_it_is(backend):
    pass


def composing(backend):
    backend.normalizer = normalizers.NFC()


def without_spaces(backend):
    spaces = pre_tokenizers.Split(" ", "removed")
    backend.pre_tokenizer = pre_tokenizers.Sequence([spaces, LETTERS])


def in_small_letters(backend):
    backend.normalizer = normalizers.Lowercase()


def with_a_space_before(backend):
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)


def trimming_offsets(backend):
    backend.post_processor = processors.ByteLevel(trim_offsets=True)


def in_words(backend):
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Metaspace("_"), LETTERS])


@pytest.mark.parametrize(
    ("change", "by_bytes"),
    [
        (as_it_is, True),
        (composing, True),
        (without_spaces, True),
        (in_small_letters, False),
        (with_a_space_before, False),
        (trimming_offsets, False),
        (in_words, False),
    ],
)
def test_each_kind_of_tokenizer_learns_what_its_own_offsets_say(change, by_bytes):
    """Also where the bytes of its tokens are not the text: parts of letters that it joins, space
    that it drops. Rows are encoded alone and together with those that need another way."""
    tokenizer = load_tokenizer("sprout")[0]
    change(tokenizer.backend_tokenizer)
    assert (token_bytes(tokenizer) is not None) == by_bytes
    asked = {"role": "user", "content": "Who?"}
    talks = [[asked, {"role": "assistant", "content": answer}] for answer in ANSWERS]
    expected = []
    for talk in talks:
        text, ((start, end),) = render(tokenizer, talk)
        ids, offsets = told(tokenizer, text)
        labels = [
            one if start <= begin < end else X for one, (begin, _) in zip(ids, offsets, strict=True)
        ]
        expected.append((ids, labels, offsets))

    def encoded(*talks):
        rows = encode_all(tokenizer, ({"messages": talk} for talk in talks), max_length=99)
        return [(one.input_ids, one.labels, one.offsets) for one in rows]

    assert encoded(*talks) == expected
    assert [encoded(talk) for talk in talks] == [[one] for one in expected]
