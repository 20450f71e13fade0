"""4-bit codes are decoded in registers: the PTX is followed here, an instruction at a time.

And what counts the programs of a launch outlives the call that made it.
"""

import re

import pytest
import torch
from bitsandbytes.functional import get_4bit_type

from engine.models.few_rows import _counters, _decode, count_anew

WORD = 0xFFFFFFFF


def prmt(a, b, chosen):
    """PTX ISA, "prmt": four bytes of eight, or with its highest bit set the sign of one."""
    eight = [(a | b << 32) >> 8 * i & 255 for i in range(8)]
    picked = [(eight[n & 7], n & 8) for n in (chosen >> 4 * i & 15 for i in range(4))]
    bytes_ = [255 * (byte >> 7) if sign else byte for byte, sign in picked]
    return sum(byte << 8 * i for i, byte in enumerate(bytes_))


def lop3(a, b, c, table):
    """PTX ISA, "lop3": a truth table of three bits."""
    bits = ((a >> i & 1) << 2 | (b >> i & 1) << 1 | (c >> i & 1) for i in range(32))
    return sum((table >> at & 1) << i for i, at in enumerate(bits))


OPERATIONS = {
    "prmt": prmt,
    "lop3": lop3,
    "and": lambda a, b: a & b,
    "shr": lambda a, b: a >> b,
    "shl": lambda a, b: a << b & WORD,
}


def run(ptx, word):
    """The registers $0 to $3 after `ptx` was given $4."""
    registers = {"$4": word}
    for line in ptx.strip("{}").split(";"):
        found = re.fullmatch(r"(\w+)\.b32 (\S+), (.+)", line.strip())
        if found:
            name, to, given = found.groups()
            values = [registers[v] if v in registers else int(v, 0) for v in given.split(", ")]
            registers[to] = OPERATIONS[name](*values)
    return [registers[f"${i}"] for i in range(4)]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", ["nf4", "fp4"])
def test_four_bytes_become_their_eight_numbers(kind, dtype):
    """Each code at each of the eight places, a byte's high code first, as bitsandbytes packs."""
    codes = get_4bit_type(kind, device="cpu").to(dtype)
    for turn in range(16):
        eight = [(5 * place + turn) % 16 for place in range(8)]
        bytes_ = [eight[2 * i] << 4 | eight[2 * i + 1] for i in range(4)]
        said = run(_decode(kind, dtype), int.from_bytes(bytes(bytes_), "little"))
        numbers = b"".join(word.to_bytes(4, "little") for word in said)
        assert torch.equal(torch.frombuffer(bytearray(numbers), dtype=dtype), codes[eight])


def test_counters_made_in_inference_mode_begin_anew_outside_of_it(monkeypatch):
    """Answers are given in that mode; a captured step is recorded and proved outside of it."""
    monkeypatch.setattr("engine.models.few_rows._stream", lambda _: 0)
    monkeypatch.setattr("engine.models.few_rows._LAUNCHES", 1)
    _counters.cache_clear()
    device = torch.device("cpu")
    with torch.inference_mode():
        first = _counters(device, 0).next()
    first.add_(7)
    assert _counters(device, 0).next().tolist() == [0, 0, 0, 0]
    first.add_(7)
    count_anew(device)
    assert first.tolist() == [0, 0, 0, 0]
    _counters.cache_clear()
