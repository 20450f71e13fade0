"""A run whose folder was moved, torn or damaged goes on, or says what is in its way."""

import shutil

import pytest

from engine.config import TrainConfig
from engine.training import checkpoints, runs
from engine.training.train import train

pytestmark = pytest.mark.usefixtures("same_signals", "hasty")

STEPS = 4


@pytest.fixture(scope="module")
def config(short_run):
    """Two checkpoints are kept: of steps 2 and 4."""
    return short_run(max_steps=STEPS, save_steps=2, eval_steps=2, sample_prompts="Who are you?")


def begun(config, **changes):
    return runs.create(TrainConfig.from_dict(config.to_dict() | changes))


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    """A run that has ended; each test takes a copy of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNS_DIR", str(tmp_path_factory.mktemp("whole")))
        path = begun(config)
        assert train(path) == 0
    return path


@pytest.fixture
def ended(whole, runs_folder):
    return shutil.copytree(whole, runs_folder / whole.name)


def test_a_run_folder_elsewhere_ends_well_and_has_its_report(config, tmp_path):
    """A copy of a run, in a folder that holds no other runs and is not named by RUNS_DIR."""
    path = shutil.copytree(begun(config), tmp_path / "elsewhere" / "brave-ibex-6e93")
    shutil.rmtree(runs.runs_dir())
    assert train(path) == 0
    assert runs.status_of(path)["state"] == "finished"
    assert (path / "report.md").read_text().split("\n")[2].startswith("Finished: tiny on small")


def test_a_report_that_cannot_be_written_fails_no_run(config, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.training.train.write_report", full)
    path = begun(config)
    assert train(path) == 0
    assert runs.get(path.name).state == "finished"
    assert (
        "The report could not be written (OSError: [Errno 28] No space left on device); the run is "
        "whole without it.\n"
    ) in capsys.readouterr().out


def torn(path, name, line):
    """A line that is no row, before all others of a file."""
    file = path / name
    file.write_bytes(line + b"\n" + file.read_bytes())


def stopped_at_two(path):
    """As if the run had been stopped at its first checkpoint."""
    shutil.rmtree(path / f"checkpoint-{STEPS}")
    runs.write_status(path, state="stopped", step=2)
    return path


def test_lines_that_cannot_be_read_are_left_out_and_counted(ended, whole, capsys):
    """Wherever they stand; the curve and the answers go on behind them."""
    path = stopped_at_two(ended)
    torn(path, "metrics.jsonl", b'{"a')
    torn(path, "metrics.jsonl", b"null")
    torn(path, "samples.jsonl", b'{"prompt": "Who are you?"}')
    assert train(path) == 0
    said = capsys.readouterr().out
    assert "metrics.jsonl: lines that cannot be read and are left out: 2\n" in said
    assert "samples.jsonl: lines that cannot be read and are left out: 1\n" in said
    assert "Resuming from step 2\n" in said

    def told(one):
        run = runs.view(one)
        return [(row["step"], row.get("loss")) for row in run.metrics()], run.samples()

    assert told(path) == told(whole)
    assert runs.get(path.name).state == "finished"


def test_the_newest_checkpoint_that_can_be_read_is_gone_on_from(ended, whole, capsys):
    weights = ended / "checkpoint-4" / "adapter_model.safetensors"
    size = weights.stat().st_size
    with weights.open("r+b") as file:
        file.truncate(1000)
    runs.write_status(ended, state="failed")
    assert train(ended) == 0
    said = capsys.readouterr().out
    assert "checkpoint-4 cannot be read: adapter_model.safetensors is damaged\n" in said
    assert "Resuming from step 2\n" in said
    assert runs.get(ended.name).state == "finished"
    assert weights.stat().st_size == size
    assert checkpoints.last_complete(ended) == ended / "checkpoint-4"
    name = "adapter/adapter_model.safetensors"
    assert (ended / name).read_bytes() == (whole / name).read_bytes()


def test_without_a_checkpoint_that_can_be_read_it_begins_anew(ended, capsys):
    for step in (2, 4):
        (ended / f"checkpoint-{step}" / "complete.json").write_text("")
    assert train(ended) == 0
    said = capsys.readouterr().out
    assert "checkpoint-2 cannot be read: complete.json is damaged\n" in said
    assert "No checkpoint can be read: it begins anew\n" in said
    losses = [row["step"] for row in runs.get(ended.name).metrics() if "loss" in row]
    assert losses == [1, 2, 3, 4]


def test_facts_that_cannot_be_read_are_written_anew(ended, whole, capsys):
    path = stopped_at_two(ended)
    (path / "dataset.json").write_text("garbage")
    assert train(path) == 0
    assert "dataset.json cannot be read, so whether the data is the same" in capsys.readouterr().out
    assert (path / "dataset.json").read_text() == (whole / "dataset.json").read_text()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lora_r": 2}, "lora_r was 4 and is 2"),
        ({"lora_r": 2, "lora_alpha": 7}, "lora_r was 4 and is 2, lora_alpha was 32 and is 7"),
        ({"lora_target_modules": "q_proj"}, "lora_target_modules"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights was default and is pissa"),
        ({"peft_type": "loha"}, "peft_type was lora and is loha"),
    ],
)
def test_changed_options_are_named(ended, whole, config, changes, said):
    """No list of torch's, and nothing is trained: the checkpoint fits another adapter."""
    path = stopped_at_two(ended)
    other = TrainConfig.from_dict(config.to_dict() | changes)
    (path / "config.yaml").write_text(other.to_yaml(), encoding="utf-8")
    assert train(path) == 2
    run = runs.get(path.name)
    assert run.message.en == (
        f"The options of this run have changed since it began: {said}. Put them back into its "
        "config.yaml, or clone the run and start a new one."
    )
    assert (path / "metrics.jsonl").read_text() == (whole / "metrics.jsonl").read_text()
    (path / "config.yaml").write_text(config.to_yaml(), encoding="utf-8")
    assert train(path) == 0


def test_a_changed_start_is_named_from_the_other_side(config):
    """Its checkpoint's numbers fit the base that pissa has changed, and no other."""
    path = begun(config, init_lora_weights="pissa")
    assert train(path) == 0
    (stopped_at_two(path) / "config.yaml").write_text(config.to_yaml(), encoding="utf-8")
    assert train(path) == 2
    said = "init_lora_weights was pissa and is default"
    assert said in runs.get(path.name).message.en


def test_another_file_is_not_called_a_changed_one(ended, config, write_rows, tmp_path):
    path = stopped_at_two(ended)
    rows = [{"prompt": f"Say {one}.", "response": f"It is {one}."} for one in "abcdefghijkl"]
    other = write_rows(tmp_path / "mine.jsonl", rows)
    changed = TrainConfig.from_dict(config.to_dict() | {"dataset": str(other)})
    (path / "config.yaml").write_text(changed.to_yaml(), encoding="utf-8")
    assert train(path) == 2
    assert runs.get(path.name).message.en == (
        "This run began with small.jsonl as its dataset, and its options now name mine.jsonl; put "
        "the old one back into its config.yaml, or clone the run into the form and start a new one."
    )
