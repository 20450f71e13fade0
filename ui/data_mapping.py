"""Which column is what: pickers above the table that write the option `mapping`, and `speaker`."""

from collections.abc import Sequence
from dataclasses import dataclass

import gradio as gr

from engine.dataset.meaning.columns import mapping_text, parse_mapping
from engine.errors import UserError
from ui import form
from ui.events import LATEST, QUICK
from ui.text import t

ROLES = ("user", "input", "assistant", "system", "messages", "text")


@dataclass(frozen=True, slots=True)
class Pickers:
    """One dropdown a role; `user` takes several columns, which are read one after the other."""

    box: gr.Accordion
    roles: dict[str, gr.Dropdown]
    speaker: gr.Dropdown
    again: gr.Button

    def all(self) -> list:
        return [self.box, *self.roles.values(), self.speaker]


def build() -> Pickers:
    """The option changes only when a person picks, so that it says what a person chose."""
    speaker = gr.Dropdown(
        label=t("data_speaker"), elem_id="data_speaker", visible=False, interactive=True
    )
    with gr.Accordion(t("data_mapping"), open=False, elem_id="data_mapping", visible=False) as box:
        gr.Markdown(t("data_mapping_how"), elem_classes="soft")
        roles = {}
        for three in (ROLES[:3], ROLES[3:]):
            with gr.Row():
                for role in three:
                    roles[role] = gr.Dropdown(
                        [],
                        label=t(f"data_role_{role}"),
                        elem_id=f"role_{role}",
                        multiselect=role == "user",
                        interactive=True,
                        # What stood there when other columns came may be on its way still, and
                        # Gradio would refuse the whole reading; what is none of them, it says.
                        allow_custom_value=True,
                        min_width=150,
                    )
        again = gr.Button(t("data_mapping_again"), size="sm", elem_id="mapping_again")
    return Pickers(box, roles, speaker, again)


def wire(pickers: Pickers, fields: form.Fields) -> None:
    def picked(*columns):
        return text_of(columns)

    for one in pickers.roles.values():
        one.input(picked, list(pickers.roles.values()), fields["mapping"], **QUICK, **LATEST)
    pickers.again.click(lambda: "", None, fields["mapping"], **QUICK)
    pickers.speaker.input(
        lambda name: name or "", pickers.speaker, fields["speaker"], **QUICK, **LATEST
    )


def text_of(picked: Sequence[str | list[str] | None]) -> str:
    """What the pickers say, one after the other, as the option's text; "" for nothing."""
    mapping: dict[str, str] = {}
    for role, columns in zip(ROLES, picked, strict=True):
        for column in [columns] if isinstance(columns, str) else columns or []:
            if column:
                mapping[column] = role
    return mapping_text(mapping)


def shown(pickers: Pickers, facts: dict, picked: Sequence, asked: dict) -> dict:
    """Updates after a file was understood. `picked` is what the pickers said when it was asked:
    what comes from them is not written back, for a person may have picked more meanwhile."""
    updates = {pickers.box: gr.Accordion(visible=True)}
    if not asked["mapping"] or asked["mapping"] != text_of(picked):
        updates |= _columns(pickers, facts["columns"], facts["mapping"])
    names = [(f"{one['name']} · {one['lines']}", one["name"]) for one in facts["speakers"]]
    updates[pickers.speaker] = gr.Dropdown(
        choices=names, value=facts["speaker"] or None, visible=bool(names)
    )
    return updates


def asking(pickers: Pickers, columns: list[str], picked: Sequence, mapping: str) -> dict:
    """Updates when nobody understood the file: the pickers stand open, with what is picked."""
    box = {pickers.box: gr.Accordion(visible=bool(columns), open=True)}
    if mapping and mapping == text_of(picked):
        return box
    try:
        asked = parse_mapping(mapping)
        there = {column: role for column, role in asked.items() if column in columns}
        return box | _columns(pickers, columns, there)
    except UserError:  # the reading has said so
        return box | _columns(pickers, columns, {})


def _columns(pickers: Pickers, columns: list[str], mapping: dict[str, str]) -> dict:
    updates = {}
    for role, picker in pickers.roles.items():
        found = [column for column, part in mapping.items() if part == role]
        value = found if role == "user" else next(iter(found), None)
        several = {"multiselect": True} if role == "user" else {}
        updates[picker] = gr.Dropdown(choices=columns, value=value, **several)
    return updates
