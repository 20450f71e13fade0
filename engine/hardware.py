"""Devices: where we are, what to compute on and in which precision, and the memory now.

Nothing here imports torch at module level: the page reads memory from NVML and the kernel.
"""

import importlib.util
import os
import shutil
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import psutil

from engine.errors import Sentence, UserError, quoted

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


_GIB_FIELDS = ("own_gib", "others_gib", "free_gib", "total_gib", "returning_gib")


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """Memory of one GPU, or of the machine when it has none, in GiB."""

    name: str
    is_gpu: bool
    own_gib: float  # used by this page, its chat, its runs
    others_gib: float
    free_gib: float
    total_gib: float
    returning_gib: float = 0.0  # held by runs, and on a GPU by chats: free when a next run begins


def where() -> Literal["local", "space", "zerogpu"]:
    """Only the variables that Spaces sets count; ZeroGPU is told by its own alone."""
    if os.environ.get("SPACES_ZERO_GPU"):
        return "zerogpu"
    return "space" if os.environ.get("SYSTEM") == "spaces" else "local"


def with_a_lent_gpu(seconds: Callable[..., int]) -> Callable[[Callable], Callable]:
    """Decorates what needs a GPU for a while. On ZeroGPU its calls run in a worker forked from this
    process, which has a GPU for `seconds(*arguments)`; arguments, results and what a generator
    yields travel pickled. Elsewhere the function stays as it is."""
    if where() != "zerogpu":
        return lambda function: function
    import spaces  # only Spaces have it

    return spaces.GPU(duration=seconds)


def not_lent(error: Exception) -> UserError:
    """For what a call of `with_a_lent_gpu` raises by itself: no quota left, or a worker that was
    ended."""
    reason = " ".join(str(error).strip("'\"").split()).rstrip(".") or type(error).__name__
    return UserError(
        f"ZeroGPU did not lend its GPU, or took it back: {reason}. Try again later or sign in to "
        "Hugging Face for a larger quota, or run Greenroom on your own machine.",
        f"ZeroGPU 没有借出显卡，或中途收回了：{reason}。"
        "请稍后再试，或登录 Hugging Face 获得更多额度，也可以在自己的机器上运行 Greenroom。",
    )


