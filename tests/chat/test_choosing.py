"""Rows of a batch choose at once what each would choose alone."""

import hashlib

import pytest
import torch

from engine.chat.choosing import Choosing
from engine.chat.sampling import checked, processors
from engine.chat.voices import BASE, Voices
from engine.errors import UserError
from engine.models.load import Quantization

ASKED = ["Hi", "Who keeps the light on the rock tonight?", "海？", "And then?", "And who?"]
WAYS = [
    {},
    {"seed": 7, "temperature": 1.5},
    {"seed": 9, "max_new_tokens": 2, "temperature": 1.5},
    {"temperature": 0},
    {"temperature": 0, "repetition_penalty": 1},
]


@pytest.fixture(scope="module")
def voices(tiny_model_folder, cpu):
    return Voices(str(tiny_model_folder), cpu, Quantization())


def speakers(voices, numbers=range(5)):
    turns = [[{"role": "user", "content": ASKED[n]}] for n in numbers]
    settings = [checked({"max_new_tokens": 4} | WAYS[n]) for n in numbers]
    return [voices.speaker(BASE, *one) for one in zip(turns, settings, strict=True)]


def alone(speaker, steps):
    """By Transformers' processors and torch's own draw; steps: scores [vocabulary]."""
    said, change = list(speaker.prompt_ids), processors(speaker.settings)
    chances = torch.Generator().manual_seed(speaker.settings["seed"])
    for scores in steps:
        scores = change(torch.tensor([said]), scores[None].clone())
        greedy = speaker.settings["temperature"] == 0
        chosen = (
            scores.argmax(-1) if greedy else scores.softmax(-1).multinomial(1, generator=chances)
        )
        said.append(int(chosen))
    return said[len(speaker.prompt_ids) :]


def test_all_at_once_is_each_alone(voices):
    """Prompts of different length, settings shared and not, seeds of their own, one that leaves."""
    some = speakers(voices)
    random = torch.Generator().manual_seed(3)
    steps = torch.randn(4, 5, voices.base.config.vocab_size, generator=random) * 3
    expected = [alone(one, steps[:, row]) for row, one in enumerate(some)]
    choosing = Choosing(some, torch.device("cpu"))
    drawn = [choosing.next(steps[0]).tolist(), choosing.next(steps[1]).tolist()]
    left = [0, 1, 3, 4]
    choosing.keep(left, torch.tensor(left))
    drawn += [choosing.next(one[left]).tolist() for one in steps[2:]]
    for row in (2, 0, 1, 3, 4):
        mine = [two[row] for two in drawn[:2]]
        if row in left:
            mine += [two[left.index(row)] for two in drawn[2:]]
        assert mine == expected[row][: len(mine)]
    assert len({tuple(one) for one in expected}) == 5


def test_the_checksum_is_that_of_a_speaker_s_first_scores(voices):
    some = speakers(voices, [0, 1])
    choosing = Choosing(some, torch.device("cpu"))
    first = torch.randn(2, voices.base.config.vocab_size)
    choosing.next(first)
    choosing.next(torch.randn(2, voices.base.config.vocab_size))
    assert [one.checksum for one in some] == [
        hashlib.sha256(row.numpy().tobytes()).hexdigest()[:8] for row in first
    ]


def test_scores_that_are_no_numbers_are_a_sentence(voices):
    """Greedy or drawn; else nobody would know: the largest of them is the first token, always."""
    scores = torch.zeros(2, voices.base.config.vocab_size)
    scores[1, 7] = torch.nan
    for numbers in ([0, 1], [3, 4]):
        with pytest.raises(UserError, match="^base cannot speak: what it computes is not a number"):
            Choosing(speakers(voices, numbers), torch.device("cpu")).next(scores)
