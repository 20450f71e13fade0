"""A run from its folder to its folder: files of the contract, failure, stop, kill and resume."""

import json
import math
import os
import re
import signal
import subprocess
import sys

import pytest
import torch
import yaml

from engine.config import TrainConfig
from engine.models.load import load_tokenizer
from engine.training import runs
from engine.training.loop import PackedTrainer
from engine.training.progress import Progress
from engine.training.train import train
from tests.tiny_bases import write_base

pytestmark = pytest.mark.usefixtures("same_signals", "hasty")

STEPS = 8
METRICS = {"step", "seconds", "epoch", "tokens", "tokens_per_second", "memory"}


@pytest.fixture(scope="module")
def config(short_run):
    """Small batches, dropout and evaluation: all that a resumed run must not mix up."""
    return short_run(
        system_prompt="Be kind.",
        lora_dropout=0.1,
        max_steps=STEPS,
        save_steps=3,
        eval_steps=4,
        sample_prompts="你好\nWho are you?",
    )


def begun(config, **changes):
    return runs.create(TrainConfig.from_dict(config.to_dict() | changes))


def curve(path, name):
    return {row["step"]: row[name] for row in runs.get(path.name).metrics() if name in row}


@pytest.fixture(scope="module")
def finished(config, tmp_path_factory):
    """One whole run; a test that asks runs about it must call `at_home` first."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNS_DIR", str(home))
        path = begun(config)
        assert train(path) == 0
    return path


@pytest.fixture
def at_home(finished, monkeypatch):
    monkeypatch.setenv("RUNS_DIR", str(finished.parent))
    return finished


def test_the_folder_holds_the_files_of_the_contract(at_home):
    names = {one.name for one in at_home.iterdir()}
    assert names == {
        *("config.yaml", "dataset.json", "status.json", "metrics.jsonl", "samples.jsonl"),
        *("adapter", "learned.json", "report.md", "report.zh.md", "curves.svg", "curves.zh.svg"),
        *("placement.json", "checkpoint-6", f"checkpoint-{STEPS}", "name"),
    }
    adapter = {one.name for one in (at_home / "adapter").iterdir()}
    assert adapter >= {
        *("adapter_config.json", "adapter_model.safetensors", "greenroom.json"),
        *("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
    }
    assert not [one for one in at_home.rglob("*") if one.name == "adapter_model.bin"]


def test_status_has_the_keys_of_the_contract(at_home):
    status = json.loads((at_home / "status.json").read_text())
    assert status.keys() == {
        *("state", "pid", "step", "max_steps", "message", "message_zh", "updated_at"),
        *("created_at", "started_at", "seconds", "seconds_left", "tokens_per_second"),
        *("loss", "loss_at", "eval_loss", "peak_gib", "predicted_gib"),
    }
    assert (status["state"], status["step"], status["max_steps"]) == ("finished", STEPS, STEPS)
    assert (status["message"], status["seconds_left"], status["pid"]) == ("", 0.0, os.getpid())


def test_metrics_have_one_row_a_step_and_one_an_evaluation(at_home):
    rows = runs.get(at_home.name).metrics()
    losses = [row for row in rows if "loss" in row]
    evaluations = [row for row in rows if "eval_loss" in row]
    assert [row["step"] for row in losses] == list(range(1, STEPS + 1))
    assert [row["step"] for row in evaluations] == [0, 4, 8]
    assert all(row.keys() == METRICS | {"loss", "learning_rate", "grad_norm"} for row in losses)
    assert all(row.keys() == METRICS | {"eval_loss"} for row in evaluations)
    for row in rows:
        memory = row["memory"]
        own, peak = memory["own_gib"], memory["peak_gib"]
        (ram,) = memory["devices"]
        assert memory == {"device": "RAM", "own_gib": own, "peak_gib": peak, "devices": [ram]}
        assert ram == {
            **{"device": "RAM", "now_gib": own, "reserved_gib": own, "peak_gib": peak},
        }
    tokens = [row["tokens"] for row in losses]
    assert tokens == sorted(set(tokens))


def test_it_learns(at_home):
    losses = curve(at_home, "eval_loss")
    assert losses[8] < losses[0] - 0.1


def test_the_fixed_questions_are_answered_at_every_evaluation(at_home):
    samples = runs.get(at_home.name).samples()
    base, steps = samples[:2], samples[2:]
    assert [(one["step"], one["prompt"]) for one in steps] == [
        (step, prompt) for step in (0, 4, 8) for prompt in ("你好", "Who are you?")
    ]
    assert all(one.keys() == {"step", "prompt", "answer"} for one in steps)
    # An adapter begins as nothing: the base's answers, once, are those of step 0.
    assert base == [one | {"voice": "base"} for one in steps[:2]]


def test_dataset_json_counts_what_was_trained(at_home, small_dataset):
    facts = json.loads((at_home / "dataset.json").read_text())
    assert facts.keys() == {
        *("source", "file", "sha256", "format", "rows", "dropped", "train_rows", "eval_rows"),
        *("train_tokens", "learned_tokens", "truncated_rows"),
        *("mapping", "speaker", "eval_file", "eval_sha256"),
    }
    assert (facts["rows"], facts["train_rows"], facts["eval_rows"]) == (24, 19, 5)
    assert (facts["file"], facts["dropped"]) == (small_dataset.name, [])


def test_the_adapters_card_carries_what_its_voice_needs(at_home, config):
    card = json.loads((at_home / "adapter" / "greenroom.json").read_text())
    assert card.keys() == {
        *("run", "base_model", "system_prompt", "stop_token", "config", "memory", "versions"),
    }
    assert card["run"] == at_home.name
    assert card["base_model"] == config.model_name_or_path
    assert (card["system_prompt"], card["stop_token"]) == ("Be kind.", "<|im_end|>")
    assert card["config"] == config.to_dict()


def test_the_end_is_looked_back_on(at_home):
    """Of the rows of the run; the Trainer weighs its evaluations by batches, hence the room."""
    card = json.loads((at_home / "learned.json").read_text())
    assert (card["step"], card["verdict"]) == (STEPS, "learned")
    assert (card["train"]["rows"], card["held_out"]["rows"]) == (19, 5)
    evals = curve(at_home, "eval_loss")
    assert card["held_out"]["base"] == pytest.approx(evals[0], abs=0.1)
    assert card["held_out"]["adapter"] == pytest.approx(evals[STEPS], abs=0.1)
    assert card["best"]["step"] == min((s for s in evals if s), key=evals.get)


@pytest.mark.parametrize(
    ("eval_steps", "steps"), [(2, [0, 2, 4, 5]), (5, [0, 5]), (0, [0, 1, 2, 3, 4, 5])]
)
def test_without_validation_the_questions_are_asked_as_often(config, eval_steps, steps):
    """When an evaluation would be due, and once at the end."""
    path = begun(config, eval_size=0, max_steps=5, eval_steps=eval_steps, sample_prompts="你好")
    assert train(path) == 0
    samples = runs.get(path.name).samples()
    asked = [(one["step"], one.get("voice", "")) for one in samples]
    assert asked == [(0, "base"), *((step, "") for step in steps)]
    losses = curve(path, "loss")
    silent = begun(config, eval_size=0, max_steps=5, sample_prompts="")
    assert train(silent) == 0
    assert curve(silent, "loss") == losses
    assert runs.get(silent.name).samples() == []


def test_the_curve_reaches_the_end(config):
    """The last row is the mean of the steps that no row had told of."""
    path = begun(config, eval_size=0, max_steps=5, logging_steps=3, sample_prompts="")
    assert train(path) == 0
    each = begun(config, eval_size=0, max_steps=5, sample_prompts="")
    assert train(each) == 0
    losses = curve(each, "loss")
    assert curve(path, "loss") == {
        3: pytest.approx((losses[1] + losses[2] + losses[3]) / 3, abs=1e-6),
        5: pytest.approx((losses[4] + losses[5]) / 2, abs=1e-6),
    }


def test_packing_changes_no_loss_where_a_model_would_mix_the_rows(config, tmp_path, capfd):
    """Falcon's mask knows no positions."""
    tokenizer, _ = load_tokenizer(config.model_name_or_path)
    base = str(write_base(tmp_path / "base", "falcon", tokenizer))
    found = {}
    for packing in (True, False):
        path = begun(config, model_name_or_path=base, packing=packing, max_steps=1)
        assert train(path) == 0
        found[packing] = curve(path, "eval_loss")[0]
        said = "Rows of a pack would see each other" in capfd.readouterr().out
        assert said == packing
    assert found[True] == pytest.approx(found[False], abs=1e-5)


