"""What is said of a merged model that was held against base and adapter."""

import pytest

from engine.export.check import in_words


@pytest.mark.parametrize(("share", "said"), [(1.234, "123 %"), (0.5, "50 %"), (0.0123, "1.2 %")])
def test_how_far_the_base_is_away_is_a_number_that_one_reads(share, said):
    found = {"largest_difference": 0.00034, "tolerance": 0.01, "from_base": share}
    words = in_words(found | {"passed": True, "prompts": 3, "equal_answers": 3})
    assert (
        f"off by more than 0.034 % of the largest (1 % allowed), and the base is {said} away."
        in (words.en)
    )
    assert words.zh.endswith(f"与底座相差 {said}。")
