"""A person's choice of which column is what overrules what is found."""

import pytest

from engine.dataset.meaning.columns import mapping_text
from tests.dataset.made_rows import SHAPES, read, sharegpt, turns


@pytest.mark.parametrize(
    ("mapping", "row", "expected"),
    [
        ("x=user, y=assistant", {"x": "a", "y": "b"}, turns("a", "b")),
        ("title=user, ask=user, z=assistant", {"ask": "b", "title": "a", "z": "c"},
         turns("a\nb", "c")),
        ("x=user, z=input, y=assistant, s=system", {"x": "a", "y": "b", "z": "c", "s": "d"},
         turns("a\nc", "b", system="d")),
        ("x=messages", {"x": turns("a", "b")["messages"]}, turns("a", "b")),
        ("x=messages, y=assistant", {"x": sharegpt("a"), "y": "b"}, turns("a", "b")),
        ("text=messages", {"text": "### Human: a### Assistant: b"}, turns("a", "b")),
        ("text=text", {"text": "### Human: a### Assistant: b"},
         {"text": "### Human: a### Assistant: b"}),
        ("t=text, u=text", {"t": "a", "u": "b"}, {"text": "a\nb"}),
        ("output=user, instruction=assistant", {"instruction": "a", "output": "b"},
         turns("b", "a")),
        ("x=user, y=assistant", {"x": "c", "y": "d", "history": [["a", "b"]]},
         turns("a", "b", "c", "d")),
        ("x=user, y=assistant, history=ignore", {"x": "c", "y": "d", "history": [["a", "b"]]},
         turns("c", "d")),
    ],
)  # fmt: skip
def test_a_persons_choice_overrules_what_is_found(mapping, row, expected):
    found = read([row], mapping=mapping)
    assert list(found.conversations) == [expected]
    assert found.format == "mapped"
    assert ", ".join(f"{column}={role}" for column, role in found.mapping.items()) == mapping


def test_rows_without_the_chosen_columns_go_their_own_way():
    found = read([{"x": "a", "y": "b"}, turns("c", "d")], mapping="x=user, y=assistant")
    assert list(found.conversations) == [turns("a", "b"), turns("c", "d")]
    assert found.shapes == {"mapped": 1, "messages": 1}


def test_what_was_found_can_be_chosen_again():
    """The mapping that is shown, taken for a choice, gives the same conversations."""
    for row, _, _, expected in SHAPES:
        if row.get("ask") != " ":  # of two questions the first filled counts, a choice joins all
            text = mapping_text(read([row]).mapping)
            again = read([row], mapping=text)
            assert list(again.conversations) == [expected], text