def test_same_seed_same_run(at_home, config, runs_folder, monkeypatch):
    """With or without the fixed questions: answering them uses no randomness up."""
    losses = curve(at_home, "loss")
    monkeypatch.setenv("RUNS_DIR", str(runs_folder))
    again = begun(config, sample_prompts="")
    assert train(again) == 0
    assert curve(again, "loss") == losses
    other = begun(config, seed=7, max_steps=1, sample_prompts="")
    assert train(other) == 0
    assert curve(other, "loss")[1] != losses[1]


@pytest.mark.parametrize("key", ["loss", "eval_loss"])
def test_a_loss_that_is_no_number_fails_with_a_sentence(config, monkeypatch, key):
    path = begun(config, eval_size=0.2 if key == "eval_loss" else 0.0)
    computed = PackedTrainer._loss_sum
    monkeypatch.setattr(PackedTrainer, "_loss_sum", lambda *args: computed(*args) * math.nan)
    assert train(path) == 2
    run = runs.get(path.name)
    assert run.state == "failed"
    assert run.message.en.startswith(f"The {key} became nan at step ")
    assert run.message.zh
    assert run.can_resume
    assert not run.has_adapter


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"max_length": 8}, "No row has anything to learn within 8 tokens"),
        ({"dataset": "nowhere.json"}, "There is no dataset 'nowhere.json'"),
        (
            {"lora_target_modules": "qux"},
            "No linear layer of this model fits 'qux'. It has",
        ),
        ({"learning_rate": -1}, "Learning rate (learning_rate) is -1"),
    ],
)
def test_a_persons_mistake_is_a_failed_run_with_a_sentence(config, changes, sentence):
    path = begun(config, **changes)
    assert train(path) == 2
    run = runs.get(path.name)
    assert run.state == "failed"
    assert run.message.en.startswith(sentence)


