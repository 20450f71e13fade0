"""The Data tab: choose or upload a dataset, and see exactly what the model will learn from it."""

from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from engine import characters, desk, library
from engine.config import TrainConfig
from engine.errors import UserError
from engine.training import runs
from ui import cards, data_foot, data_views, form
from ui.chosen import Chosen
from ui.text import language, say, t

QUIET = {"show_progress": "hidden", "api_visibility": "private"}
READ_BY = ("model_name_or_path", "max_length", "loss_on", "system_prompt")


@dataclass(frozen=True, slots=True)
class DataTab:
    """What the rest of the page touches. `facts` is what `desk.inspect` last found, or None."""

    picker: gr.Radio
    row: gr.Slider
    facts: gr.State


@dataclass(frozen=True, slots=True)
class _Views:
    """The cards that one reading fills, in the order in which `_read` returns them."""

    problem: gr.HTML
    understood: gr.HTML
    statement: gr.HTML
    mask: gr.HTML
    conversation: gr.HTML
    prompt: gr.HTML
    doctor: gr.HTML

    def all(self) -> list[gr.HTML]:
        return [getattr(self, name) for name in self.__slots__]


def build(chosen: Chosen, fields: form.Fields, facts: gr.State, revised: gr.State) -> DataTab:
    """`revised` counts the times that the page, not the person, changed what is read."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=3, min_width=300):
            picker = gr.Radio(label=t("data_dataset"), elem_id="dataset")
            upload = gr.File(label=t("data_upload"), elem_id="upload", height=140)
            said = gr.HTML(cards.nothing(), elem_id="upload_said", elem_classes="bare")
            remove = gr.Button(t("data_remove"), size="sm", visible=False, elem_id="remove_upload")
            statement = _html("data_statement")
            go = gr.Button(t("data_go_train"), elem_id="go_train", variant="primary")
        with gr.Column(scale=7, min_width=320):
            row, learn, views = _right_side(chosen, statement)
            data_foot.build(chosen)
    tab = DataTab(picker, row, facts)
    _wire_choice(chosen, tab, upload, said, remove)
    _wire_reading(chosen, tab, fields, learn, views, remove, revised)
    go.click(lambda: gr.Tabs(selected="train"), None, chosen.tabs, queue=False, **QUIET)
    return tab


def _html(elem_id: str) -> gr.HTML:
    return gr.HTML(cards.nothing(), elem_id=elem_id, elem_classes="bare")


def _right_side(chosen: Chosen, statement: gr.HTML) -> tuple[gr.Slider, gr.Dropdown, _Views]:
    problem, understood = _html("data_problem"), _html("data_understood")
    with gr.Row(elem_id="data_controls"):
        row = gr.Slider(1, 2, 1, step=1, label=t("data_row"), elem_id="data_row", scale=3)
        learn = gr.Dropdown(
            form.learn_choices(), value="answers", label=t("data_learn"), elem_id="data_learn"
        )
    with gr.Tabs(elem_id="data_views"):
        with gr.Tab(t("data_view_learns"), elem_id="view_learns"):
            mask = _html("data_mask")
        with gr.Tab(t("data_view_table"), elem_id="view_table"):
            data_foot.table(chosen)
        with gr.Tab(t("data_view_conversation"), elem_id="view_conversation"):
            conversation = _html("data_conversation")
        with gr.Tab(t("data_view_prompt"), elem_id="view_prompt"):
            prompt = _html("data_prompt")
    doctor = _html("data_doctor")
    return row, learn, _Views(problem, understood, statement, mask, conversation, prompt, doctor)


def choices(lang: str) -> list[tuple[str, str]]:
    """The library as choices of the picker."""
    return [(one.title.in_language(lang), one.id) for one in library.list_datasets()]


def _wire_choice(chosen: Chosen, tab: DataTab, upload, said, remove) -> None:
    """The ways to choose: picker, upload, and taking an upload away."""
    tab.picker.input(
        lambda value: (value, cards.nothing()), tab.picker, [chosen.dataset, said], **QUIET
    )
    upload.upload(_add, upload, [chosen.dataset, upload, said], api_visibility="private")
    remove.click(_remove, chosen.dataset, [chosen.dataset, said], **QUIET)


def _add(path: str, request: gr.Request):
    lang, name = language(request), Path(path).name
    try:
        added = library.add_upload(path, name)
    except UserError as error:
        return gr.skip(), None, cards.sentence(error.sentence.in_language(lang))
    return added, None, cards.sentence(say("data_added", lang, name=name), "calm")


def _remove(dataset: str, request: gr.Request):
    try:
        library.remove(dataset)
    except UserError as error:
        return gr.skip(), cards.sentence(error.sentence.in_language(language(request)))
    return "", cards.nothing()


def _wire_reading(chosen: Chosen, tab: DataTab, fields, learn, views, remove, revised) -> None:
    """A new dataset is announced at once, then read; a change of what is read only reads."""
    begun = [tab.picker, tab.row, remove, views.understood]
    card_fields = [fields["system_prompt"], fields["sample_prompts"]]
    read = {
        "fn": _read,
        "inputs": [chosen.dataset, tab.row, tab.facts, *(fields[name] for name in READ_BY)],
        "outputs": [*views.all(), tab.row, tab.facts],
        "concurrency_limit": None,
        **QUIET,
    }
    chosen.dataset.change(
        _begin,
        [chosen.dataset, chosen.clone, *card_fields],
        [*begun, *card_fields],
        queue=False,
        **QUIET,
    ).then(**read)
    changes = [fields[name].input for name in READ_BY]
    gr.on([tab.row.input, revised.change, *changes], trigger_mode="always_last", **read)
    learn.input(lambda v: v, learn, fields["loss_on"], queue=False, **QUIET).then(**read)
    fields["loss_on"].change(lambda v: v, fields["loss_on"], learn, queue=False, **QUIET)


def _begin(dataset: str, clone: str, system_prompt: str, questions: str, request: gr.Request):
    """The picker follows, the row starts anew, and the character of the data is put on."""
    lang = language(request)
    known = {one.id: one for one in library.list_datasets()}
    found = known.get(dataset)
    cloned = _cloned(clone)
    if cloned and cloned.dataset == dataset:
        prompt, asked = cloned.system_prompt, cloned.sample_prompts
    else:
        prompt, asked = _put_on(found.character if found else "", system_prompt, questions)
    picker = gr.Radio(choices=choices(lang), value=dataset if found else None)
    waiting = cards.waiting(say("data_reading", lang)) if dataset else cards.nothing()
    uploaded = gr.Button(visible=bool(found and not found.is_sample))
    return picker, 1, uploaded, cards.card("", waiting), prompt, asked


def _cloned(clone: str) -> TrainConfig | None:
    """A cloned run brings the prompt and questions that it was trained with."""
    try:
        return runs.get(clone).config if clone else None
    except UserError:
        return None


def _put_on(character: str, system_prompt: str, questions: str):
    """The card's prompt and questions, unless the person wrote their own."""
    listed = characters.list_characters()
    prompts = {"", *(one.system_prompt for one in listed)}
    asked = {"", *("\n".join(one.questions) for one in listed)}
    card = next((one for one in listed if one.id == character), None)
    new_prompt, new_asked = (card.system_prompt, "\n".join(card.questions)) if card else ("", "")
    return (
        new_prompt if system_prompt in prompts else gr.skip(),
        new_asked if questions in asked else gr.skip(),
    )


