"""The character's part of Chat's side panel: who speaks, how it opens, cards in and out, edited."""

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import gradio as gr

from engine import characters
from engine.characters import exchange, shelf
from engine.characters.card import Character, character
from engine.errors import UserError
from engine.places import temporary_file
from ui import card_form, cards, cast
from ui.chosen import Chosen
from ui.events import QUICK, TELLING
from ui.text import language, say, t

ENDINGS = [".yaml", ".yml", ".json", ".png"]


@dataclass(frozen=True, slots=True)
class Box:
    """`wanted` is the id of a card to put on, None when nothing shall change."""

    picker: gr.Dropdown
    greeting: gr.Dropdown
    wanted: gr.State
    said: gr.HTML
    bring: gr.UploadButton
    form: gr.Dropdown
    export: gr.Button
    file: gr.DownloadButton
    fields: card_form.Fields
    train: gr.Button


def lay_out() -> Box:
    made: dict = {"wanted": gr.State(None)}
    made["picker"] = gr.Dropdown(
        [(t("chat_character_none"), ""), *_listed()],
        value="",
        label=t("chat_character"),
        elem_id="chat_character",
    )
    made["greeting"] = gr.Dropdown(
        [("", 0)], value=0, label=t("card_greeting"), visible=False, elem_id="card_greeting"
    )
    with gr.Row():
        made["bring"] = gr.UploadButton(
            t("card_import"), file_types=ENDINGS, size="sm", elem_id="card_import"
        )
        made["train"] = gr.Button(t("card_train"), size="sm", visible=False, elem_id="card_train")
    made["said"] = gr.HTML(cards.nothing(), elem_id="card_said", elem_classes="bare")
    with gr.Accordion(t("card_take"), open=False, elem_id="card_take"):
        made["form"] = gr.Dropdown(
            [(t(f"card_form_{form}"), form) for form in ("png", "v2", "v3", "yaml")],
            value="png",
            label=t("card_form"),
            elem_id="card_form",
        )
        made["export"] = gr.Button(t("card_export"), size="sm", elem_id="card_export")
        made["file"] = gr.DownloadButton(
            "", visible=False, size="sm", variant="primary", elem_id="card_file"
        )
    with gr.Accordion(t("card_edit"), open=False, elem_id="card_edit"):
        made["fields"] = card_form.lay_out()
    return Box(**made)


def choices(lang: str) -> list[tuple[str, str]]:
    return [(say("chat_character_none", lang), ""), *_listed()]


def _listed() -> list[tuple[str, str]]:
    """(name, id) of every card; ids tell equal names apart."""
    listed = characters.list_characters()
    names = [one.name for one in listed]
    return [(c.name if names.count(c.name) == 1 else f"{c.name} ({c.id})", c.id) for c in listed]


def put_on(box: Box, card: Character | None, lang: str, greeting: int = 0) -> dict:
    """Updates that show who speaks and how it may open. `greeting` -1 is none."""
    openings = card.greetings if card else []
    shown = [(_short(one), number) for number, one in enumerate(openings)]
    return {
        box.picker: gr.Dropdown(choices(lang), value=card.id if card else ""),
        box.greeting: gr.Dropdown(
            [*shown, (say("card_no_greeting", lang), -1)],
            value=greeting if openings else -1,
            visible=bool(openings),
        ),
        box.train: gr.Button(visible=card is not None),
    }


def greeting_of(card: Character | None, number: int = 0) -> str:
    """The words with which a card opens; "" where it does not."""
    openings = card.greetings if card else []
    return openings[number] if 0 <= number < len(openings) else ""


def picture(card: Character | None) -> str | None:
    """A copy of a card's picture where Gradio may serve it from."""
    path = shelf.avatar_of(card.id) if card else None
    if path is None:
        return None
    content = path.read_bytes()
    name = hashlib.sha256(content).hexdigest()[:16]
    copy = _pictures() / f"{name}.png"
    copy.write_bytes(content)
    return str(copy)


