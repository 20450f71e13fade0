"""What one voice has of its own: one fold for all voices, where what is empty is as for all."""

from dataclasses import dataclass

import gradio as gr

from engine.chat.sampling import RANGES, seed_after
from ui.events import QUICK, QUIET
from ui.text import language, say, t

WHOLE = ("top_k", "max_new_tokens", "seed")
# What is written into a prompt counts.
COUNTS = "(system, did) => did || Boolean(system)"
# One after the other: each adds to what those before it have written.
_IN_TURN = QUIET | {"concurrency_id": "own", "concurrency_limit": 1}


@dataclass(frozen=True, slots=True)
class Own:
    """`kept` is {voice: {field: value}}, of the voices that have anything of their own; `fields`,
    by name, show those of the voice `whose`. `system` counts when `has_system` is ticked: it may be
    empty."""

    kept: gr.State
    box: gr.Accordion
    whose: gr.Radio
    fields: dict[str, gr.components.Component]

    @property
    def outputs(self) -> list:
        """What `put_on` writes."""
        return [self.kept, self.box, self.whose]


def build() -> Own:
    kept = gr.State({})
    with gr.Accordion(t("chat_own"), open=False, visible=False, elem_id="chat_own") as box:
        whose = gr.Radio(label=t("chat_own_whose"), elem_id="chat_own_whose")
        has_system = gr.Checkbox(
            False, label=t("chat_own_has_system"), elem_id="chat_own_has_system"
        )
        system = gr.Textbox(
            label=t("chat_system"),
            show_label=False,
            lines=2,
            max_lines=8,
            elem_id="chat_own_system",
        )
        with gr.Row():
            sampling = {
                name: gr.Number(
                    value=None,
                    label=t(f"chat_{name}"),
                    placeholder=t("chat_own_as_all"),
                    min_width=110,
                    elem_id=f"chat_own_{name}",
                )
                for name in RANGES
            }
    own = Own(kept, box, whose, {"has_system": has_system, "system": system, **sampling})
    _wire(own)
    return own


def _wire(own: Own) -> None:
    has_system, system = own.fields["has_system"], own.fields["system"]
    # In the browser and before the field is kept, which is a way to the server and back.
    system.change(None, [system, has_system], has_system, js=COUNTS, **QUICK)
    # By what is in it: Gradio's `input` does not come for every way of typing.
    for name, field in own.fields.items():
        inputs = [own.whose, field, own.kept]
        # Every one: an event that waits would come with the voice that is chosen then.
        field.change(
            _writer(name), inputs, [own.kept, own.box], trigger_mode="multiple", **_IN_TURN
        )

    def show(voice: str, kept: dict):
        return [*shown(kept, voice).values()]

    own.whose.change(show, [own.whose, own.kept], list(own.fields.values()), **QUICK)


def shown(kept: dict, voice: str) -> dict:
    """{field: value} of a voice; a prompt that does not count is left out, or it would from then
    on."""
    its = {**_EMPTY, **kept.get(voice, {})}
    return its if its["has_system"] else its | {"system": ""}


def _writer(name: str):
    def write(voice: str, value, kept: dict, request: gr.Request):
        after, lang = written(kept, voice, name, value), language(request)
        if label(after, lang) == label(kept, lang):
            return after, gr.skip()
        return after, gr.Accordion(label=label(after, lang))

    return write


_EMPTY = {"has_system": False, "system": "", **dict.fromkeys(RANGES)}


def written(kept: dict, voice: str, name: str, value) -> dict:
    """With one field of one voice set; a voice that is as for all is left out."""
    fields = {**_EMPTY, **kept.get(voice, {}), name: value}
    others = {one: its for one, its in kept.items() if one != voice}
    return others if fields == _EMPTY else others | {voice: fields}


def read(kept: dict, voices: list[str]) -> tuple[dict[str, str], dict]:
    """({voice: its own system prompt}, {voice: its own sampling}), of those that have any."""
    systems, sampling = {}, {}
    for voice, fields in kept.items():
        if voice not in voices:
            continue
        if fields["has_system"]:
            systems[voice] = fields["system"] or ""
        chosen = {name: number(name, fields[name]) for name in RANGES if fields[name] is not None}
        if chosen:
            sampling[voice] = chosen
    return systems, sampling


def with_next_seeds(kept: dict) -> dict:
    """Each voice that draws by a seed of its own draws by the next one."""
    return {
        voice: its if its["seed"] is None else its | {"seed": seed_after(its["seed"])}
        for voice, its in kept.items()
    }


def number(name: str, value: float | None) -> float | int:
    return int(value or 0) if name in WHOLE else float(value or 0.0)


def put_on(
    own: Own, kept: dict, before: list[str], voices: dict[str, str], prompts: list[str], lang: str
) -> dict:
    """The fold with these voices ({voice: name}), the first of them shown. One that was not there
    `before`, under the same prompt for all, reads what it was told to, or else what it was trained
    with: a prompt of its own where that is not the one for all, the first one's."""
    after = {}
    for voice, prompt in zip(voices, prompts, strict=True):
        its = kept.get(voice, _EMPTY)
        own_prompt = its["system"] if its["has_system"] else prompt
        if voice not in before:
            is_other = own_prompt != prompts[0]
            its = its | {"has_system": is_other, "system": own_prompt if is_other else ""}
        if its != _EMPTY:
            after[voice] = its
    return {
        own.kept: after,
        own.box: gr.Accordion(visible=len(voices) > 1, label=label(after, lang)),
        own.whose: gr.Radio([(name, voice) for voice, name in voices.items()], value=[*voices][0]),
    }


def renamed(own: Own, voices: dict[str, str]) -> dict:
    """The voices ({voice: name}) under the names that they have now."""
    return {own.whose: gr.Radio([(name, voice) for voice, name in voices.items()])}


def label(kept: dict, lang: str) -> str:
    """What stands on the fold: how many voices have anything of their own."""
    return say("chat_own_some", lang, count=len(kept)) if kept else say("chat_own", lang)