def _read(dataset, row, known, model, max_length, loss_on, system_prompt, request: gr.Request):
    """Everything that is shown of the dataset, in the order of `_Views`, then slider and facts."""
    lang = language(request)
    if not dataset:
        hint = cards.card("", cards.paragraph(say("data_nothing", lang)))
        return [cards.nothing(), hint, *[cards.nothing()] * 5, gr.skip(), None]
    try:
        length = int(max_length or 0)
        asked = {"max_length": length, "loss_on": loss_on, "system_prompt": system_prompt}
        facts = _totals(known, dataset, model, asked)
        most = max(1, facts["usable"])
        one = desk.inspect(dataset, model, **asked, row=min(int(row), most) - 1)
    except UserError as error:
        problem = cards.sentence(error.sentence.in_language(lang))
        return [problem, *[cards.nothing()] * 6, gr.skip(), None]
    return [
        cards.nothing(),
        data_views.understood(facts, lang),
        data_views.statement(facts, length, lang),
        data_views.mask(one, lang),
        data_views.conversation(one, lang),
        data_views.prompt(one),
        data_views.doctor(facts, lang),
        gr.Slider(maximum=max(2, most)),
        facts,
    ]


def _totals(known: dict | None, dataset: str, model: str, asked: dict) -> dict:
    """The figures of the whole dataset: as they were when only the row has moved."""
    key = {"dataset": dataset, "model": model, "asked": asked}
    if known and key.items() <= known.items():
        return known
    facts = desk.inspect(dataset, model, **asked)
    dropped = sum(one["count"] for one in facts["dropped"])
    return facts | key | {"usable": facts["rows"] - dropped}
