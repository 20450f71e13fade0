"""Starting: one run at a time, checked beforehand, in a process that outlives the page."""

import subprocess
import sys

import pytest

from engine import launch
from engine.config import TrainConfig
from engine.errors import UserError
from engine.training import runs


@pytest.fixture
def started(monkeypatch):
    """Instead of processes: the folders for which one would have been started."""
    paths = []
    monkeypatch.setattr("engine.desk.client.estimate", lambda config: {"reasons": []})
    monkeypatch.setattr(launch, "_launch", paths.append)
    return paths


@pytest.fixture
def busy(runs_folder):
    path = runs.create(TrainConfig())
    process = subprocess.Popen([sys.executable, "-c", "input()", str(path)], stdin=subprocess.PIPE)
    runs.write_status(path, state="running", pid=process.pid)
    yield path
    process.stdin.close()
    process.wait()


def test_start_makes_a_folder_and_one_process(started):
    id = launch.start(TrainConfig(lora_r=3))
    assert started == [runs.get(id).path]
    assert runs.get(id).config.lora_r == 3


def test_two_runs_at_once_are_refused(started, busy):
    with pytest.raises(UserError, match=r"is training on this device; wait for its end or stop"):
        launch.start(TrainConfig())
    assert started == []
    assert [run.id for run in runs.list_runs()] == [busy.name]


def test_a_run_just_queued_counts_as_busy(started):
    launch.start(TrainConfig())
    with pytest.raises(UserError, match="is training on this device"):
        launch.start(TrainConfig())
    assert len(started) == 1


def test_what_cannot_work_starts_nothing(started, monkeypatch):
    reason = {"field": "optim", "en": "It needs a GPU.", "zh": "需要显卡。"}
    monkeypatch.setattr("engine.desk.client.estimate", lambda config: {"reasons": [reason]})
    with pytest.raises(UserError, match="It needs a GPU") as raised:
        launch.start(TrainConfig())
    assert (raised.value.field, raised.value.sentence.zh) == ("optim", "需要显卡。")
    assert (started, runs.list_runs()) == ([], [])


def test_resume_takes_the_stop_file_away(started):
    path = runs.create(TrainConfig())
    runs.write_status(path, state="stopped", message="old")
    (path / "stop").touch()
    launch.resume(path.name)
    assert started == [path]
    assert not (path / "stop").exists()
    run = runs.get(path.name)
    assert (run.state, run.message.en) == ("queued", "")


@pytest.mark.parametrize("state", ["finished", "queued"])
def test_only_a_stopped_or_failed_run_is_resumed(started, state):
    path = runs.create(TrainConfig())
    runs.write_status(path, state=state)
    with pytest.raises(UserError, match="only a stopped or failed run can be resumed"):
        launch.resume(path.name)
    assert started == []


def test_resume_while_another_trains_is_refused(started, busy):
    path = runs.create(TrainConfig())
    runs.write_status(path, state="failed")
    with pytest.raises(UserError, match="is training on this device"):
        launch.resume(path.name)
    assert runs.get(path.name).state == "failed"


def test_zerogpu_says_that_it_cannot(started, monkeypatch):
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    with pytest.raises(UserError, match="ZeroGPU Space is not built yet"):
        launch.start(TrainConfig())
    assert started == []


def test_the_process_is_detached_and_logs_into_the_folder(monkeypatch):
    """A session of its own: what ends the page does not end the training."""
    seen = {}

    class Popen:
        pid = 4321

        def __init__(self, command, **options):
            seen.update(options, command=command)
            options["stdout"].write(b"hello\n")

    monkeypatch.setattr("subprocess.Popen", Popen)
    path = runs.create(TrainConfig())
    launch._launch(path)
    assert seen["command"] == [sys.executable, "-m", "engine", "train", str(path)]
    assert seen["start_new_session"] is True
    assert seen["stdin"] == subprocess.DEVNULL
    assert (path / "train.log").read_text() == "hello\n"
    assert runs.status_of(path)["pid"] == 4321