def child_environment() -> dict[str, str]:
    """The environment of the processes that we start.

    OpenMP's threads must sleep while they wait: training and chat share a laptop's few cores, and
    waiting threads that spin made a training ten times slower beside another (2026-11-21, 2 cores).
    CUDA must count the GPUs as NVML does, in the order of the bus. Without a GPU nothing is
    compiled, and not to import the compiler, as bitsandbytes would, saves a second of five.
    """
    ours = {"TOKENIZERS_PARALLELISM": "true", "HF_HUB_DISABLE_TELEMETRY": "1"}
    # Logs are for sentences, not for what libraries tell those who build on them.
    ours |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "PYTHONWARNINGS": "ignore::FutureWarning"}
    ours |= {"OMP_WAIT_POLICY": "PASSIVE", "PYTHONUTF8": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    if not _gpu_handles():
        ours["TORCHDYNAMO_DISABLE"] = "1"
    # Memory of the card that was reserved for one size serves another.
    return os.environ | ours | {"PYTORCH_ALLOC_CONF": "expandable_segments:True"}


def memory_now() -> list[DeviceMemory]:
    """One record a GPU (from NVML), or one of the RAM. A few milliseconds; no CUDA context."""
    runs, chats = run_processes(), _processes_of("engine.chat.process")
    own = page_processes() | runs | chats
    gpus = [_gpu_memory(handle, own, runs | chats) for handle in _gpu_handles()]
    return gpus or [_ram_memory(own, runs)]


def ram() -> DeviceMemory:
    runs = run_processes()
    return _ram_memory(page_processes() | runs | _processes_of("engine.chat.process"), runs)


def together(devices: list[DeviceMemory]) -> DeviceMemory:
    """Several GPUs over which one model is laid."""
    if len(devices) == 1:
        return devices[0]
    sums = [sum(getattr(one, name) for one in devices) for name in _GIB_FIELDS]
    return DeviceMemory(f"{len(devices)} x {devices[0].name}", True, *sums)


def gpu_count() -> int:
    """GPUs of this machine, by NVML; 0 where there is no NVIDIA driver."""
    return len(_gpu_handles())


def page_processes() -> dict[int, psutil.Process]:
    """This process with its children."""
    mine = psutil.Process()
    return {p.pid: p for p in [mine, *mine.children(recursive=True)]}


def run_processes() -> dict[int, psutil.Process]:
    """Every run: it outlives the page that started it."""
    return _processes_of("engine", "train")


def _processes_of(*words: str) -> dict[int, psutil.Process]:
    """By the words of their commands."""
    found = psutil.process_iter(["cmdline"])
    return {p.pid: p for p in found if set(words) <= set(p.info["cmdline"] or [])}


def pick_device(dtype: str = "auto", device_map: str = "single") -> Device:
    """Imports torch. `dtype` and `device_map` as in TrainConfig; without a GPU every placement is
    the processor."""
    import torch

    on_gpu = torch.cuda.is_available() and device_map != "cpu"
    if on_gpu:
        name = torch.cuda.get_device_name()
        best, reason = _cuda_dtype(torch)
    else:
        name, best = "CPU", torch.float32
        reason = Sentence(
            "float32, because this machine has no GPU and its processor is fastest so.",
            "float32：本机没有显卡，处理器用它最快。",
        )
        if torch.cuda.is_available():
            reason = Sentence(
                "float32, because the processor was chosen and is fastest so.",
                "float32：选择了处理器，它用这种精度最快。",
            )
    if dtype != "auto":
        best = getattr(torch, dtype)
        reason = Sentence(f"{dtype}, as chosen.", f"{dtype}，按你的选择。")
    return Device("cuda" if on_gpu else "cpu", name, best, reason)


def planned_device(gib: float, dtype: str = "auto") -> Device:
    """A GPU of this size, of today's kind, that this machine does not have. Imports torch."""
    import torch

    reason = Sentence("bfloat16, as today's GPUs compute.", "bfloat16：现在的显卡都支持。")
    precision = torch.bfloat16 if dtype == "auto" else getattr(torch, dtype)
    return Device("cuda", f"{gib:g} GiB", precision, reason, is_here=False)


def check_size(device_gib: float) -> None:
    """Raises UserError (field "device_gib") for what can be no card's memory; 0 means none."""
    is_number = isinstance(device_gib, int | float)  # programs may send anything
    if not is_number or (device_gib and not 1 <= device_gib <= LARGEST_GIB):
        given = f"{device_gib:g}" if is_number else quoted(device_gib)
        raise UserError(
            f"device_gib is {given}; give a card's memory in GiB, between 1 and "
            f"{LARGEST_GIB}, or 0 for this machine.",
            f"device_gib 是 {given}；请填写显卡的显存（GiB），在 1 到 {LARGEST_GIB} 之间，"
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


def _gpu_memory(handle, own: dict, returning: dict) -> DeviceMemory:
    import pynvml

    whole = pynvml.nvmlDeviceGetMemoryInfo(handle)
    try:
        processes = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    except pynvml.NVMLError:  # some containers do not say; then everything counts as others'
        processes = []
    used = sum(p.usedGpuMemory or 0 for p in processes if p.pid in own)
    back = sum(p.usedGpuMemory or 0 for p in processes if p.pid in returning)
    name = pynvml.nvmlDeviceGetName(handle)
    return DeviceMemory(
        name,
        True,
        used / GIB,
        max(0, whole.used - used) / GIB,
        whole.free / GIB,
        whole.total / GIB,
        back / GIB,
    )


def _ram_memory(own: dict, returning: dict) -> DeviceMemory:
    whole = psutil.virtual_memory()
    resident = {pid: resident_bytes(process) for pid, process in own.items()}
    used, back = sum(resident.values()), sum(resident[pid] for pid in returning)
    others = max(0, whole.total - whole.available - used)
    return DeviceMemory(
        "RAM",
        False,
        used / GIB,
        others / GIB,
        whole.available / GIB,
        whole.total / GIB,
        back / GIB,
    )


def resident_bytes(process: psutil.Process) -> int:
    """Memory that this process has for itself; shared library pages count once, to nobody."""
    try:
        info = process.memory_info()
    except psutil.Error:
        return 0
    return max(0, info.rss - getattr(info, "shared", 0))


def can_compile() -> bool:
    """torch.compile writes Triton kernels, whose launcher needs a C compiler and Python's headers;
    ZeroGPU knows neither it nor time for it."""
    if where() == "zerogpu" or os.environ.get("TORCHDYNAMO_DISABLE") == "1":
        return False
    compilers = (os.environ.get("CC", "cc"), "gcc", "clang")
    return (
        importlib.util.find_spec("triton") is not None
        and any(map(shutil.which, compilers))
        and Path(sysconfig.get_path("include"), "Python.h").exists()
    )


@cache
def runs_kernels(device: "torch.device") -> bool:
    """Whether our Triton kernels run on it: an NVIDIA GPU of compute capability 8.0 or later."""
    import torch

    return (
        device.type == "cuda"
        and torch.version.cuda is not None
        and torch.cuda.get_device_capability(device) >= (8, 0)
        and can_compile()
    )
