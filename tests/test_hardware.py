"""Where we are and what memory there is."""

import os
import sys

import psutil
import pytest
import torch

from engine import hardware
from engine.hardware import GIB, memory_now, page_processes, pick_device, where


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({}, "local"),
        ({"SYSTEM": "spaces"}, "space"),
        ({"SYSTEM": "spaces", "SPACES_ZERO_GPU": "true"}, "zerogpu"),
        ({"SPACES_ZERO_GPU": "1"}, "zerogpu"),
        ({"SYSTEM": "linux", "SPACES_ZERO_GPU": ""}, "local"),
    ],
)
def test_where_by_the_variables_that_spaces_set(monkeypatch, variables, place):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert where() == place


def test_without_a_gpu_the_memory_is_the_machines_and_sums_up(monkeypatch):
    monkeypatch.setattr(hardware, "_gpu_handles", lambda: ())
    (memory,) = memory_now()
    assert (memory.name, memory.is_gpu) == ("RAM", False)
    assert memory.total_gib == psutil.virtual_memory().total / GIB
    parts = [memory.own_gib, memory.others_gib, memory.free_gib]
    assert all(part >= 0 for part in parts)
    assert memory.own_gib > 0.01
    assert sum(parts) == pytest.approx(memory.total_gib, rel=1e-6)


@pytest.fixture
def tools(monkeypatch, tmp_path):
    """Triton, a C compiler and Python's headers; gives the headers' folder."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name == "triton")
    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr("sysconfig.get_path", lambda name: tmp_path)
    (tmp_path / "Python.h").touch()
    hardware.runs_kernels.cache_clear()
    yield tmp_path
    hardware.runs_kernels.cache_clear()


@pytest.mark.parametrize(("handles", "compiles"), [((), False), (("a card",), True)])
def test_without_a_gpu_our_processes_do_not_compile(monkeypatch, tools, handles, compiles):
    """Nor import the compiler; a process that inherits this knows that it cannot."""
    monkeypatch.setattr(hardware, "_gpu_handles", lambda: handles)
    monkeypatch.setattr(os, "environ", {})
    os.environ |= hardware.child_environment()
    assert os.environ.get("TORCHDYNAMO_DISABLE") == (None if compiles else "1")
    assert hardware.can_compile() is compiles


@pytest.mark.parametrize("missing", ["nothing", "triton", "a compiler", "headers"])
def test_kernels_run_where_their_launcher_can_be_built(monkeypatch, tools, missing):
    """Python's headers are a package of their own on many systems."""
    monkeypatch.setattr("torch.version.cuda", "13.0")
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: (8, 6))
    if missing == "triton":
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    if missing == "a compiler":
        monkeypatch.setattr("shutil.which", lambda name: None)
    if missing == "headers":
        (tools / "Python.h").unlink()
    assert hardware.runs_kernels(torch.device("cuda")) is (missing == "nothing")
    assert not hardware.runs_kernels(torch.device("cpu"))


@pytest.mark.parametrize(("capability", "runs"), [((7, 5), False), ((8, 0), True)])
def test_kernels_want_a_capability(monkeypatch, tools, capability, runs):
    monkeypatch.setattr("torch.version.cuda", "13.0")
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: capability)
    assert hardware.runs_kernels(torch.device("cuda")) is runs


def test_the_processor_can_be_chosen_beside_a_gpu(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    device = pick_device(device_map="cpu")
    assert (device.type, device.name, str(device.dtype)) == ("cpu", "CPU", "torch.float32")
    assert device.reason.en == "float32, because the processor was chosen and is fastest so."


def test_the_pages_processes_are_this_one_with_its_children():
    child = psutil.Popen(["cat"], stdin=-1)
    own = page_processes()
    child.stdin.close()
    child.wait()
    assert {os.getpid(), child.pid} <= own.keys()
    assert 1 not in own


def test_what_runs_hold_is_told_apart(monkeypatch):
    """It is free again when they end, so a run that waits for them may count on it."""
    monkeypatch.setattr(hardware, "_gpu_handles", lambda: ())
    code = "print(flush=True); input()"
    run = psutil.Popen([sys.executable, "-c", code, "engine", "train"], stdin=-1, stdout=-1)
    run.stdout.readline()  # its command can be read only a moment after it was started
    found = hardware.run_processes()
    monkeypatch.setattr(hardware, "run_processes", lambda: {run.pid: run})
    (memory,) = memory_now()
    run.communicate()
    assert run.pid in found
    assert os.getpid() not in found
    assert 0 < memory.returning_gib < memory.own_gib


def test_a_process_that_has_ended_counts_nothing():
    process = psutil.Popen(["true"])
    process.wait()
    assert hardware.resident_bytes(process) == 0


def test_the_device_says_why(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    device = pick_device()
    assert (device.type, device.dtype) == ("cpu", torch.float32)
    assert "no GPU" in device.reason.en
    chosen = pick_device("bfloat16")
    assert (chosen.dtype, chosen.reason.en) == (torch.bfloat16, "bfloat16, as chosen.")
