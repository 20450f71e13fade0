"""Placeholders: which are sure, which must recur, which are code; and what fills them."""

import pytest

from engine.dataset.doctor.placeholders import (
    Placeholders,
    filler,
    find_placeholders,
    names_to_fill,
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I am {{name}} by {{ author }}.", [(5, 13, "name"), (17, 29, "author")]),
        ("我是{{名字}}。", [(2, 8, "名字")]),
        ("Dear <NAME>, <CUSTOMER_NAME>", [(5, 11, "NAME"), (13, 28, "CUSTOMER_NAME")]),
        (
            "[NAME] [Your Name] [你的名字]",
            [(0, 6, "NAME"), (7, 18, "Your Name"), (19, 25, "你的名字")],
        ),
        ('[INST] <BOS> [MASK] <br> [1] [x] {"a": 1} {{}} {{ 1 }}', []),
        ("I am {name} for ${sum}", []),
        ("`{{name}}` {{item.name}}\n```\n{{name}} [NAME]\n```\n", []),
    ],
)
def test_the_sure_ones(text, found):
    """Marks of models, HTML, notes, JSON and code are none; single braces are not sure."""
    assert find_placeholders(text, frozenset()) == found


RECUR = ["Hi {name}, hello", "我是{name}。", "It costs ${name} now"]


def test_single_braces_count_once_the_word_recurs_in_three_rows():
    """Twice in a row is one row; code, formulas and format strings are not looked at."""
    code = [
        "`{key}`",
        "```\n{key}\n```",
        'print(f"{key}")',
        r"\frac{key}{key}",
        "x^{key}",
        "a{key}",
    ]
    texts = [*RECUR, "a {rare} b {rare}", "c {rare} d", *code]
    seen = Placeholders()
    for at, text in enumerate(texts):
        seen.see(at, [text])
    assert seen.recurring() == {"name"}
    assert seen.names() == ["name"]
    conversations = [{"text": text} for text in texts]
    assert list(seen.rows(conversations)) == [(0, RECUR[0], 3), (1, RECUR[1], 2), (2, RECUR[2], 9)]
    assert names_to_fill(conversations[:2]) == []
    assert names_to_fill([{"text": "[Your Name] {{b}} <NAME>"}]) == ["b", "name", "your_name"]


def test_filling():
    """By name whatever the spelling; a name without a value stays."""
    fill = filler({"name": "Ada", "Your Name": "Bo"}, frozenset({"name"}))
    text = "{{name}} {name} ${name} <NAME> [NAME] [Your Name] {{maker}} {other} `{name}`"
    assert fill(text) == "Ada Ada Ada Ada Ada Bo {{maker}} {other} `{name}`"
