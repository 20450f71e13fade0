"""How the process of a run is started: its command and its environment, as a shell would take them.

One device needs `python -m engine train RUN_DIR`; several need Accelerate's launcher before it,
which starts that many processes of the same command. The flags are those of `accelerate launch`.
"""

import os
import shlex
import sys
from pathlib import Path

from engine import devices
from engine.config import TrainConfig
from engine.errors import UserError
from engine.hardware import gpu_count

ROOT = Path(__file__).resolve().parent.parent.parent
_DEFAULT_RUNS = ROOT / "runs"
_FSDP = [
    *("--use_fsdp", "--fsdp_version", "2"),
    *("--fsdp_auto_wrap_policy", "NO_WRAP"),  # engine.models.sharing has done it by then
    *("--fsdp_cpu_ram_efficient_loading", "false"),
    *("--fsdp_state_dict_type", "FULL_STATE_DICT"),
]


def is_rank() -> bool:
    """Whether this process is one of several that a launcher has started for one run."""
    return "RANK" in os.environ


def environment(gpus: list[int]) -> dict[str, str]:
    """What narrows a run to its GPUs; {} where there is none. NVML counts in the bus's order, CUDA
    only when it is told to."""
    if not gpu_count():
        return {}
    numbers = ",".join(map(str, gpus))
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": numbers}


def arguments(path: Path, config: TrainConfig, processes: int) -> list[str]:
    """What follows `python`."""
    train = ["-m", "engine", "train", str(path)]
    if processes == 1:
        return train
    shared = ["--num_processes", str(processes), "--num_machines", "1", "--main_process_port", "0"]
    plain = ["--mixed_precision", "no", "--dynamo_backend", "no"]  # the run's own options decide
    way = _FSDP if config.distributed_type == "fsdp" else ["--multi_gpu"]
    return ["-m", "accelerate.commands.launch", *shared, *plain, *way, *train]


def shown(path: Path, config: TrainConfig, gpus: list[int]) -> str:
    """The whole command for a shell in the repository root. `gpus` is what the run has, or [] when
    its turn has not come: then the number of devices is what it asks for."""
    gpus = gpus or _asked(config)
    variables = environment(gpus)
    if path.parent != _DEFAULT_RUNS:
        variables["RUNS_DIR"] = str(path.parent)
    words = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    processes = devices.processes(len(gpus), config.device_map)
    words += ["python", *map(shlex.quote, arguments(path, config, processes))]
    return " ".join(words)


def _asked(config: TrainConfig) -> list[int]:
    try:
        return devices.wanted(config.gpu_ids) or devices.usable()[:1]
    except UserError:  # made on another machine: what this one would take
        return devices.usable()[:1]


def launch_line(path: Path, config: TrainConfig, gpus: list[int]) -> list[str]:
    """The command for subprocess."""
    return [
        sys.executable,
        *arguments(path, config, devices.processes(len(gpus), config.device_map)),
    ]
