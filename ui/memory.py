"""The memory strip: per GPU, or for the RAM, what this page uses, others use, and what is free."""

import gradio as gr

from engine import hardware
from ui import cards
from ui.text import say


def build() -> gr.HTML:
    return gr.HTML(elem_id="memory", elem_classes="bare")


def strip(language: str) -> str:
    """One line a device; without a GPU it says so."""
    return "".join(_line(device, language) for device in hardware.memory_now())


def _line(device: hardware.DeviceMemory, language: str) -> str:
    words = say(
        "shell_memory",
        language,
        own=cards.gib(device.own_gib),
        others=cards.gib(device.others_gib),
        free=cards.gib(device.free_gib),
        total=cards.gib(device.total_gib),
    )
    name = device.name if device.is_gpu else say("shell_no_gpu", language)
    parts = [(device.own_gib, "var(--g-accent)"), (device.others_gib, "var(--g-others)")]
    drawn = cards.bar(parts, device.total_gib, words)
    return (
        f'<div class="line"><span>{cards.text(name)}</span>{drawn}'
        f"<span>{cards.text(words)}</span></div>"
    )
