"""Which GPUs a run may take: the option `gpu_ids`, this machine's GPUs, and the memory they have.

Numbers are NVML's, in the order of the bus. A machine without a GPU has one device, number 0: its
processor; so every machine has something that a run can occupy.
"""

import os
import re

from engine.errors import Sentence, UserError, quoted
from engine.hardware import DeviceMemory, gpu_count, memory_now, ram, together


def usable() -> list[int]:
    """The numbers a run may take; CUDA_VISIBLE_DEVICES of plain numbers narrows them."""
    count = gpu_count()
    if not count:
        return [0]
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    if not re.fullmatch(r"\d+(,\d+)*", allowed):
        return list(range(count))
    return [number for number in map(int, allowed.split(",")) if number < count]


def problem(gpu_ids: str) -> Sentence | None:
    """What is wrong with the option as it is written, whatever the machine."""
    numbers = _numbers(gpu_ids)
    if gpu_ids in ("", "all") or (numbers and len(set(numbers)) == len(numbers)):
        return None
    written = quoted(gpu_ids)
    return Sentence(
        f"GPUs (gpu_ids) is {written}; write numbers with commas between, each once, such as "
        "0,1, or all, or leave it empty.",
        f"显卡（gpu_ids）是 {written}；请写用逗号隔开的编号（如 0,1，不要重复）或 all，或留空。",
    )


def wanted(gpu_ids: str) -> list[int] | None:
    """The numbers that a run asks for; None: any one. Raises UserError for one that is not here."""
    here = usable() if gpu_count() else []
    asked = here if gpu_ids == "all" else _numbers(gpu_ids)
    missing = [one for one in asked if one not in here]
    if missing:
        known = ", ".join(map(str, here))
        raise UserError(
            f"There is no GPU {missing[0]} here; choose from {known}, or leave it empty."
            if here
            else "This machine has no GPU; leave GPUs (gpu_ids) empty to train on its processor.",
            f"这里没有编号为 {missing[0]} 的显卡；请从 {known} 中选择，或留空。"
            if here
            else "本机没有显卡；请把显卡（gpu_ids）留空，用处理器训练。",
            field="gpu_ids",
        )
    return asked or None


def _numbers(gpu_ids: str) -> list[int]:
    """ "0, 1" -> [0, 1]; [] for what is no list of numbers, as one of thousands of digits."""
    parts = [one.strip() for one in gpu_ids.split(",")]
    are_numbers = all(one.isdecimal() and len(one) < 10 for one in parts)
    return [int(one) for one in parts] if are_numbers else []


def offered() -> list[tuple[str, str]]:
    """What a form can offer for `gpu_ids`: (name, value). Empty stands for any one."""
    if not gpu_count():
        return [("", "")]
    memory = memory_now()
    named = [(f"{one} · {memory[one].name}", str(one)) for one in usable()]
    return [("", ""), *named, *([("all", "all")] if len(named) > 1 else [])]


def emptiest(numbers: list[int]) -> int:
    """The one with the most free memory."""
    if len(numbers) == 1:
        return numbers[0]
    memory = memory_now()
    return max(numbers, key=lambda number: memory[number].free_gib)


def processes(gpus: int, device_map: str) -> int:
    """Of a run on so many GPUs: one for each, or one that lays the model over all of them."""
    return gpus if device_map == "single" else 1


def memory_for(gpu_ids: str, device_map: str = "single") -> DeviceMemory:
    """Of the GPU that decides whether a run fits: the fullest of those asked for, or the emptiest
    of all when any will do; of all of them when the model is laid over them; or the RAM. Raises
    UserError as `wanted`."""
    if device_map == "cpu":
        return ram()
    asked, memory = wanted(gpu_ids), memory_now()
    if device_map != "single" and memory[0].is_gpu:
        return together([memory[one] for one in asked or usable()])
    if asked is None:
        return max((memory[one] for one in usable()), key=_room)
    return min((memory[one] for one in asked), key=_room)


def _room(memory: DeviceMemory) -> float:
    """GiB when its turn has come."""
    return memory.free_gib + memory.returning_gib
