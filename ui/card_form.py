"""The form in which a card is written or changed, as fields of text, and back again."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from engine.characters.card import Character
from ui.events import QUICK
from ui.text import t

BETWEEN = "+++"  # on a line of its own, between greetings
# Name -> lines of the field.
TEXTS = {
    "name": 1,
    "user": 1,
    "instructions": 1,
    "persona": 4,
    "personality": 1,
    "scenario": 2,
    "greeting": 2,
    "alternate_greetings": 2,
    "examples": 3,
    "questions": 3,
}
LABELS = {"greeting": "opening", "alternate_greetings": "others"}
HELPED = ("instructions", "alternate_greetings", "examples", "questions")


@dataclass(frozen=True, slots=True)
class Fields:
    texts: dict[str, gr.Textbox]  # by the names of the card's own fields
    avatar: gr.Image
    sampling: gr.Checkbox
    save: gr.Button
    delete: gr.Button
    delete_now: gr.Button


def lay_out() -> Fields:
    gr.Markdown(t("card_edit_help"), elem_classes="soft")
    texts = {}
    for name, lines in TEXTS.items():
        key = f"card_{LABELS.get(name, name)}"
        texts[name] = gr.Textbox(
            label=t(key),
            info=t(f"{key}_help") if name in HELPED else None,
            lines=lines,
            max_lines=1 if name in ("name", "user") else 12,
            elem_id=f"card_field_{name}",
        )
    return Fields(
        texts=texts,
        avatar=gr.Image(
            label=t("card_avatar"),
            type="filepath",
            format="png",
            image_mode=None,
            sources=["upload"],
            height=170,
            buttons=[],
            elem_id="card_avatar",
        ),
        sampling=gr.Checkbox(label=t("card_sampling"), elem_id="card_sampling"),
        save=gr.Button(t("card_save"), variant="primary", size="sm", elem_id="card_save"),
        delete=gr.Button(t("card_delete"), size="sm", visible=False, elem_id="card_delete"),
        delete_now=gr.Button(
            t("card_delete_now"),
            variant="stop",
            size="sm",
            visible=False,
            elem_id="card_delete_now",
        ),
    )


def outputs(fields: Fields) -> list:
    buttons = [fields.delete, fields.delete_now]
    return [*fields.texts.values(), fields.avatar, fields.sampling, *buttons]


def show(fields: Fields, card: Character | None, picture: str | None) -> dict:
    """The card's own words in the form, placeholders and all; an empty form for none."""
    texts = {name: getattr(card, name) if card else "" for name in TEXTS}
    texts["alternate_greetings"] = f"\n{BETWEEN}\n".join(texts["alternate_greetings"])
    texts["questions"] = "\n".join(texts["questions"])
    return {fields.texts[name]: text for name, text in texts.items()} | {
        fields.avatar: picture,
        fields.sampling: bool(card and card.sampling),
        fields.delete: gr.Button(visible=bool(card and not card.is_sample)),
        fields.delete_now: gr.Button(visible=False),
    }


def written(texts: dict[str, str]) -> dict[str, Any]:
    """What the form says, as a card is written."""
    lines = [line.strip() for line in texts["questions"].splitlines()]
    others, one = [], []
    for line in [*texts["alternate_greetings"].splitlines(), BETWEEN]:
        if line.strip() == BETWEEN:
            others.append("\n".join(one).strip())
            one = []
        else:
            one.append(line)
    return texts | {
        "alternate_greetings": [words for words in others if words],
        "questions": [line for line in lines if line],
    }


def wire_delete(fields: Fields) -> None:
    """Deleting asks once more."""
    fields.delete.click(
        lambda: (gr.Button(visible=False), gr.Button(visible=True)),
        None,
        [fields.delete, fields.delete_now],
        **QUICK,
    )
