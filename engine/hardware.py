"""Devices: where we are, what to compute on and in which precision, and the memory now.

Nothing here imports torch at module level: the page reads memory from NVML and the kernel.
"""

import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

import psutil

from engine.errors import Sentence, UserError

if TYPE_CHECKING:
    import torch

GIB = 1024**3
LARGEST_GIB = 1000  # of a card that one may plan for


@dataclass(frozen=True, slots=True)
class Device:
    """What a process computes on; `dtype` is torch's, `reason` says why this one. `is_here` is
    False for one that a person only plans for."""

    type: Literal["cuda", "cpu"]
    name: str
    dtype: "torch.dtype"
    reason: Sentence
    is_here: bool = True


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """Memory of one GPU, or of the machine when it has none, in GiB."""

    name: str
    is_gpu: bool
    own_gib: float  # used by this page, its chat, its runs
    others_gib: float
    free_gib: float
    total_gib: float


def where() -> Literal["local", "space", "zerogpu"]:
    """Only the variables that Spaces sets count; ZeroGPU is told by its own alone."""
    if os.environ.get("SPACES_ZERO_GPU"):
        return "zerogpu"
    return "space" if os.environ.get("SYSTEM") == "spaces" else "local"


def child_environment() -> dict[str, str]:
    """The environment of the processes that we start.

    OpenMP's threads must sleep while they wait: training and chat share a laptop's few cores, and
    waiting threads that spin made a training ten times slower beside another (2026-11-21, 2 cores).
    """
    ours = {"TOKENIZERS_PARALLELISM": "true", "HF_HUB_DISABLE_TELEMETRY": "1"}
    ours |= {"OMP_WAIT_POLICY": "PASSIVE", "PYTHONUTF8": "1"}
    # Memory of the card that was reserved for one size serves another.
    return os.environ | ours | {"PYTORCH_ALLOC_CONF": "expandable_segments:True"}


def memory_now() -> list[DeviceMemory]:
    """One record a GPU (from NVML), or one of the RAM. A few milliseconds; no CUDA context."""
    own = own_processes()
    gpus = [_gpu_memory(handle, own) for handle in _gpu_handles()]
    return gpus or [_ram_memory(own)]


def own_processes() -> dict[int, psutil.Process]:
    """This page with its children, and every run: a run outlives the page that started it."""
    mine = psutil.Process()
    own = {p.pid: p for p in [mine, *mine.children(recursive=True)]}
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if "engine" in line and "train" in line:
            own[process.pid] = process
    return own


def pick_device(dtype: str = "auto") -> Device:
    """Imports torch. `dtype` as in TrainConfig."""
    import torch

    if torch.cuda.is_available():
        name = torch.cuda.get_device_name()
        best, reason = _cuda_dtype(torch)
    else:
        name, best = "CPU", torch.float32
        reason = Sentence(
            "float32, because this machine has no GPU and its processor is fastest so.",
            "float32：本机没有显卡，处理器用它最快。",
        )
    if dtype != "auto":
        best = getattr(torch, dtype)
        reason = Sentence(f"{dtype}, as chosen.", f"{dtype}，按你的选择。")
    return Device("cuda" if torch.cuda.is_available() else "cpu", name, best, reason)


def planned_device(gib: float, dtype: str = "auto") -> Device:
    """A GPU of this size, of today's kind, that this machine does not have. Imports torch."""
    import torch

    reason = Sentence("bfloat16, as today's GPUs compute.", "bfloat16：现在的显卡都支持。")
    precision = torch.bfloat16 if dtype == "auto" else getattr(torch, dtype)
    return Device("cuda", f"{gib:g} GiB", precision, reason, is_here=False)


def check_size(device_gib: float) -> None:
    """Raises UserError (field "device_gib") for what can be no card's memory; 0 means none."""
    if device_gib and not 1 <= device_gib <= LARGEST_GIB:
        raise UserError(
            f"device_gib is {device_gib:g}; give a card's memory in GiB, between 1 and "
            f"{LARGEST_GIB}, or 0 for this machine.",
            f"device_gib 是 {device_gib:g}；请填写显卡的显存（GiB），在 1 到 {LARGEST_GIB} 之间，"
            "0 表示本机。",
            field="device_gib",
        )


def _cuda_dtype(torch) -> tuple["torch.dtype", Sentence]:
    if torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16, Sentence(
            "bfloat16, because this GPU computes it in hardware.",
            "bfloat16：这块显卡有硬件支持。",
        )
    return torch.float16, Sentence(
        "float16, because this GPU has no bfloat16 in hardware.",
        "float16：这块显卡没有 bfloat16 的硬件支持。",
    )


@cache
def _gpu_handles() -> tuple:
    """NVML's handles; none where there is no NVIDIA driver. They stay valid for the process."""
    import pynvml

    try:
        pynvml.nvmlInit()
        count = pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError:
        return ()
    return tuple(pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(count))


def _gpu_memory(handle, own: dict[int, psutil.Process]) -> DeviceMemory:
    import pynvml

    whole = pynvml.nvmlDeviceGetMemoryInfo(handle)
    try:
        processes = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    except pynvml.NVMLError:  # some containers do not say; then everything counts as others'
        processes = []
    used = sum(p.usedGpuMemory or 0 for p in processes if p.pid in own)
    name = pynvml.nvmlDeviceGetName(handle)
    return DeviceMemory(
        name,
        True,
        used / GIB,
        max(0, whole.used - used) / GIB,
        whole.free / GIB,
        whole.total / GIB,
    )


def _ram_memory(own: dict[int, psutil.Process]) -> DeviceMemory:
    whole = psutil.virtual_memory()
    used = sum(resident_bytes(process) for process in own.values())
    others = max(0, whole.total - whole.available - used)
    return DeviceMemory(
        "RAM", False, used / GIB, others / GIB, whole.available / GIB, whole.total / GIB
    )


def resident_bytes(process: psutil.Process) -> int:
    """Memory that this process has for itself; shared library pages count once, to nobody."""
    try:
        info = process.memory_info()
    except psutil.Error:
        return 0
    return max(0, info.rss - getattr(info, "shared", 0))
