"""Points out of metrics, smoothed and thinned; and the picture made of them."""

import math
import re
from xml.etree import ElementTree

import pytest

from engine.training.curves import points, smooth, thin
from engine.training.picture import Line, draw


def test_points_are_where_both_are_and_gaps_where_no_number_is():
    rows = [
        {"step": 1, "loss": 2.0, "seconds": 0.5},
        {"step": 1, "eval_loss": 3.0},
        {"step": 2, "loss": math.nan, "seconds": 1.0},
        {"step": 3, "loss": 1.0},
    ]
    assert points(rows, "loss") == [(1, 2.0), (2, None), (3, 1.0)]
    assert points(rows, "eval_loss") == [(1, 3.0)]
    assert points(rows, "loss", along="seconds") == [(0.5, 2.0), (1.0, None)]


def test_smoothing_begins_at_the_first_value_and_keeps_gaps():
    line = smooth([(1, 2.0), (2, None), (3, 1.0)])
    assert line[:2] == [(1, pytest.approx(2.0)), (2, None)]
    assert line[2] == (3, pytest.approx((0.8 * 0.4 + 0.2) / 0.36))


def test_thinning_keeps_ends_and_spikes():
    line = [(step, 1.0) for step in range(1000)]
    line[500] = (500, 9.0)
    thinned = thin(line, 30)
    assert len(thinned) <= 30
    assert (thinned[0], thinned[-1]) == (line[0], line[-1])
    assert (500, 9.0) in thinned
    assert thin(line[:30], 30) == line[:30]


def test_the_picture_places_points_between_labelled_axes():
    line = Line("loss <b>", [(0, 4.0), (5, None), (10, 2.0), (20, 3.0)], "#123456", 2.0, "6 3")
    picture = draw([line], "step", "loss", "from 4 & to 3")
    root = ElementTree.fromstring(picture)
    name = "{http://www.w3.org/2000/svg}"
    assert root.find(f"{name}title").text == "from 4 & to 3"
    texts = [one.text for one in root.iter(f"{name}text")]
    assert texts == ["2", "2.5", "3", "3.5", "4", "0", "5", "10", "15", "20",
                     "step", "loss", "loss <b>"]  # fmt: skip
    path = list(root.iter(f"{name}path"))[-1]
    assert path.get("d") == "M58.0 40.0h0M382.0 274.0h0L706.0 157.0"
    assert (path.get("stroke"), path.get("stroke-dasharray")) == ("#123456", "6 3")


def test_a_flat_line_and_a_single_point_are_drawn():
    for line in ([(0, 1.0), (1, 1.0)], [(7, 0.0)]):
        picture = draw([Line("", line, "red")], "x", "y", "")
        assert not re.search("nan|inf", picture)
        ElementTree.fromstring(picture)


def test_nothing_to_draw_is_no_picture():
    assert draw([Line("a", [], "red"), Line("b", [(1, None)], "red")], "x", "y", "") == ""
