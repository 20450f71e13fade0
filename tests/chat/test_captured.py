"""What a conversation's captured step is made for, and when it is not taken. The step itself is
computed on a processor here; that a captured one is right, tests/gpu says."""

import functools
import threading
from types import SimpleNamespace

import pytest
import torch

from engine.chat.captured import Captured
from engine.chat.graph import Graph
from engine.chat.sampling import checked
from engine.chat.voices import BASE, Voices
from engine.models.load import Quantization, load_base
from tests.still import hold_still

TURNS = [{"role": "user", "content": "What colour is the sea tonight?"}]


@pytest.fixture
def captured(tiny_model_folder, cpu):
    """Of a model of its own, not yet warmed."""
    model = load_base(str(tiny_model_folder), cpu, Quantization()).eval()
    return Captured(model, None, rows=1, capacity=16)


def test_what_fails_is_said_in_the_log_and_decoding_stays_step_by_step(
    captured, capsys, monkeypatch
):
    def no_stream():
        raise RuntimeError("no stream of this kind")

    monkeypatch.setattr(torch.cuda, "Stream", no_stream)
    captured.start().wait()
    log = capsys.readouterr().err
    assert log.startswith("Traceback (most recent call last):\n")
    assert log.endswith(
        "\nDecoding stays step by step, which is slower: RuntimeError: no stream of this kind\n"
    )
    assert not captured.ready(1, 8)


def test_a_step_that_does_not_compute_what_the_model_does_is_not_taken(captured, capsys):
    """This one gives nothing but zeros."""
    captured._prepare()
    captured._graph._logits = torch.zeros(1, captured._model.config.vocab_size)
    captured._graph._graph = SimpleNamespace(replay=lambda: None)
    assert not captured.ready(1, 8)
    assert capsys.readouterr().err == (
        "Captured decoding differs by 1.0000 of the logits, too much: decoding stays step by step, "
        "which is slower.\n"
    )


@pytest.fixture
def voices(tiny_model_folder, cpu, monkeypatch):
    hold_still(monkeypatch)
    return Voices(str(tiny_model_folder), cpu, Quantization())


def heard(voices, names, captured):
    """Logits [steps, rows, pieces] where every row goes on with the same tokens."""
    settings = checked({"temperature": 0, "max_new_tokens": 9})
    speakers = [voices.speaker(name, TURNS, settings) for name in names]
    step = voices._captured
    voices._captured = step if captured else None
    batch = voices._batch(speakers)
    voices._captured = step
    assert batch.captured == captured
    with torch.inference_mode():
        scores = [batch._first()]
        for token in (300, 41, 7):
            batch._tokens = torch.full((len(names),), token)
            scores.append(batch._next())
    return torch.stack(scores)


def use(voices, **adapters):
    voices.use(adapters)
    voices.settle()


def assert_is_right(voices, names):
    ours, right = heard(voices, names, True), heard(voices, names, False)
    torch.testing.assert_close(ours, right, atol=1e-5, rtol=1e-5)
    assert len({tuple(row[:5]) for row in right[-1].tolist()}) == len(names)  # all differ


def test_a_swap_to_the_same_shapes_keeps_the_step(voices, make_adapter, tmp_path):
    one, two = (make_adapter(tmp_path / name, seed) for seed, name in enumerate(("one", "two")))
    use(voices, one=one)
    assert_is_right(voices, [BASE, "one"])
    step = voices._captured
    use(voices, two=two)
    assert voices._captured is step
    assert_is_right(voices, [BASE, "two"])


def test_adapters_that_share_their_scales_otherwise_have_a_step_of_their_own(
    voices, make_adapter, tmp_path
):
    """Of the same shapes; with the step before, some layers took the scale of others."""
    use(voices, one=make_adapter(tmp_path / "one", 0))
    step = voices._captured
    some = {"alpha_pattern": {"q_proj": 64}}
    use(voices, two=make_adapter(tmp_path / "two", 1, **some))
    assert voices._captured is not step
    assert_is_right(voices, [BASE, "two"])


@pytest.mark.parametrize("ranks", [([4, 4], [8]), ([8], [4, 4])])
def test_another_number_of_adapters_of_the_same_shapes_in_all(
    voices, make_adapter, tmp_path, ranks
):
    """Fewer can go through the step of more, more cannot go through that of fewer."""
    for turn, each in enumerate(ranks):
        folders = {
            f"voice{n}": make_adapter(tmp_path / f"{turn}-{n}", 10 * turn + n, r=rank)
            for n, rank in enumerate(each)
        }
        use(voices, **folders)
        assert voices._captured.rows >= 1 + len(each)
    assert_is_right(voices, [BASE, *folders])


