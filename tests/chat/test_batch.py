"""Several voices in one batch: each hears its own prompt and says what it says alone."""

import pytest
import torch

from engine.chat.batch import Batch
from engine.chat.voices import BASE, Voices
from engine.models.load import Quantization
from tests.steps_of_voices import GREEDY, spoken

SHORT = [{"role": "user", "content": "Who?"}]
LONG = [
    {"role": "system", "content": "You keep the light on the northern rock."},
    {"role": "user", "content": "What colour is the sea tonight? 海是什么颜色？"},
]
PROMPTS = {BASE: LONG, "one": SHORT, "two": LONG}


def of(*names):
    return {name: PROMPTS[name] for name in names}


@pytest.mark.parametrize("bits", [0, 8, 4])
def test_rows_of_different_length_are_each_as_alone(
    tiny_model_folder, make_adapter, tmp_path, cpu, bits
):
    """Of 1 and of several ranks, plain, 8-bit and 4-bit: logits of every step, and the tokens."""
    voices = Voices(str(tiny_model_folder), cpu, Quantization(bits == 4, bits == 8))
    voices.use({"one": make_adapter(tmp_path / "one", 0), "two": make_adapter(tmp_path / "b", 1)})
    assert voices.tuned.together(voices.names) == [[BASE, "one", "two"]]
    together = spoken(voices, of(*voices.names))
    for name in voices.names:
        scores, ids = spoken(voices, of(name))[name]
        assert together[name][1] == ids
        torch.testing.assert_close(together[name][0], scores, atol=1e-5, rtol=1e-5)
    firsts = [scores[0] for scores, _ in together.values()]
    assert not torch.equal(firsts[0], firsts[1])
    assert not torch.equal(firsts[0], firsts[2])


def test_who_has_ended_leaves_the_batch(tiny_model_folder, make_adapter, tmp_path, cpu):
    """And the others go on as before."""
    voices = Voices(str(tiny_model_folder), cpu, Quantization())
    voices.use({"one": make_adapter(tmp_path / "one", 0)})
    expected = spoken(voices, of(BASE))[BASE][1]
    brief = voices.speaker("one", SHORT, GREEDY | {"max_new_tokens": 2})
    full = voices.speaker(BASE, LONG, GREEDY)
    batch = Batch(voices.tuned, [brief, full])
    rows = []
    while not batch.done:
        batch.step()
        rows.append(len(batch.speakers))
    assert rows == [2] + [1] * (len(rows) - 1)
    assert (brief.stopped_by, len(brief.new_ids)) == ("length", 2)
    assert full.new_ids == expected


def test_a_method_that_cannot_be_told_apart_goes_alone(
    tiny_model_folder, make_adapter, tmp_path, cpu
):
    voices = Voices(str(tiny_model_folder), cpu, Quantization())
    voices.use({"dora": make_adapter(tmp_path / "dora", 0, use_dora=True)})
    assert voices.tuned.together(voices.names) == [[BASE], ["dora"]]


def test_a_model_that_mixes_rows_is_found_out(
    tiny_model_folder, make_adapter, tmp_path, cpu, monkeypatch
):
    """Its layers look at the whole batch: rows are not told apart, and nobody is told nonsense."""
    voices = Voices(str(tiny_model_folder), cpu, Quantization())
    layer = voices.base.model.layers[0].mlp
    forward = layer.forward
    monkeypatch.setattr(layer, "forward", lambda x: forward(x) + x.mean(0, keepdim=True))
    voices.use({"one": make_adapter(tmp_path / "one", 0)})
    assert voices.tuned.together(voices.names) == [[BASE], ["one"]]