def test_our_own_mistake_is_a_failed_run_with_status_1(config, monkeypatch, capfd):
    def broken(*_):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("engine.training.train.prepare", broken)
    path = begun(config)
    assert train(path) == 1
    assert "Training broke: ZeroDivisionError: oh" in runs.get(path.name).message.en
    assert "Traceback" in capfd.readouterr().err


def test_memory_that_runs_out_for_good_is_a_sentence(config, monkeypatch, capfd):
    """What cutting cannot help says what does, on the page and in the log; for a model of a few
    KiB nothing does."""

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    monkeypatch.setattr(PackedTrainer, "_loss_sum", full)
    path = begun(config, sample_prompts="", eval_size=0.0)
    assert train(path) == 2
    run = runs.get(path.name)
    assert (run.state, run.has_adapter) == ("failed", False)
    en = r"Memory ran out \(peak \d+\.\d GiB\)\. Take a smaller base or a larger machine\."
    assert re.fullmatch(en, run.message.en)
    assert run.message.en in capfd.readouterr().err
    assert run.message.zh.startswith("内存不足")


@pytest.mark.parametrize("part", ["build_model", "whole_state"])
def test_memory_runs_out_wherever_the_model_is(config, monkeypatch, part):
    """While it is loaded and after the last step: the sentence has the ladder of the very task,
    its longest row in tokens, its steps and processes."""

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    def said(config, task, peak_gib):
        return f"{max(task.lengths)} {task.max_steps} {task.processes}", "zh"

    monkeypatch.setattr(f"engine.training.train.{part}", full)
    monkeypatch.setattr("engine.training.train.ran_out", said)
    path = begun(config, max_steps=1, sample_prompts="", eval_size=0.0)
    assert train(path) == 2
    assert runs.get(path.name).message.en == "53 1 1"


