"""FSDP in two processes of this machine's processor, through `accelerate launch` as on GPUs: what
is trained, saved, resumed and said at the end is what one process does with the same rows."""

import json
import re

import pytest
import torch

from engine.config import TrainConfig
from engine.training import halved, runs
from engine.training.train import train
from tests.several_on_processors import ANSWER_TOKENS, NO_GPU, curves, launched, weights

pytestmark = pytest.mark.usefixtures("same_signals")

KINDS = {
    "lora": {"load_best_model_at_end": True, "loraplus_lr_ratio": 4.0, "sample_prompts": "Hi"},
    "nf4": {
        **{"load_in_4bit": True, "gradient_checkpointing": True, "eval_size": 0.0},
        "sample_prompts": "Hi",
    },
    "full": {"peft_type": "full", "learning_rate": 1e-4, "sample_prompts": "Hi"},
}
STEPS = 4


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Of this module's runs."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("home")
        patch.setenv("RUNS_DIR", str(folder))
        patch.setattr("peft.PeftModel.create_or_update_model_card", lambda *_: None)
        yield folder


@pytest.fixture(scope="module")
def make(short_run, home):
    def begun(kind, **changes):
        options = {"max_steps": STEPS, "save_steps": 2, "eval_steps": 2, "sample_prompts": ""}
        one = {"per_device_train_batch_size": 1}
        config = short_run(save_total_limit=9, **options).to_dict() | one | KINDS[kind] | changes
        return runs.create(TrainConfig.from_dict(config))

    return begun


@pytest.fixture(scope="module")
def together(make):
    """Runs of two processes: each kind, and two again from the middle."""
    made = {kind: make(kind, distributed_type="fsdp") for kind in KINDS}
    words = [str(path) for path in made.values()]
    for kind in ("lora", "full"):
        made[f"{kind} again"] = again = make(kind, distributed_type="fsdp")
        words.append(f"{again}={made[kind]}@2")
    status, said = launched("fsdp", *words, **NO_GPU)
    assert status == 0, said
    return made


@pytest.fixture(scope="module")
def alone(make, together):
    """The same runs in one process, whose batch is as large as the two have together."""
    made = {kind: make(kind, per_device_train_batch_size=2) for kind in KINDS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.training.progress._SAMPLE_TOKENS", ANSWER_TOKENS)
        for path in made.values():
            assert train(path) == 0
            patch.setattr("engine.training.train.look_back", lambda *_: None)
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_that_of_one_process(kind, together, alone):
    assert curves(together[kind]) == pytest.approx(curves(alone[kind]), abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_saved_is_whole(kind, together, alone):
    """The same names, shapes and kinds of numbers, and the same values."""
    ours, theirs = weights(together[kind]), weights(alone[kind])
    assert {name: (t.shape, t.dtype) for name, t in ours.items()} == {
        name: (t.shape, t.dtype) for name, t in theirs.items()
    }
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor, theirs[name], rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_it_answers_as_one_that_was_trained_alone(
    kind, together, alone, tiny_model_folder, tokenizer
):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    ids = tokenizer("Where is the sea?", return_tensors="pt")["input_ids"]
    logits = []
    for path in (together[kind] / "adapter", alone[kind] / "adapter"):
        if kind == "full":
            model = AutoModelForCausalLM.from_pretrained(path)
        else:
            base = AutoModelForCausalLM.from_pretrained(tiny_model_folder)
            model = PeftModel.from_pretrained(base, path)
        with torch.no_grad():
            logits.append(model(input_ids=ids).logits)
    torch.testing.assert_close(*logits, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_resumed_is_the_same_to_the_last_bit(kind, together):
    whole, again = together[kind], together[f"{kind} again"]
    assert curves(again) == curves(whole)
    ours, theirs = weights(again), weights(whole)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("kind", KINDS)
def test_the_fixed_questions_are_answered_once_and_the_same(kind, together, alone):
    """With evaluations and without."""
    ours, theirs = together[kind], alone[kind]
    assert (ours / "samples.jsonl").read_text() == (theirs / "samples.jsonl").read_text()


def test_what_it_learned_is_measured_the_same(together, alone):
    ours, theirs = together["lora"], alone["lora"]
    cards = [json.loads((path / "learned.json").read_text()) for path in (ours, theirs)]
    assert cards[0]["verdict"] == cards[1]["verdict"]
    for part in ("train", "held_out", "general"):
        assert cards[0][part] == pytest.approx(cards[1][part], abs=1e-3)
    assert cards[0]["answers"] == cards[1]["answers"]


def test_the_page_is_told_where_the_model_lies(together):
    placed = json.loads((together["lora"] / "placement.json").read_text())
    assert placed == {"": "2 GPUs, a share on each"}


def test_the_memory_of_each_process_is_known(together):
    rows = runs.view(together["lora"]).metrics()
    assert {len(row["memory"]["devices"]) for row in rows} == {2}


def test_memory_that_runs_out_halves_the_micro_steps_behind_the_last_checkpoint(make):
    """In the last step, in the last of two processes. They end, and those that come after them
    learn what a run learns that had the memory: all of its steps are there, once."""
    plain = {"load_best_model_at_end": False, "sample_prompts": "", "max_steps": 3}
    path = make("lora", distributed_type="fsdp", per_device_train_batch_size=2, **plain)
    words, said = [f"{path}!3", str(path)], []

    def launch():
        status, output = launched("fsdp", words[len(said)], **NO_GPU)
        said.append(output)
        return status

    assert halved.launched(path, launch) == 0, said
    run = runs.view(path)
    assert (run.state, run.step) == ("finished", 3)
    assert said[0].count("Memory ran out: from its last checkpoint on the run takes") == 1
    assert "Memory ran out" not in said[1]
    sizes = [int(re.search("Micro-steps of up to ([0-9]+) tokens", one)[1]) for one in said]
    assert sizes[1] == halved.kept(path) < sizes[0]
    assert not (path / "stop").exists()
    spared = make("lora", per_device_train_batch_size=4, **plain)
    assert train(spared) == 0
    assert curves(path) == pytest.approx(curves(spared), abs=1e-4)