def test_voices_beside_the_rows_are_none_of_them(voices, make_adapter, tmp_path, tokenizer):
    """One with learned tokens takes turns with the batch."""
    from peft import PromptTuningConfig, get_peft_model

    prompt = PromptTuningConfig(num_virtual_tokens=4, task_type="CAUSAL_LM")
    base = load_base(voices.model_name, voices.device, Quantization())
    get_peft_model(base, prompt).save_pretrained(tmp_path / "prompt")
    use(voices, one=make_adapter(tmp_path / "one", 0), prompt=tmp_path / "prompt")
    assert voices._captured.rows == 2
    assert_is_right(voices, [BASE, "one"])


def test_a_base_beside_an_adapter_that_is_not_told_apart_is_not_captured(
    voices, make_adapter, tmp_path
):
    """Captured, the adapter would speak in the base's name: it is within its layers."""
    alone = heard(voices, [BASE], False)
    use(voices, dora=make_adapter(tmp_path / "dora", 0, use_dora=True))
    assert voices._captured is None
    assert torch.equal(heard(voices, [BASE], False), alone)


def test_what_was_captured_before_adapters_failed_is_not_taken(voices, make_adapter, tmp_path):
    folder = make_adapter(tmp_path / "one", 0)
    use(voices, one=folder)
    assert voices._step_for([voices.speaker(BASE, TURNS, checked({}))])
    (tmp_path / "bad").mkdir()
    with pytest.raises(Exception, match="bad"):
        voices.use({"bad": tmp_path / "bad"})
    assert voices._step_for([voices.speaker(BASE, TURNS, checked({}))]) is None
    use(voices, one=folder)
    assert_is_right(voices, [BASE, "one"])


def test_a_long_answer_beside_a_long_prompt_fits_or_is_not_captured(voices, make_adapter, tmp_path):
    """Each alone fits the model's 512 tokens, but rows lie side by side."""
    use(voices, one=make_adapter(tmp_path / "one", 0))
    brief = voices.speaker(BASE, TURNS, checked({"max_new_tokens": 400}))
    long = [{"role": "user", "content": "The sea is grey. " * 60}]
    other = voices.speaker("one", long, checked({"max_new_tokens": 8}))
    assert len(other.prompt_ids) + brief.room > 514 > len(brief.prompt_ids) + brief.room
    assert voices._batch([brief]).captured
    assert voices._batch([other]).captured
    assert not voices._batch([brief, other]).captured


def test_a_model_that_keeps_other_things_is_decoded_step_by_step(voices, monkeypatch, capsys):
    """Said in the log; loading goes on."""
    monkeypatch.setattr("engine.chat.graph._PLAIN", ())
    use(voices)
    assert voices._captured.failed
    assert capsys.readouterr().err.endswith(
        "Decoding stays step by step, which is slower: RuntimeError: This model keeps other things "
        "than keys and values of one width.\n"
    )
    *_, last = voices.answer({BASE: TURNS}, max_new_tokens=4)
    assert (last[BASE]["tokens"], last[BASE]["captured"]) == (4, False)


def test_every_base_of_a_process_is_compiled(tiny_model_folder, cpu, monkeypatch):
    """The compiler counts how often it has compiled a function, over all models."""
    programs = []

    def backend(program, _):
        programs.append(program)
        return program.forward

    compiling = functools.partial(torch.compile, backend=backend)
    monkeypatch.setattr(torch, "compile", compiling)
    monkeypatch.setattr(Graph, "capture", lambda graph, forward: forward(graph._tokens))
    with torch._dynamo.config.patch(recompile_limit=1):
        for _ in range(2):
            programs.clear()
            model = load_base(str(tiny_model_folder), cpu, Quantization()).eval()
            Captured(model, None, rows=1, capacity=16).start().wait()
            assert programs


def test_a_base_is_loaded_while_nothing_is_captured(tiny_model_folder, cpu, monkeypatch):
    """With adapters first the base alone would be compiled in vain; and what is captured is waited
    for before the base is let go."""
    held, began = threading.Event(), threading.Event()

    def warm(_):
        began.set()
        held.wait(30)

    hold_still(monkeypatch)
    monkeypatch.setattr(Captured, "_warm", warm)
    voices = Voices(str(tiny_model_folder), cpu, Quantization())
    assert not began.is_set()
    voices.use({})
    assert began.wait(30)
    waiting = threading.Thread(target=voices.settle)
    waiting.start()
    assert waiting.is_alive()
    held.set()
    waiting.join(30)
    assert not waiting.is_alive()