def test_the_stop_file_ends_after_the_step_and_keeps_the_adapter(config, monkeypatch):
    path = begun(config, sample_prompts="")
    logged = Progress.on_log

    def stop_at_two(self, args, state, *rest, **more):
        if state.global_step == 2:
            (path / "stop").touch()
        return logged(self, args, state, *rest, **more)

    monkeypatch.setattr(Progress, "on_log", stop_at_two)
    assert train(path) == 0
    run = runs.get(path.name)
    assert run.state == "stopped"
    assert run.has_adapter
    assert run.step == max(curve(path, "loss")) < STEPS
    assert (path / f"checkpoint-{run.step}" / "complete.json").is_file()


def test_data_changed_since_the_start_is_refused(config, write_rows, tmp_path):
    rows = [{"prompt": f"Say {number}.", "response": f"It is {number}."} for number in "abcdefgh"]
    file = write_rows(tmp_path / "mine.jsonl", rows)
    path = begun(config, dataset=str(file), max_steps=1, sample_prompts="")
    assert train(path) == 0
    write_rows(file, rows[1:])
    assert train(path) == 2
    assert runs.get(path.name).message.en.startswith("mine.jsonl has changed since this run began")


# Runs the real command line, but the process is killed while it writes the row of step 5.
KILLED = """
import os, runpy, signal
from engine.training import progress
write = progress.append_json_line

def torn(path, row):
    if row["step"] == 5 and path.name == "metrics.jsonl":
        with path.open("a") as file:
            file.write('{"loss": 1.0, "ste')
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, row)

progress.append_json_line = torn
runpy.run_module("engine", run_name="__main__", alter_sys=True)
"""


def test_a_killed_run_resumes_with_the_curve_unbroken(
    at_home, config, runs_folder, monkeypatch, capfd
):
    """SIGKILL in the middle of step 5, between the checkpoints 3 and 6, of a real process; what it
    left goes on."""
    expected, expected_eval = curve(at_home, "loss"), curve(at_home, "eval_loss")
    expected_tokens = curve(at_home, "tokens")
    monkeypatch.setenv("RUNS_DIR", str(runs_folder))
    path = begun(config)
    command = [sys.executable, "-c", KILLED, "train", str(path)]
    killed = subprocess.run(command, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    run = runs.get(path.name)
    assert (run.state, run.alive, run.can_resume) == ("failed", False, True)
    assert max(curve(path, "loss")) == 4
    capfd.readouterr()
    assert train(path) == 0
    assert "Resuming from step 3" in capfd.readouterr().out
    assert runs.get(path.name).state == "finished"
    steps = [row["step"] for row in runs.get(path.name).metrics() if "loss" in row]
    assert steps == list(range(1, STEPS + 1))
    assert curve(path, "loss") == pytest.approx(expected, abs=1e-4)
    assert curve(path, "eval_loss") == pytest.approx(expected_eval, abs=1e-4)
    assert curve(path, "tokens") == expected_tokens
    samples = [(one["step"], one["prompt"]) for one in runs.get(path.name).samples()]
    assert len(samples) == 2 + len(set(samples)) == 8


def test_config_yaml_is_never_rewritten(at_home, config):
    assert yaml.safe_load((at_home / "config.yaml").read_text()) == config.to_dict()


def test_the_layer_map_is_kept_and_logged(at_home, config, runs_folder, monkeypatch, capfd):
    """On a processor all placements are one."""
    assert runs.get(at_home.name).placement() == {"": "cpu"}
    monkeypatch.setenv("RUNS_DIR", str(runs_folder))
    path = begun(config, device_map="balanced", max_steps=1, sample_prompts="")
    assert train(path) == 0
    assert "Placement: the whole model on cpu" in capfd.readouterr().out
    assert json.loads((path / "placement.json").read_text()) == {"": "cpu"}
