"""The ways to choose a dataset: samples, what was brought, a file, the Hub, rows made here."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from engine import library
from engine.desk import client as desk
from engine.errors import UserError
from ui import cards
from ui.chosen import Chosen
from ui.events import LATEST, QUICK, QUIET
from ui.text import both, language, say, t


@dataclass(frozen=True, slots=True)
class Choice:
    picker: gr.Radio
    remove: gr.Button
    said: gr.HTML


def choices(lang: str) -> list[tuple[str, str]]:
    """The library as choices of the picker."""
    return [(one.title.in_language(lang), one.id) for one in library.list_datasets()]


def build(chosen: Chosen) -> Choice:
    picker = gr.Radio(label=t("data_dataset"), elem_id="dataset")
    upload = gr.File(label=t("data_upload"), elem_id="upload", height=160)
    said = gr.HTML(cards.nothing(), elem_id="upload_said", elem_classes="bare")
    mend = gr.Button(t("data_mend"), size="sm", visible=False, elem_id="mend_upload")
    remove = gr.Button("", size="sm", visible=False, elem_id="remove_upload")
    choice = Choice(picker, remove, said)
    brought = gr.State("")  # id of the dataset of which something is said
    new = [chosen.dataset, brought, said]
    _wire_upload(new, upload, mend)
    _build_hub(new)
    _build_identity(new)
    forget(chosen, brought, said)
    picker.input(
        lambda value: (value, cards.nothing()), picker, [chosen.dataset, said], **QUIET, **LATEST
    )
    remove.click(_remove, chosen.dataset, [chosen.dataset, said], **QUIET)
    return choice


def forget(chosen: Chosen, made: gr.State, said: gr.HTML) -> None:
    """What was said of a new dataset goes when another is looked at."""
    chosen.dataset.change(
        lambda dataset, one: gr.skip() if dataset == one else cards.nothing(),
        [chosen.dataset, made],
        said,
        **QUICK,
    )


def remover(one: library.Dataset | None, lang: str) -> gr.Button:
    """The button that removes this dataset, where it is one's own: another may be spoken of."""
    if not one or one.is_sample:
        return gr.Button(visible=False)
    return gr.Button(say("data_remove", lang, name=one.id), visible=True)


def _wire_upload(new: list, upload: gr.File, mend: gr.Button) -> None:
    broken = gr.State(None)  # (path, name) of the upload that could be mended
    upload.upload(_add, upload, [*new, upload, mend, broken], api_visibility="private")
    mend.click(_mend, broken, [*new, mend], api_visibility="private")


def _add(path: str, request: gr.Request):
    lang, name = language(request), Path(path).name
    hidden = gr.Button(visible=False)
    try:
        added = desk.add(path, name)
    except UserError as error:
        said = cards.sentence(error.sentence.in_language(lang))
        if error.remedy == "mend":
            return gr.skip(), gr.skip(), said, None, gr.Button(visible=True), (path, name)
        return gr.skip(), gr.skip(), said, None, hidden, None
    return added, added, _added(name, lang), None, hidden, None


def _mend(broken: tuple[str, str], request: gr.Request):
    lang = language(request)
    try:
        added, changes = desk.add_mended(*broken)
    except UserError as error:
        said = cards.sentence(error.sentence.in_language(lang))
        return gr.skip(), gr.skip(), said, gr.Button(visible=False)
    lines = [both(change).in_language(lang) for change in changes]
    said = _added(added, lang) + cards.card(say("data_mended", lang), cards.bullets(lines))
    return added, added, said, gr.Button(visible=False)


def _brought(lang: str, add: Callable[..., str], *asked: str):
    """The new dataset, twice, and a word on it, or what was wrong."""
    try:
        added = add(*asked)
    except UserError as error:
        return gr.skip(), gr.skip(), cards.sentence(error.sentence.in_language(lang))
    return added, added, _added(added, lang)


def _added(name: str, lang: str) -> str:
    return cards.sentence(say("data_added", lang, name=name), "calm")


def _remove(dataset: str, request: gr.Request):
    try:
        library.remove(dataset)
    except UserError as error:
        return gr.skip(), cards.sentence(error.sentence.in_language(language(request)))
    return "", cards.nothing()


def _build_hub(new: list) -> None:
    with gr.Accordion(t("data_hub"), open=False, elem_id="hub_box"):
        hub_id = gr.Textbox(
            label=t("data_hub_id"), placeholder="owner/name", max_lines=1, elem_id="hub_id"
        )
        with gr.Row():
            split = gr.Textbox(
                label=t("data_hub_split"), placeholder="train", max_lines=1, elem_id="hub_split"
            )
            token = gr.Textbox(
                label=t("data_hub_token"), type="password", max_lines=1, elem_id="hub_token"
            )
        fetch = gr.Button(t("data_hub_fetch"), elem_id="hub_fetch")

    def fetched(hub_id: str, split: str, token: str, request: gr.Request):
        return "", *_brought(language(request), desk.add_from_hub, hub_id, split, token)

    fetch.click(fetched, [hub_id, split, token], [token, *new], api_visibility="private")


def _build_identity(new: list) -> None:
    with gr.Accordion(t("data_identity"), open=False, elem_id="identity_box"):
        gr.Markdown(t("data_identity_how"), elem_classes="soft")
        with gr.Row():
            name = gr.Textbox(label=t("data_identity_name"), max_lines=1, elem_id="identity_name")
            maker = gr.Textbox(
                label=t("data_identity_maker"), max_lines=1, elem_id="identity_maker"
            )
        spoken = gr.Radio(
            [(t("data_identity_both"), "both"), ("English", "en"), ("中文", "zh")],
            value="both",
            label=t("data_identity_language"),
            elem_id="identity_language",
        )
        make = gr.Button(t("data_identity_make"), elem_id="identity_make")

    def made(name: str, maker: str, spoken: str, request: gr.Request):
        return _brought(language(request), desk.add_identity, name, maker, spoken)

    make.click(made, [name, maker, spoken], new, api_visibility="private")
