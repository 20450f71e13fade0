"""A list of conversations answered in batches says what each says alone."""

import re
import weakref
from types import SimpleNamespace

import pytest
import torch

from engine.chat import many
from engine.chat.batch import Batch
from engine.chat.graph import Graph
from engine.chat.many import answer_many
from engine.chat.voices import BASE, Voices
from engine.models import few_rows
from engine.models.load import Quantization
from tests.still import attend, hold_still

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
    step, sizes, batches = Batch.step, [], []

    def small(batch):
        sizes.append(len(batch.speakers))
        if sizes[-1] < 8:  # the one that found no room holds none any more
            assert batches[0]() is None
        batches.append(weakref.ref(batch))
        if len(batch.speakers) > 3:
            raise torch.OutOfMemoryError("no room")
        step(batch)

    monkeypatch.setattr(Batch, "step", small)
    said, counts = everything(voices)
    assert said == alone
    assert counts[-1] == (8, 8)
    assert sizes[:3] == [8, 4, 2]


def test_a_stop_keeps_what_was_said(voices, alone):
    asked = iter([False, False, True, True, True])
    said, counts = everything(voices, lambda: next(asked))
    assert set(said) == {(index, voice) for index in range(4) for voice in (BASE, "one")}
    assert counts[-1] == (8, 8)
    assert all(alone[one].startswith(text) for one, text in said.items())
    assert said != alone


@pytest.fixture
def still(voices, monkeypatch):
    """Steps are captured; the rows of each so far."""
    step = SimpleNamespace(failed=False, lora=voices.tuned.rows)
    monkeypatch.setattr(voices, "_captured", step)
    return hold_still(monkeypatch)


def test_a_captured_batch_says_what_each_says_alone(voices, alone, still, capsys):
    """Rows that begin and end at other places; its first step is compared with the model's own."""
    said, _ = everything(voices)
    assert said == alone
    assert still == [8] * 5  # of six tokens the first is the prompts'
    assert re.fullmatch(
        r"Captured decoding differs by 0\.0000 of the logits\.\n", capsys.readouterr().err
    )


def test_rows_begin_where_they_did_when_the_longest_has_ended(voices, alone, still):
    """It ends with its first token, before the step is captured."""
    histories = [{BASE: CONVERSATIONS[0], "one": CONVERSATIONS[1]}]
    brief = {"one": {"max_new_tokens": 1}}
    said = [
        a for some in answer_many(voices, histories, own=brief, **GREEDY) for a in some["answers"]
    ]
    assert {one["voice"]: one["tokens"] for one in said} == {"one": 1, BASE: 6}
    assert next(one["text"] for one in said if one["voice"] == BASE) == alone[0, BASE]
    assert still == [1] * 5


def test_a_captured_step_that_is_wrong_is_not_taken(voices, alone, still, monkeypatch, capsys):
    """Here one that attends to the left of where a row begins, too."""
    all_of_it = lambda *args: attend(*args[:5], torch.zeros_like(args[5]), *args[6:])  # noqa: E731
    monkeypatch.setattr(few_rows, "rows_attend", all_of_it)
    said, _ = everything(voices)
    assert said == alone
    assert still == [8]
    assert "too much: decoding stays step by step" in capsys.readouterr().err


def test_a_model_that_was_not_captured_before_is_not_tried(voices, alone, still, monkeypatch):
    monkeypatch.setattr(voices, "_captured", SimpleNamespace(failed=True, lora=voices.tuned.rows))
    said, _ = everything(voices)
    assert (said, still) == (alone, [])


def test_a_model_that_cannot_be_captured_goes_step_by_step(voices, alone, monkeypatch, capsys):
    step = SimpleNamespace(failed=False, lora=voices.tuned.rows)
    monkeypatch.setattr(voices, "_captured", step)

    def refuse(*_):
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(Graph, "capture", refuse)
    said, _ = everything(voices)
    assert said == alone
    assert capsys.readouterr().err.endswith(
        "Decoding stays step by step, which is slower: RuntimeError: operation not permitted when "
        "stream is capturing\n"
    )
