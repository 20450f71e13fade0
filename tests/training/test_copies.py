"""DDP in two processes of this machine's processor, through `accelerate launch` as on GPUs: what is
trained is what one process trains with the same rows, also where memory runs out in one of them."""

import pytest
import torch

from engine.config import TrainConfig
from engine.training import runs
from engine.training.train import train
from tests.several_on_processors import NO_GPU, curves, launched, weights

pytestmark = pytest.mark.usefixtures("same_signals")

KINDS = {
    "lora": {"load_best_model_at_end": True},
    "nf4": {"load_in_4bit": True, "eval_size": 0.0},
    "8-bit": {"load_in_8bit": True, "eval_size": 0.0},
    "full": {"peft_type": "full", "learning_rate": 1e-4, "eval_size": 0.0},
}
# Each process has two rows a step, taken at once as long as there is memory: in its second step
# the last process has no memory.
OUT_OF_MEMORY = "lora, out of memory"
HALVED = "Memory ran out: from here on"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Of this module's runs."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("home")
        patch.setenv("RUNS_DIR", str(folder))
        patch.setattr("peft.PeftModel.create_or_update_model_card", lambda *_: None)
        patch.setattr("engine.training.train.look_back", lambda *_: None)
        yield folder


@pytest.fixture(scope="module")
def make(short_run, home):
    def begun(kind, **changes):
        options = {"max_steps": 3, "save_steps": 2, "eval_steps": 2, "sample_prompts": ""}
        config = short_run(**options).to_dict() | KINDS[kind] | changes
        return runs.create(TrainConfig.from_dict(config))

    return begun


@pytest.fixture(scope="module")
def together(make):
    made = {kind: make(kind) for kind in KINDS} | {OUT_OF_MEMORY: make("lora")}
    *paths, last = map(str, made.values())
    status, said = launched("ddp", *paths, f"{last}!2", **NO_GPU)
    assert status == 0, said
    assert said.count(HALVED) == 1, said
    return made


@pytest.fixture(scope="module")
def alone(make, together):
    """The same runs in one process, whose batch is as large as the two have together."""
    made = {kind: make(kind, per_device_train_batch_size=4) for kind in KINDS}
    for path in made.values():
        assert train(path) == 0
    return made | {OUT_OF_MEMORY: made["lora"]}


def test_they_learn_what_one_process_learns(together, alone):
    """In one test: another worker would train all of them once more."""
    for kind, path in together.items():
        ours, theirs = curves(path), curves(alone[kind])
        assert len([loss for loss in ours[::4] if loss]) == 3
        assert ours == pytest.approx(theirs, abs=1e-4), kind
        ours, theirs = weights(path), weights(alone[kind])
        assert ours.keys() == theirs.keys()
        for name, tensor in ours.items():
            torch.testing.assert_close(tensor, theirs[name], rtol=1e-4, atol=1e-5)


def test_where_nothing_smaller_is_left_whoever_lacks_memory_says_so(make):
    """It is not the process that speaks for the run, nor the last to fail: the other one then
    loses its connection."""
    path = make("lora")
    status, said = launched("ddp", f"{path}!2!", **NO_GPU)
    assert status != 0
    assert said.count(HALVED) == 1
    run = runs.get(path.name)
    assert (run.state, run.step) == ("failed", 1)
    assert run.message.en.startswith("Memory ran out (peak ")
    assert run.message.zh.startswith("内存不足（峰值 ")
