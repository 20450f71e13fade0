"""Lengths as bar charts: heights, what is cut, and the sentence on packing."""

import re

from ui import data_pictures

FACTS = {
    "pictures": {
        "tokens": {"width": 10, "counts": [1, 4, 0, 2], "most": 38},
        "trained": {"width": 5, "counts": [7], "most": 3},
        "turns": [[1, 5], [2, 2]],
        "packing": {"rows": 7, "packs": 3, "filled": 0.915},
    }
}


def test_bars_exactly():
    """The tallest is the whole height; bars beyond the longest row are marked as cut."""
    drawn = data_pictures.lengths(FACTS, 19, "en")
    tokens, trained, turns = re.findall(r"<figure>.*?</figure>", drawn)
    bars = re.findall(r'class="(\w*)" style="height:([\d.]+)%" title="([^"]+)"', tokens)
    assert bars == [
        ("", "25.0", "from 0: 1 rows"),
        ("", "100.0", "from 10: 4 rows"),
        ("cut", "0.0", "from 20: 0 rows"),
        ("cut", "50.0", "from 30: 2 rows"),
    ]
    assert "Tokens a row (hatched: cut at 19)" in tokens
    assert 'aria-label="Tokens a row (hatched: cut at 19): from 10: 4 rows"' in tokens
    assert re.findall(r"<span>(\d+)</span>", trained) == ["0"]
    assert re.findall(r"<span>(\d+)</span>", turns) == ["1", "2"]
    said = "Packed, 7 rows make 3 sequences of up to 19 tokens, 92 % filled."
    assert said in drawn


def test_nothing_is_cut_when_all_rows_are_short():
    assert "cut" not in data_pictures.lengths(FACTS, 64, "en")


def test_the_last_bar_takes_all_above():
    """Its rows are cut where the longest of them is, wherever the bar begins."""
    bars = {"width": 10, "counts": [6, 4, 1], "most": 90}
    assert data_pictures._steps(bars, 50) == [("0", 6, False), ("10", 4, False), ("20+", 1, True)]
    assert data_pictures._steps(bars, 90)[-1] == ("20+", 1, False)
    assert data_pictures._steps(bars | {"most": 29}, 20)[-1] == ("20", 1, True)
    assert data_pictures._steps(bars | {"most": 25}, 25)[-1] == ("20", 1, False)
