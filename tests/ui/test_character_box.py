"""The character box: cards saved, brought and deleted through it, and put on."""

import gradio as gr
import pytest

from engine import characters
from engine.characters import shelf
from engine.characters.avatar import drawn
from ui import card_form, cast, character_box


@pytest.fixture(scope="module")
def box():
    with gr.Blocks():
        return character_box.lay_out()


@pytest.fixture
def save(box):
    """save(id, avatar, keeps the sampling, **texts) as the page calls it."""
    call = character_box._save(box, ["temperature", "seed"])

    def saved(id, avatar=None, keeps=False, **texts):
        typed = dict.fromkeys(card_form.TEXTS, "") | texts
        return call(None, id, *typed.values(), avatar, keeps, 0.5, 7)

    return saved


def test_a_new_card_is_saved_changed_and_deleted(save, tmp_path):
    """The sampling goes with it only when that is asked, never the seed; no picture means none."""
    picture = tmp_path / "x.png"
    picture.write_bytes(drawn("x"))
    id, said = save(
        "", str(picture), True, name="Old Tom", greeting="Aye.", questions="Why?\n\nHow?"
    )
    assert (id, "Old Tom is saved." in said) == ("old-tom", True)
    card = characters.get(id)
    assert (card.questions, card.sampling) == (["Why?", "How?"], {"temperature": 0.5})
    assert character_box.picture(card)
    assert save(id, name="Tom")[0] == id
    assert (characters.get(id).name, characters.get(id).sampling) == ("Tom", {})
    assert character_box.picture(characters.get(id)) is None
    assert character_box._delete(id, None)[0] == ""
    assert cast.card(id) is None


def test_a_sample_becomes_a_card_of_ones_own_with_what_the_form_does_not_show(save, tmp_path):
    id, _ = save("lighthouse-keeper", name="Mara", persona="You are Mara.")
    assert (id, characters.get(id).language) == ("mara", "en")
    kept = shelf.save(characters.Character(id="", name="Tom", tags=["sea"], kept={"mood": 1}))
    save(kept.id, name="Tom", persona="New.")
    card = characters.get(kept.id)
    assert (card.tags, card.kept, card.persona) == (["sea"], {"mood": 1}, "New.")


def test_what_cannot_be_saved_or_brought_changes_nothing_and_is_said(save, tmp_path):
    assert save("", name=" ") == (None, save("", name="")[1])
    assert "needs a name" in save("", name="")[1]
    path = tmp_path / "card.json"
    path.write_text("<b>no</b>")
    wanted, said = character_box._bring(str(path), None)
    assert (wanted, "no keys such as name" in said) == (None, True)
    assert len(characters.list_characters()) == 2


def test_a_card_that_is_put_on_offers_its_greetings(box):
    card = shelf.save(
        characters.Character(id="", name="Tom", greeting="x" * 70, alternate_greetings=["{{char}}"])
    )
    shown = character_box.put_on(box, card, "en", 1)
    greetings = shown[box.greeting]
    assert greetings.choices == [
        ("x" * 59 + "…", 0),
        ("Tom", 1),
        ("No greeting, you begin", -1),
    ]
    assert (greetings.value, shown[box.picker].value) == (1, "tom")
    assert [character_box.greeting_of(card, n) for n in (1, 2, -1)] == ["Tom", "", ""]
    nobody = character_box.put_on(box, None, "en")
    assert (nobody[box.greeting].visible, nobody[box.picker].value) == (False, "")
