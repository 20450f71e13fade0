"""Starting: checked beforehand, put into line, in a process that outlives the page."""

import subprocess
import sys

import pytest

from engine import launch
from engine.config import TrainConfig
from engine.errors import UserError
from engine.training import line, living, run_changes, runs


@pytest.fixture
def started(monkeypatch):
    """Instead of processes: the folders for which one would have been started."""
    paths = []
    foretold = {"reasons": [], "peak_gib": 1.5}
    monkeypatch.setattr("engine.desk.client.estimate", lambda config: foretold)
    monkeypatch.setattr(launch, "_launch", lambda path, seconds=None: paths.append(path))
    return paths


@pytest.fixture
def busy(runs_folder):
    path = runs.create(TrainConfig())
    process = subprocess.Popen([sys.executable, "-c", "input()", str(path)], stdin=subprocess.PIPE)
    runs.write_status(path, state="running", pid=process.pid)
    line.join(path.parent, path.name)
    yield path
    process.stdin.close()
    process.wait()


def test_start_makes_a_folder_and_one_process(started):
    id = launch.start(TrainConfig(lora_r=3))
    assert started == [runs.get(id).path]
    assert runs.get(id).config.lora_r == 3


def test_a_second_start_waits_in_line(started, busy):
    """Each has its process at once; the order of the line is the order of the starts."""
    first, second = launch.start(TrainConfig()), launch.start(TrainConfig())
    assert [path.name for path in started] == [first, second]
    assert line.read(busy.parent) == [busy.name, first, second]
    assert [(runs.get(one).state, runs.get(one).place) for one in (first, second)] == [
        ("queued", 1),
        ("queued", 2),
    ]
    assert runs.get(second).predicted_gib == 1.5
    assert runs.get(busy.name).place == 0


def test_a_full_disk_is_a_sentence(started, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(line, "write", full)
    with pytest.raises(UserError, match=r"cannot be written into .* .No space left on device."):
        launch.start(TrainConfig())
    assert started == []


@pytest.mark.parametrize("writer", ["runs.write_status", "line.write"])
def test_a_full_disk_is_a_sentence_at_resume_too(started, monkeypatch, writer):
    """Whatever does not fit, the run stands as it stood."""
    path = runs.create(TrainConfig())
    runs.write_status(path, state="stopped", message="old")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"engine.training.{writer}", full)
    with pytest.raises(UserError, match=r"cannot be written into .* .No space left on device."):
        launch.resume(path.name)
    assert started == []
    run = runs.get(path.name)
    assert (run.state, run.message.en, run.can_resume) == ("stopped", "old", True)


def test_what_cannot_work_starts_nothing(started, monkeypatch):
    reason = {"field": "optim", "en": "It needs a GPU.", "zh": "需要显卡。"}
    monkeypatch.setattr("engine.desk.client.estimate", lambda config: {"reasons": [reason]})
    with pytest.raises(UserError, match="It needs a GPU") as raised:
        launch.start(TrainConfig())
    assert (raised.value.field, raised.value.sentence.zh) == ("optim", "需要显卡。")
    assert (started, runs.list_runs()) == ([], [])


def test_resume_takes_the_stop_file_away(started):
    path = runs.create(TrainConfig())
    runs.write_status(path, state="stopped", message="old", seconds_left=0.0)
    (path / "stop").touch()
    launch.resume(path.name)
    assert started == [path]
    assert not (path / "stop").exists()
    run = runs.get(path.name)
    assert (run.state, run.message.en, run.seconds_left) == ("queued", "", None)


def test_a_run_that_is_over_is_resumed_or_deleted_while_its_process_ends(started):
    """Who asks for its state in a loop is quicker than a process that unloads its libraries."""
    paths = [runs.create(TrainConfig()) for _ in range(2)]
    for path, act in zip(paths, [launch.resume, run_changes.delete], strict=True):
        words = "import sys, time; print(flush=True); time.sleep(0.5)"
        process = subprocess.Popen(
            [sys.executable, "-c", words, str(path)], stdout=subprocess.PIPE, text=True
        )
        process.stdout.readline()
        runs.write_status(path, state="stopped", pid=process.pid)
        assert runs.get(path.name).alive
        act(path.name)
        process.communicate()
    assert started == paths[:1]
    assert [path.is_dir() for path in paths] == [True, False]


def test_a_resumed_run_goes_to_the_end_of_the_line(started, busy):
    """Also when its name stands in line from before; its dead process no longer counts."""
    path = runs.create(TrainConfig())
    line.write(path.parent, [path.name, busy.name])
    runs.write_status(path, state="failed", pid=2**22)
    (path / "beside").touch()
    launch.resume(path.name)
    assert line.read(path.parent) == [busy.name, path.name]
    run = runs.get(path.name)
    assert (run.state, run.alive, run.place) == ("queued", True, 1)
    assert not (path / "beside").exists()


@pytest.mark.parametrize("state", ["finished", "queued"])
def test_only_a_stopped_or_failed_run_is_resumed(started, state):
    path = runs.create(TrainConfig())
    runs.write_status(path, state=state)
    with pytest.raises(UserError, match="only a stopped or failed run can be resumed"):
        launch.resume(path.name)
    assert started == []


def test_resume_on_a_gpu_that_is_gone_is_refused(started):
    path = runs.create(TrainConfig(gpu_ids="7"))
    runs.write_status(path, state="failed")
    with pytest.raises(UserError, match="no GPU"):
        launch.resume(path.name)
    assert (started, runs.get(path.name).state) == ([], "failed")


def test_on_zerogpu_a_thread_of_the_page_drives_the_run(monkeypatch, wait_until):
    """It says in the name of which process it lives; there is no process to be found by its id."""
    begun = []
    foretold = {"reasons": [], "total_parameters": 10**6, "seconds": 7.0}
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setattr("engine.desk.client.estimate", lambda config: foretold)
    monkeypatch.setattr("engine.training.slots._drive", lambda *given: begun.append(given))
    monkeypatch.setattr("subprocess.Popen", None)
    path = runs.get(launch.start(TrainConfig())).path
    wait_until(lambda: begun, 10, "the thread begins")
    assert begun == [(path, 7.0)]
    assert runs.status_of(path)["page"] == living.this_process()


def test_zerogpu_refuses_a_base_that_would_fill_its_slots(started, monkeypatch):
    foretold = {"reasons": [], "total_parameters": 7 * 10**9, "seconds": None}
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setattr("engine.desk.client.estimate", lambda config: foretold)
    with pytest.raises(UserError, match="take one of at most 1.5 billion"):
        launch.start(TrainConfig())
    assert (started, runs.list_runs()) == ([], [])


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
