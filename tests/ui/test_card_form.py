"""A card as fields of a form, and back."""

from engine.characters.card import character
from engine.characters.card import written as as_written
from ui import card_form


class Field:
    """Stands for a component: what is shown is told by its name."""


def test_a_card_comes_back_from_its_form_as_it_was():
    card = character(
        "mara",
        {
            "name": "Mara",
            "greeting": "Aye,\n\n{{user}}.",
            "alternate_greetings": ["One.\n\nTwo.", "Three."],
            "questions": ["Why?", "How?"],
            "examples": "<START>\n{{char}}: Aye.",
        },
    )
    texts = {name: Field() for name in card_form.TEXTS}
    fields = card_form.Fields(texts, *(Field() for _ in range(5)))
    shown = card_form.show(fields, card, None)
    typed = {name: shown[field] for name, field in texts.items()}
    assert typed["alternate_greetings"] == "One.\n\nTwo.\n+++\nThree."
    assert as_written(character("mara", card_form.written(typed))) == as_written(card)


def test_an_empty_form_is_shown_for_nobody():
    texts = {name: Field() for name in card_form.TEXTS}
    fields = card_form.Fields(texts, *(Field() for _ in range(5)))
    shown = card_form.show(fields, None, None)
    assert {shown[field] for field in texts.values()} == {""}
    assert shown[fields.sampling] is False
