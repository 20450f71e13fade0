"""Settings out of range are sentences; the draw is Transformers' own."""

import pytest
import torch

from engine.chat.sampling import DEFAULTS, RANGES, checked, draw, processors
from engine.errors import UserError


def test_the_defaults_fill_what_is_not_given():
    assert checked({}) == DEFAULTS
    assert checked({"top_k": 0, "temperature": 2}) == DEFAULTS | {"top_k": 0, "temperature": 2}


def test_every_setting_has_a_default_within_its_range():
    assert DEFAULTS.keys() == RANGES.keys()
    assert all(RANGES[name][0] <= value <= RANGES[name][1] for name, value in DEFAULTS.items())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("temperature", float("nan")),
        ("temperature", "hot"),
        ("temperature", None),
        ("top_p", 0),
        ("top_p", 1.01),
        ("top_k", -1),
        ("top_k", 2.5),
        ("repetition_penalty", 0.9),
        ("max_new_tokens", 0),
        ("max_new_tokens", 4097),
        ("max_new_tokens", float("inf")),
        ("seed", -1),
        ("seed", 2**31),
    ],
)
def test_what_is_out_of_range_is_refused_by_name(name, value):
    with pytest.raises(UserError, match=f"^{name} is .*; it must be a number from") as raised:
        checked({name: value})
    assert raised.value.field == name


def test_an_unknown_setting_names_the_known_ones():
    with pytest.raises(UserError, match="no sampling setting 'temp'; known are temperature, top_p"):
        checked({"temp": 1})


def test_processors_exactly():
    """Penalty 2 halves the seen token's score; top_k 2 leaves the two best; order as generate()."""
    scores = torch.tensor([[4.0, 3.0, 1.0, -1.0]])
    settings = DEFAULTS | {"repetition_penalty": 2, "temperature": 0.5, "top_k": 2, "top_p": 1}
    got = processors(settings)(torch.tensor([[0]]), scores)
    assert got.tolist() == [[4.0, 6.0, float("-inf"), float("-inf")]]


def test_greedy_is_the_highest_score():
    scores = torch.tensor([[1.0, 5.0, 2.0], [7.0, 5.0, 2.0]])
    assert draw(scores, 0, [torch.Generator(), torch.Generator()]).tolist() == [1, 0]
    assert [type(one) for one in processors(DEFAULTS | {"temperature": 0}) if one] != []


@pytest.mark.parametrize("temperature", [1e-30, 9e-31, 1e-40, 5e-324])
def test_a_very_small_temperature_is_greedy(temperature):
    """Not a division that overflows, after which token 0 would be said for ever; the smallest that
    is still divided by draws the best of two scores that are side by side in float32."""
    settings = checked({"temperature": temperature, "repetition_penalty": 1})
    assert settings == checked({"repetition_penalty": 1}) | {
        "temperature": 1e-30 if temperature == 1e-30 else 0
    }
    best = torch.tensor([1e8, 17.5, -3.0])
    scores = torch.stack([best - 9, best.nextafter(torch.tensor(-torch.inf)), best], 1)
    chances = [torch.Generator().manual_seed(n) for n in range(3)]
    changed = processors(settings)(torch.zeros(3, 1, dtype=torch.long), scores)
    assert draw(changed, settings["temperature"], chances).tolist() == [2, 2, 2]


def test_greedy_uses_no_sampling_filters():
    settings = DEFAULTS | {"temperature": 0, "repetition_penalty": 1}
    assert list(processors(settings)) == []


def test_each_row_draws_what_torch_draws_by_the_same_random_numbers():
    scores = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    ours, torchs = ([torch.Generator().manual_seed(n) for n in (5, 7, 5)] for _ in "ab")
    for _ in range(20):
        expected = [
            one.softmax(-1).multinomial(1, generator=chances).item()
            for one, chances in zip(scores, torchs, strict=True)
        ]
        assert draw(scores, 1, ours).tolist() == expected


def test_the_draw_follows_the_scores():
    """Over 4000 draws the share of each token is its probability."""
    chances = [torch.Generator().manual_seed(0)]
    scores = torch.tensor([[0.5, 0.25, 0.25, 0.0]]).log()
    drawn = [draw(scores, 1, chances).item() for _ in range(4000)]
    shares = [drawn.count(token) / 4000 for token in range(4)]
    assert shares == pytest.approx([0.5, 0.25, 0.25, 0.0], abs=0.03)
