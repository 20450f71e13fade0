"""A run whose folder was moved, torn or damaged goes on, or says what is in its way."""

import shutil

import pytest

from engine.config import TrainConfig
from engine.training import runs
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
    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.training.train.write_report", full)
    path = begun(config)
    assert train(path) == 0
    assert runs.get(path.name).state == "finished"
    assert (
        "The report could not be written (OSError: [Errno 28] No space left on device); the run is "
        "whole without it.\n"
    ) in capsys.readouterr().out
