"""What one voice has of its own: a fold for each column, where what is empty is as for all."""

from dataclasses import dataclass

import gradio as gr

from engine.chat.sampling import RANGES
from ui.conversation import MOST
from ui.text import say, t

QUIET = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
WHOLE = ("top_k", "max_new_tokens", "seed")


@dataclass(frozen=True, slots=True)
class Own:
    """The fold of one column. `system` counts when `has_system` is ticked: it may be empty."""

    box: gr.Accordion
    has_system: gr.Checkbox
    system: gr.Textbox
    sampling: dict[str, gr.Number]

    @property
    def fields(self) -> list:
        return [self.has_system, self.system, *self.sampling.values()]


def build() -> list[Own]:
    made = []
    for slot in range(1, MOST + 1):
        with gr.Accordion("", open=False, visible=False, elem_id=f"chat_own_{slot}") as box:
            has_system = gr.Checkbox(
                False, label=t("chat_own_has_system"), elem_id=f"chat_own_{slot}_has_system"
            )
            system = gr.Textbox(
                label=t("chat_system"),
                show_label=False,
                lines=2,
                max_lines=8,
                elem_id=f"chat_own_{slot}_system",
            )
            with gr.Row():
                sampling = {
                    name: gr.Number(
                        value=None,
                        label=t(f"chat_{name}"),
                        placeholder=t("chat_own_as_all"),
                        min_width=110,
                        elem_id=f"chat_own_{slot}_{name}",
                    )
                    for name in RANGES
                }
        # By what is in it: Gradio's `input` does not come for every way of typing.
        system.change(_counts, [system, has_system], has_system, **QUIET)
        made.append(Own(box, has_system, system, sampling))
    return made


def _counts(system: str, did: bool) -> bool:
    return did or bool(system)


def fields(own: list[Own]) -> list:
    """All of them, in the order in which `read` takes their values."""
    return [field for one in own for field in one.fields]


def read(own: list[Own], voices: list[str], values: tuple) -> tuple[dict[str, str], dict]:
    """({voice: its own system prompt}, {voice: its own sampling}), of those that have any."""
    systems, sampling = {}, {}
    size = len(own[0].fields)
    for i, voice in enumerate(voices):
        has_system, system, *numbers = values[i * size : (i + 1) * size]
        if has_system:
            systems[voice] = system or ""
        given = zip(RANGES, numbers, strict=True)
        chosen = {name: number(name, value) for name, value in given if value is not None}
        if chosen:
            sampling[voice] = chosen
    return systems, sampling


def number(name: str, value: float | None) -> float | int:
    return int(value or 0) if name in WHOLE else float(value or 0.0)


def put_on(
    own: list[Own], before: list[str], names: list[str], voices: list[str], prompts: list[str]
) -> dict:
    """The folds of these voices. One whose voice is new is emptied, and holds the prompt that its
    voice was trained with where that is not the first one's."""
    updates: dict = {}
    for i, one in enumerate(own):
        used = i < len(voices) and len(voices) > 1
        updates[one.box] = gr.Accordion(visible=used, **({"label": names[i]} if used else {}))
        if i < len(before) and i < len(voices) and before[i] == voices[i]:
            continue
        differs = used and prompts[i] != prompts[0]
        updates |= dict.fromkeys(one.sampling.values())
        updates |= {one.has_system: differs, one.system: prompts[i] if differs else ""}
    return updates


def title(name: str, lang: str) -> str:
    return say("chat_own", lang, name=name)
