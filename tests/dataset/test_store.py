"""Rows of any shape on disk: the same values back, whole, by number, by part and by their words."""

import gc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.dataset.reading import store
from engine.dataset.reading.store import Stored

TEXT = st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(st.lists(VALUES, max_size=8), st.integers(-3, 9), st.integers(-3, 9))
def test_it_is_the_sequence_that_it_was_made_of(values, a, b):
    stored = Stored(iter(values))
    assert len(stored) == len(values)
    assert list(stored) == values
    assert stored[a:b] == values[a:b]
    assert [stored[i] for i in range(-len(values), len(values))] == values + values


def test_over_many_batches():
    stored = Stored({"n": n} for n in range(2503))
    assert [row["n"] for row in stored] == list(range(2503))
    assert (stored[999], stored[1000], stored[-1]) == ({"n": 999}, {"n": 1000}, {"n": 2502})
    with pytest.raises(IndexError):
        stored[2503]


def test_words_are_found_in_any_cell_and_case():
    """Also what JSON writes with a backslash, and a number; names of columns are no cells."""
    rows = [{"a": "The Lamp"}, {"b": ["灯塔", 'say "no"']}, {"lamp": None}, {"c": "x\ny"}]
    rows += [{"d": {"lamp": [{"e": "LAMP"}, 12.5]}}, {"lamp": True, "f": 2**70}]
    stored = Stored(rows)
    assert stored.find("lamp") == [0, 4]
    assert (stored.find("2.5"), stored.find(str(2**70))) == ([4], [5])
    assert stored.find('":') == []
    assert stored.find("灯") == [1]
    assert stored.find('"no"') == [1]
    assert stored.find("x\ny") == [3]
    assert stored.find("nowhere") == []


def test_the_file_goes_with_the_rows():
    stored = Stored([1, 2])
    (file,) = stored._lines.cache_files
    path = Path(file["filename"])
    assert path.parent == Path(store._folder())
    assert path.is_file()
    del stored
    gc.collect()
    assert not path.exists()
