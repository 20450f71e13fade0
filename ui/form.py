"""The form that engine.config describes: few plain fields open, the rest under Advanced.

The one field that is not drawn here is `dataset`: the Data tab chooses it.
"""

import dataclasses
from collections.abc import Callable
from typing import get_type_hints

import gradio as gr
from gradio.components import Component

from engine import devices
from engine.config import GROUPS, TrainConfig, default_config
from engine.errors import Sentence, UserError
from engine.options.declare import choices, matters
from engine.places import SPROUT
from ui.events import QUICK
from ui.text import say, t

OPTIONS = {one.name: one for one in dataclasses.fields(TrainConfig) if one.name != "dataset"}
KINDS = get_type_hints(TrainConfig)
Fields = dict[str, Component]


def create() -> Fields:
    """One component an option, not yet placed: the Data tab reads some that Train shows."""
    first = default_config().to_dict()
    return {
        name: _component(one, first[name], matters(one, first)) for name, one in OPTIONS.items()
    }


def _component(one: dataclasses.Field, value, visible: bool) -> Component:
    words = {
        "visible": visible,
        "label": t(f"option_{one.name}"),
        "info": t(f"option_{one.name}_help"),
        "elem_id": f"option_{one.name}",
        "interactive": True,
        "render": False,
    }
    if one.name == "model_name_or_path":
        offered = [(t("train_sprout"), SPROUT)]
        return gr.Dropdown(offered, value=value, allow_custom_value=True, **words)
    if one.name == "lora_target_modules":
        return gr.Dropdown(target_choices([]), value=value, allow_custom_value=True, **words)
    if one.name == "eval_dataset":
        return gr.Dropdown([("", "")], value=value, allow_custom_value=True, **words)
    if one.name == "gpu_ids":
        return gr.Dropdown(devices.offered(), value=value, allow_custom_value=True, **words)
    if one.name == "loss_on":
        return gr.Dropdown(learn_choices(), value=value, **words)
    if choices(one):
        return gr.Dropdown(list(choices(one)), value=value, **words)
    kind = KINDS[one.name]
    if kind is bool:
        return gr.Checkbox(value=value, **words)
    if kind is str:
        lines = one.metadata["lines"]
        return gr.Textbox(value=value, lines=lines, max_lines=max(lines, 8), **words)
    return gr.Number(value=value, **words)


def target_choices(names: list[str]) -> list[tuple[str, str]]:
    """What is offered for the target modules; `names` are the base's own, where they are known."""
    return [(one, one) for one in ("all-linear", "attention", *names)]


def wire(fields: Fields) -> None:
    """Options that have a meaning only beside a value of another are seen only beside it."""
    for name in {one.metadata["only_for"][0] for one in OPTIONS.values() if _depends(one)}:
        depending = {
            other: one.metadata["only_for"][1]
            for other, one in OPTIONS.items()
            if _depends(one) and one.metadata["only_for"][0] == name
        }

        def show(value, depending=depending):
            return {fields[n]: gr.update(visible=value in meant) for n, meant in depending.items()}

        outputs = [fields[other] for other in depending]
        fields[name].change(
            show,
            fields[name],
            outputs,
            **QUICK,
        )


def _depends(one: dataclasses.Field) -> bool:
    return one.metadata["only_for"] is not None


def no_second(language: str) -> list[tuple[str, str]]:
    """The choice of no validation file."""
    return [(say("data_no_second", language), "")]


def learn_choices() -> list[tuple]:
    """`loss_on` in words; the Data tab offers the same."""
    return [(t(f"data_learn_{value}"), value) for value in choices(OPTIONS["loss_on"])]


def place(fields: Fields, below: dict[str, Callable[[], None]]) -> gr.Accordion:
    """Draws the form where it is called, but the base model, which stands above it, and what comes
    `below` single fields. Returns the Advanced accordion, whose label counts. The style sheet lays
    fields out in two columns: a Row for each two would make the page's tree, which Gradio walks at
    each event, half as large again.
    """
    fields["system_prompt"].render()
    plain = [n for n, one in OPTIONS.items() if one.metadata["group"] == "basic"]
    small = [n for n in plain if n not in ("model_name_or_path", "system_prompt")]
    for name in sorted(small, key=lambda n: KINDS[n] is bool):
        fields[name].render()
    with gr.Accordion(t("train_advanced"), open=False, elem_id="advanced") as advanced:
        for group in GROUPS:
            if group == "basic":
                continue
            gr.Markdown(t(f"group_{group}"), elem_classes="group-title")
            for name, one in OPTIONS.items():
                if one.metadata["group"] == group:
                    fields[name].render()
                    below.get(name, lambda: None)()
    return advanced


def hidden_changes(config: TrainConfig) -> int:
    """How many of the options under Advanced that matter differ from the base's first values."""
    changed = config.changed(default_config(config.model_name_or_path))
    seen = [OPTIONS[n] for n in changed if n in OPTIONS and matters(OPTIONS[n], config.to_dict())]
    return sum(one.metadata["group"] != "basic" for one in seen)


def advanced_label(count: int, language: str) -> str:
    if not count:
        return say("train_advanced", language)
    if count == 1:
        return say("train_advanced_one", language)
    return say("train_advanced_changed", language, count=count)


def read(values: dict) -> tuple[TrainConfig | None, dict[str, Sentence]]:
    """The form as a TrainConfig (None when a value has the wrong type), and what is wrong."""
    try:
        config = TrainConfig.from_dict(values)
    except UserError as error:
        return None, {error.field: error.sentence}
    return config, config.problems()


def mark(fields: Fields, wrong: dict[str, Sentence], before: list[str], language: str) -> dict:
    """Updates for the fields whose problem came or went: the sentence stands where the help was."""
    updates = {}
    for name in (set(before) | set(wrong)) & set(fields):
        if name in wrong:
            said = wrong[name].in_language(language)
            updates[fields[name]] = gr.update(info=said, elem_classes=["wrong"])
        else:
            help_words = OPTIONS[name].metadata["help"].in_language(language)
            updates[fields[name]] = gr.update(info=help_words, elem_classes=[])
    return updates


def sentence_of(reason: dict) -> Sentence:
    """A reason of `desk.estimate` ({field, en, zh}) as a Sentence."""
    return Sentence(reason["en"], reason["zh"])


def values_of(config: TrainConfig, fields: Fields) -> dict:
    """Updates that fill the form."""
    return {fields[name]: getattr(config, name) for name in fields}


def follow_base(new_base: str, old_base: str, values: dict) -> dict:
    """Another base: what still stood at the old base's first values takes the new one's."""
    old, new = default_config(old_base), default_config(new_base)
    same = ("model_name_or_path", "dataset", "system_prompt", "sample_prompts")
    return {
        name: getattr(new, name)
        for name in old.changed(new)
        if name in values and name not in same and values[name] == getattr(old, name)
    }
