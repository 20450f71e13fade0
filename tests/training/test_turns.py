"""Whose turn it is: order kept, one run a device, nothing that dies stops the line."""

import itertools
import os
import signal
import subprocess
import sys

import pytest

from engine import devices
from engine.config import TrainConfig
from engine.errors import UserError
from engine.hardware import DeviceMemory
from engine.training import line, living, runs, turns

# Stands in line as a run's process does; has its turn for as long as its stdin is open.
WAITS = """
import sys
from pathlib import Path
from engine.training import turns
turns._LOOK_SECONDS = 0.02
print("turn", turns.wait(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def processes(wait_until):
    """Starts the process of a run; says what it prints, line by line."""
    started = []

    def start(path):
        process = subprocess.Popen(
            [sys.executable, "-c", WAITS, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def machine(monkeypatch):
    """A machine with that many GPUs, and that much free on each."""

    def make(*free_gib):
        gpus = [DeviceMemory("GPU", True, 0.0, 0.0, free, 80.0) for free in free_gib]
        monkeypatch.setattr(devices, "gpu_count", lambda: len(gpus))
        for module in (devices, turns):
            monkeypatch.setattr(module, "memory_now", lambda: gpus)

    return make


@pytest.fixture
def standing(monkeypatch):
    """Puts a run into line, in a state and on GPUs, as if its process lived."""
    pids = itertools.count(1)
    monkeypatch.setattr(living, "is_training", lambda pid, run_id: bool(pid))

    def put(state="queued", gpu_ids="", on=(), peak=1.0):
        path = runs.create(TrainConfig(gpu_ids=gpu_ids), peak)
        runs.write_status(path, state=state, pid=next(pids), gpu_ids=list(on))
        line.join(path.parent, path.name)
        return path

    return put


def test_one_after_the_other_whatever_dies(runs_folder, processes):
    """Three real processes: the second is killed while it waits, the first while it trains."""
    paths = [runs.create(TrainConfig()) for _ in range(3)]
    for path in paths:
        line.join(runs_folder, path.name)
    first = processes(paths[0])
    assert first.stdout.readline() == "turn [0]\n"
    second, third = processes(paths[1]), processes(paths[2])
    assert second.stdout.readline() == "Waiting in line for a device: place 1\n"
    assert third.stdout.readline() == "Waiting in line for a device: place 2\n"
    second.kill()
    assert third.stdout.readline() == "Waiting in line for a device: place 1\n"
    first.kill()
    assert third.stdout.readline() == "turn [0]\n"
    second.wait()
    states = [runs.get(path.name) for path in paths]
    assert [(run.state, run.can_resume) for run in states] == [
        ("failed", True),
        ("failed", True),
        ("running", False),
    ]
    assert states[0].message.en.startswith("Its process ended without a word")
    assert states[1].message.en.startswith("Its process ended while it waited for a device")
    assert line.read(runs_folder) == [paths[2].name]


def test_many_at_once_have_their_turns_one_by_one(runs_folder, processes):
    """Five processes begin together; each that has a turn sees the others still waiting."""
    paths = [runs.create(TrainConfig()) for _ in range(5)]
    for path in paths:
        line.join(runs_folder, path.name)
    waiting = [processes(path) for path in reversed(paths)][::-1]
    for number, process in enumerate(waiting):
        lines = iter(process.stdout.readline, "turn [0]\n")
        assert all(one.startswith("Waiting in line") for one in lines)
        states = [runs.get(path.name).state for path in paths[number:]]
        assert states == ["running"] + ["queued"] * (4 - number)
        process.communicate("")


@pytest.mark.parametrize("how", ["stop file", "SIGTERM"])
def test_a_run_leaves_the_line_when_asked(runs_folder, processes, how):
    assert processes(runs.create(TrainConfig())).stdout.readline() == "turn [0]\n"
    path = runs.create(TrainConfig())
    process = processes(path)
    assert process.stdout.readline() == "Waiting in line for a device: place 1\n"
    if how == "SIGTERM":
        os.kill(process.pid, signal.SIGTERM)
    else:
        (path / "stop").touch()
    assert process.stdout.readline() == "turn None\n"
    process.kill()
    status = runs.status_of(path)
    assert (status["state"], path.name in line.read(runs_folder)) == ("stopped", False)
    assert status["message"].startswith("It was taken out of the line; resume puts")


def test_a_second_process_for_the_same_run_is_refused(processes):
    path = runs.create(TrainConfig())
    process = processes(path)
    assert process.stdout.readline() == "turn [0]\n"
    with pytest.raises(UserError, match=f"has a process already .id {process.pid}."):
        turns._enter(path)
    assert runs.status_of(path)["pid"] == process.pid


def test_begun_by_hand_an_old_stop_file_counts_no_more(standing):
    path = standing("stopped")
    runs.write_status(path, pid=None)
    (path / "stop").touch()
    turns._enter(path)
    assert not (path / "stop").exists()
    assert runs.status_of(path)["pid"] == os.getpid()


@pytest.mark.parametrize(("waited", "kept"), [(2**22, False), (os.getppid(), True)])
def test_begun_by_a_launcher_only_its_own_session_is_stopped(runs_folder, waited, kept):
    """Started by hand an old stop file counts no more; one that was made while the process above
    the launcher started it does."""
    path = runs.create(TrainConfig())
    runs.write_status(path, state="running" if kept else "stopped", pid=waited)
    (path / "stop").touch()
    turns.begin_at_once(path)
    assert (path / "stop").exists() is kept
    assert runs.status_of(path)["state"] == "running"


def test_a_missing_gpu_is_a_failed_run_with_a_sentence(machine):
    machine(40)
    path = runs.create(TrainConfig(gpu_ids="0,3"))
    with pytest.raises(UserError, match="There is no GPU 3 here; choose from 0"):
        turns._enter(path)
    assert runs.get(path.name).message.en.startswith("There is no GPU 3 here")


def test_moved_forward_and_back(standing, runs_folder):
    on = standing("running")
    names = [standing().name for _ in range(3)]
    turns.move(names[2], -1)
    assert runs.waiting(runs_folder) == [names[0], names[2], names[1]]
    turns.move(names[0], 5)
    assert runs.waiting(runs_folder) == [names[2], names[1], names[0]]
    assert [runs.get(one).place for one in names] == [3, 2, 1]
    assert line.read(runs_folder)[0] == on.name
    with pytest.raises(UserError, match="is running; only a run that waits in line can be moved"):
        turns.move(on.name, -1)


def took(path):
    with line.lock(path.parent):
        return turns._take(path)


def test_each_takes_the_emptiest_gpu_that_is_free(machine, standing):
    machine(10, 70, 40)
    first, second, third, fourth = [standing() for _ in range(4)]
    assert took(second) == [2], "the emptiest is kept for the first"
    assert took(first) == [1]
    assert took(third) == [0]
    assert took(fourth) is None
    assert runs.status_of(first)["gpu_ids"] == [1]
    assert [run.id for run in turns.going(first.parent)] == [first.name, second.name, third.name]


def test_a_run_waits_only_for_the_gpus_it_uses(machine, standing):
    machine(40, 40, 40, 40)
    standing("running", on=[0, 1])
    wide, other, any_one = standing(gpu_ids="1,2"), standing(gpu_ids="0"), standing()
    last = standing(gpu_ids="2")
    assert took(wide) is None
    assert took(other) is None
    assert took(last) is None, "2 is kept for the one that came before"
    assert took(any_one) == [3]


def test_all_waits_for_all(machine, standing):
    machine(40, 40)
    going = standing("running", on=[1])
    path, later = standing(gpu_ids="all"), standing()
    assert took(path) is None
    assert took(later) is None, "it would keep the first one waiting for ever"
    runs.write_status(going, state="finished", pid=None)
    assert took(path) == [0, 1]


def test_visible_devices_narrow_the_choice(machine, monkeypatch):
    machine(40, 40, 40)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,1")
    assert devices.usable() == [2, 1]
    with pytest.raises(UserError, match="There is no GPU 0 here; choose from 2, 1"):
        devices.wanted("0")
    assert devices.memory_for("").free_gib == 40


@pytest.mark.parametrize(("free", "begins"), [(2.9, None), (3.1, [0])])
def test_beside_another_when_both_peaks_fit(machine, standing, free, begins):
    """The other has logged nothing yet and may still grow to its 2 GiB; this one needs 1 GiB."""
    machine(free)
    standing("running", on=[0], peak=2.0)
    path = standing(peak=1.0)
    if begins:
        turns.beside(path.name)
    else:
        with pytest.raises(UserError, match="needs about 1.0 GiB and 0.9 GiB are free"):
            turns.beside(path.name)
    assert took(path) == begins


def test_a_run_that_has_logged_has_taken_its_memory_already(machine, standing):
    machine(1.1)
    other = standing("running", on=[0], peak=2.0)
    runs.write_status(other, turn_at=5.0, loss_at=6.0)
    path, waiting = standing(peak=1.0), standing(peak=1.0)
    turns.beside(path.name)
    assert took(path) == [0]
    assert took(waiting) is None
    assert not (path / "beside").exists()


def test_beside_knows_its_need_or_waits(machine, standing):
    machine(40)
    standing("running", on=[0])
    path = standing(peak=None)
    with pytest.raises(UserError, match="How much memory .* needs is not known"):
        turns.beside(path.name)
    (path / "beside").touch()
    assert took(path) is None


@pytest.mark.parametrize("content", ["", "{", '"calm-otter"', "[1, null]"])
def test_a_line_that_somebody_broke_is_joined_anew(standing, machine, runs_folder, content):
    machine(40)
    path = standing()
    (runs_folder / "line.json").write_text(content)
    assert line.read(runs_folder) == []
    assert took(path) == [0]
    assert line.read(runs_folder) == [path.name]
