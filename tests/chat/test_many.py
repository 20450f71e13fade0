"""A list of conversations answered in batches says what each says alone."""

import pytest
import torch

from engine.chat import many
from engine.chat.batch import Batch
from engine.chat.many import answer_many
from engine.chat.voices import BASE, Voices
from engine.models.load import Quantization

ASKED = [
    "Hi",
    "Who keeps the light on the rock tonight?",
    "海？",
    "And what happened then?",
]
CONVERSATIONS = [[{"role": "user", "content": one}] for one in ASKED]
GREEDY = {"temperature": 0, "repetition_penalty": 1, "max_new_tokens": 6}


@pytest.fixture(scope="module")
def voices(tiny_model_folder, make_adapter, tmp_path_factory, cpu):
    home = tmp_path_factory.mktemp("many")
    voices = Voices(str(tiny_model_folder), cpu, Quantization())
    voices.use({"one": make_adapter(home / "one", 0)})
    return voices


@pytest.fixture(scope="module")
def alone(voices):
    """{(index, voice): text} from one answer at a time."""
    said = {}
    for index, turns in enumerate(CONVERSATIONS):
        for voice in voices.names:
            *_, last = voices.answer({voice: turns}, **GREEDY)
            said[index, voice] = last[voice]["text"]
    return said


def everything(voices, *more):
    """{(index, voice): text}, and the counts as they came."""
    said, counts = {}, []
    histories = [dict.fromkeys(voices.names, turns) for turns in CONVERSATIONS]
    for some in answer_many(voices, histories, *more, **GREEDY):
        said |= {(one["index"], one["voice"]): one["text"] for one in some["answers"]}
        counts.append((some["done"], some["total"]))
    return said, counts


@pytest.mark.parametrize("rows", [16, 3])
def test_batches_say_what_each_says_alone(voices, alone, monkeypatch, rows):
    monkeypatch.setitem(many._ROWS, "cpu", rows)
    said, counts = everything(voices)
    assert said == alone
    assert len(set(alone.values())) > 2
    assert counts[-1] == (8, 8)
    assert counts == sorted(counts)


def test_what_memory_does_not_hold_is_halved(voices, alone, monkeypatch):
    """Steps of more than three rows find no memory, also in the middle of answers."""
    step, sizes = Batch.step, []

    def small(batch):
        sizes.append(len(batch.speakers))
        if len(batch.speakers) > 3:
            raise torch.OutOfMemoryError("no room")
        step(batch)

    monkeypatch.setattr(Batch, "step", small)
    said, counts = everything(voices)
    assert said == alone
    assert counts[-1] == (8, 8)
    assert sizes[:3] == [8, 4, 2]


def test_a_stop_keeps_what_was_said(voices):
    asked = iter([False, False, True, True, True])
    said, counts = everything(voices, lambda: next(asked))
    assert set(said) == {(index, voice) for index in range(4) for voice in (BASE, "one")}
    assert counts[-1] == (8, 8)
    assert len({len(text) for text in said.values()}) >= 1
