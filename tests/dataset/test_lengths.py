"""The figures of a dataset: tokens a row, what is learned, what packing makes of it."""

import copy

import numpy

from engine.dataset.lengths import Lengths, measure, pictures, totals

ROWS = [
    {"messages": [{"role": "user", "content": "H"}, {"role": "assistant", "content": "Y."}]},
    {
        "messages": [
            {"role": "user", "content": "H"},
            {"role": "assistant", "content": "Y."},
            {"role": "user", "content": "G"},
            {"role": "assistant", "content": "N."},
        ]
    },
    {"text": "H."},
]


def test_each_row_is_measured(tokenizer):
    """13, 26 and 3 tokens; cut at 12 the answer's last line break, and the whole second turn."""
    seen = []
    lengths = measure(tokenizer, ROWS, max_length=12, each=lambda one: seen.append(one.text))
    assert lengths.total.tolist() == [13, 26, 3]
    assert lengths.trained.tolist() == [3, 3, 2]
    assert lengths.lost.tolist() == [1, 14, 0]
    assert lengths.turns.tolist() == [1, 2, 0]
    assert [len(text) for text in seen] == [64, 128, 12]


def test_one_end_that_is_learned_is_enough(tokenizer):
    """Cut at 5 tokens the conversations lose theirs; the text of three keeps its own."""
    assert measure(tokenizer, ROWS, max_length=5).end_is_learned is True
    assert measure(tokenizer, ROWS[:2], max_length=5).end_is_learned is False


def test_reasoning_that_the_template_leaves_out_is_counted(tokenizer):
    """As Qwen3's and DeepSeek's do of earlier turns."""
    told = {"role": "assistant", "content": "Y.", "reasoning_content": "Hm."}
    rows = [{"messages": [*ROWS[0]["messages"][:1], told]}, *ROWS]
    forgetful = copy.deepcopy(tokenizer)
    forgetful.chat_template = "{% for m in messages %}{{ m.content.split('>')[-1] }};{% endfor %}"
    assert measure(tokenizer, rows, max_length=64).unread.tolist() == [False] * 4
    assert measure(forgetful, rows, max_length=64).unread.tolist() == [True] + [False] * 3


def test_totals_exactly(tokenizer):
    assert totals(measure(tokenizer, ROWS, max_length=12)) == {
        "total_tokens": 27,
        "trained_tokens": 8,
        "zero_label_rows": 0,
        "end_token_trained": True,
        "lengths": {
            "mean": 14.0,
            "p50": 13,
            "p95": 26,
            "max": 26,
            "truncated": 2,
            "lost_tokens": 15,
        },
    }


def lengths_of(total, trained, max_length):
    total, trained = numpy.array(total), numpy.array(trained)
    lost = numpy.maximum(0, total - max_length)
    one = numpy.ones_like(total)
    return Lengths(total, trained, lost, one, one == 0, True, max_length)


def test_pictures_exactly():
    """Rows without anything to learn are not packed; 30 + 20 and 40 + 10 fill two packs of 50."""
    drawn = pictures(lengths_of([30, 20, 40, 10, 47], [3, 2, 4, 1, 0], 50))
    assert drawn["packing"] == {"rows": 4, "packs": 2, "filled": 1.0}
    assert drawn["turns"] == [[1, 5]]
    assert drawn["tokens"]["width"] == 2
    counts = drawn["tokens"]["counts"]
    assert {i * 2: n for i, n in enumerate(counts) if n} == {10: 1, 20: 1, 30: 1, 40: 1, 46: 1}
    assert drawn["trained"] == {"width": 1, "counts": [1, 1, 1, 1, 1], "most": 4}


def test_one_giant_does_not_hide_the_others():
    """The last bar takes what lies above the 99th percentile."""
    drawn = pictures(lengths_of([100] * 300 + [50_000], [1] * 301, 50))
    assert drawn["tokens"]["width"] == 5
    counts = drawn["tokens"]["counts"]
    assert (counts[20], counts[23], sum(counts)) == (300, 1, 301)
    assert drawn["tokens"]["most"] == 50_000