@lru_cache(maxsize=1)
def _pictures() -> Path:
    return Path(tempfile.mkdtemp(prefix="greenroom-"))


def wire(box: Box, sampling: dict) -> list:
    """Returns the events after which the card in `wanted` has to be put on."""

    def export(id: str, form: str, request: gr.Request):
        lang = language(request)
        try:
            name, content = exchange.write(characters.get(id), form)
        except UserError as error:
            return gr.DownloadButton(visible=False), _told(error, lang)
        path = temporary_file(name)
        path.write_bytes(content)
        label = say("card_download", lang, name=name)
        return gr.DownloadButton(label, value=str(path), visible=True), cards.nothing()

    def shown(id: str):
        card = cast.card(id)
        gone = {box.file: gr.DownloadButton(visible=False)}
        return gone | card_form.show(box.fields, card, picture(card))

    box.export.click(export, [box.picker, box.form], [box.file, box.said], **TELLING)
    box.picker.change(shown, box.picker, [box.file, *card_form.outputs(box.fields)], **QUICK)
    card_form.wire_delete(box.fields)
    fields = box.fields
    asked = [box.picker, *fields.texts.values(), fields.avatar, fields.sampling]
    asked += sampling.values()
    done = [box.wanted, box.said]
    return [
        box.bring.upload(_bring, box.bring, done, **TELLING),
        fields.save.click(_save(box, list(sampling)), asked, done, **TELLING),
        fields.delete_now.click(_delete, box.picker, done, **TELLING),
    ]


def wire_training(box: Box, chosen: Chosen, fields: dict, revised: gr.State) -> None:
    """The card's system prompt and questions go into the form of Train; Data reads anew with it."""

    def put(id: str, count: int):
        card = cast.card(id)
        if card is None:
            return {revised: gr.skip()}
        return {
            fields["system_prompt"]: card.system_prompt,
            fields["sample_prompts"]: "\n".join(card.suggestions) or gr.skip(),
            revised: count + 1,
            chosen.tabs: gr.Tabs(selected="train"),
        }

    written = [fields["system_prompt"], fields["sample_prompts"]]
    box.train.click(put, [box.picker, revised], [*written, revised, chosen.tabs], **TELLING)


def _bring(path: str, request: gr.Request):
    lang = language(request)
    try:
        card, unused = exchange.bring(path)
    except UserError as error:
        return None, _told(error, lang)
    said = cards.sentence(say("card_brought", lang, name=card.name), "calm")
    return card.id, said + (cards.sentence(unused.in_language(lang), "mild") if unused else "")


def _save(box: Box, settings: list[str]) -> Callable:
    def save(request: gr.Request, id, *values):
        lang, names = language(request), list(box.fields.texts)
        texts = dict(zip(names, values, strict=False))
        avatar, keeps, *sampling = values[len(names) :]
        try:
            before = cast.card(id)
            written = card_form.written(texts)
            written["sampling"] = _kept(settings, sampling) if keeps else {}
            made = character(before.id if before else "", written)
            if before:  # what the form does not show stays as it was
                shows = {name: getattr(made, name) for name in written}
                made = replace(before, **shows)
            picked = Path(avatar).read_bytes() if avatar else b""
            kept = shelf.save(made, picked)
        except UserError as error:
            return None, _told(error, lang)
        return kept.id, cards.sentence(say("card_saved", lang, name=kept.name), "calm")

    return save


def _kept(settings: list[str], values: list) -> dict[str, float]:
    """What the panel is set to; the seed is of a talk, not of a card."""
    named = dict(zip(settings, values, strict=True))
    return {name: value for name, value in named.items() if name != "seed"}


def _delete(id: str, request: gr.Request):
    lang, card = language(request), cast.card(id)
    try:
        shelf.delete(id)
    except UserError as error:
        return None, _told(error, lang)
    return "", cards.sentence(say("card_deleted", lang, name=card.name if card else id), "calm")


def _told(error: UserError, lang: str) -> str:
    return cards.sentence(error.sentence.in_language(lang))


def _short(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= 60 else f"{line[:59]}…"
