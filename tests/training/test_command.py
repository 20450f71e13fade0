"""The commands of a run: what starts it here, and what a shell takes."""

import os
import shlex
import subprocess
import sys

import pytest

from engine import devices
from engine.config import TrainConfig
from engine.training import command, runs


@pytest.fixture
def gpus(monkeypatch):
    """A machine with that many GPUs."""

    def make(count):
        for module in (devices, command):
            monkeypatch.setattr(module, "gpu_count", lambda: count)

    return make


ONE = ["-m", "engine", "train", "{path}"]
SEVERAL = [
    *("-m", "accelerate.commands.launch", "--num_processes", "2", "--num_machines", "1"),
    *("--main_process_port", "0", "--mixed_precision", "no", "--dynamo_backend", "no"),
]
FSDP = [
    *("--use_fsdp", "--fsdp_version", "2", "--fsdp_auto_wrap_policy", "NO_WRAP"),
    *("--fsdp_cpu_ram_efficient_loading", "false", "--fsdp_state_dict_type", "FULL_STATE_DICT"),
]


@pytest.mark.parametrize(
    ("options", "numbers", "expected"),
    [
        ({}, [3], ONE),
        ({"distributed_type": "fsdp"}, [3], ONE),
        ({}, [0, 1], [*SEVERAL, "--multi_gpu", *ONE]),
        ({"distributed_type": "fsdp"}, [2, 5], [*SEVERAL, *FSDP, *ONE]),
    ],
    ids=["one", "one needs no sharing out", "ddp", "fsdp"],
)
def test_the_exact_command(tmp_path, options, numbers, expected):
    words = [word.format(path=tmp_path) for word in expected]
    config = TrainConfig(**options)
    assert command.launch_line(tmp_path, config, numbers) == [sys.executable, *words]


@pytest.mark.parametrize("way", ["ddp", "fsdp"])
def test_accelerate_knows_every_flag(tmp_path, way):
    """Its own parser reads the command, and hands the rest to the run."""
    from accelerate.commands.launch import launch_command_parser

    line = command.arguments(tmp_path, TrainConfig(distributed_type=way), 2)
    read = launch_command_parser().parse_args(line[2:])
    assert (read.num_processes, read.main_process_port) == (2, 0)
    assert (read.multi_gpu, read.use_fsdp) == (way == "ddp", way == "fsdp")
    assert way == "ddp" or read.fsdp_version == "2"
    assert (read.module, read.training_script) == (True, "engine")
    assert read.training_script_args == ["train", str(tmp_path)]


def test_a_run_sees_its_gpus_only(gpus):
    gpus(4)
    assert command.environment([3, 1]) == {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": "3,1",
    }
    gpus(0)
    assert command.environment([0]) == {}


def test_the_command_as_a_shell_takes_it(gpus):
    """With the variables it needs; before its turn, for as many devices as it asks for."""
    gpus(4)
    path = runs.create(TrainConfig(gpu_ids="1,2"))
    shown = command.shown(path, TrainConfig(gpu_ids="1,2"), [])
    assert shlex.split(shown) == [
        *("CUDA_DEVICE_ORDER=PCI_BUS_ID", "CUDA_VISIBLE_DEVICES=1,2"),
        *(f"RUNS_DIR={path.parent}", "python"),
        *[word.format(path=path) for word in [*SEVERAL, "--multi_gpu", *ONE]],
    ]
    assert "CUDA_VISIBLE_DEVICES=3 " in command.shown(path, TrainConfig(), [3])
    elsewhere = command.shown(path, TrainConfig(gpu_ids="9"), [])
    assert "CUDA_VISIBLE_DEVICES=0 " in elsewhere


def test_in_the_usual_place_it_needs_no_variable(gpus):
    gpus(0)
    path = command.ROOT / "runs" / "calm-otter-0001"
    shown = command.shown(path, TrainConfig(), [0])
    assert shown == f"python -m engine train {shlex.quote(str(path))}"


def test_the_shown_command_runs_as_it_stands(gpus, monkeypatch):
    """In the repository's root, by a shell; here a run that cannot work says so and writes it."""
    gpus(0)
    path = runs.create(TrainConfig(gpu_ids="0", dataset="x"))
    shown = command.shown(path, TrainConfig(), [0])
    folder = os.path.dirname(sys.executable)
    done = subprocess.run(
        ["sh", "-c", shown],
        cwd=command.ROOT,
        env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "RUNS_DIR": "/nowhere"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr == (
        "This machine has no GPU; leave GPUs (gpu_ids) empty to train on its processor.\n"
    )
    assert runs.get(path.name).state == "failed"


def test_a_process_of_several_is_told_by_its_rank(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    assert not command.is_rank()
    monkeypatch.setenv("RANK", "1")
    assert command.is_rank()
