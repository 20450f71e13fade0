"""What the Data tab shows of the chosen dataset: read at once, measured and examined by and by."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import gradio as gr

from engine.desk import client as desk
from engine.errors import UserError
from ui import cards, data_doctor, data_mapping, data_pictures, data_views, form
from ui.cards import number
from ui.chosen import Chosen
from ui.events import LATEST, QUIET
from ui.text import both, language, say

SHOWN_BY = ("max_length", "loss_on", "chat_template", "system_prompt", "mapping", "speaker")
READ_BY = ("model_name_or_path", *SHOWN_BY, "eval_dataset")
_TYPING_SECONDS = 0.3
_SESSIONS_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Views:
    """The cards that a reading fills; `row` the slider, `facts` the last whole report, or None."""

    row: gr.Slider
    facts: gr.State
    problem: gr.HTML
    understood: gr.HTML
    dropped: gr.DownloadButton
    report: gr.DownloadButton
    statement: gr.HTML
    mask: gr.HTML
    conversation: gr.HTML
    prompt: gr.HTML
    lengths: gr.HTML
    pickers: data_mapping.Pickers
    doctor: data_doctor.Doctor

    def of_a_row(self) -> list:
        return [self.mask, self.conversation, self.prompt]

    def all(self) -> list:
        simple = [self.row, self.facts, self.problem, self.understood, self.dropped]
        more = [self.report, self.statement, self.lengths, *self.of_a_row()]
        return [*simple, *more, *self.pickers.all(), *self.doctor.all()]


class _Latest:
    """Which reading each visitor waits for: an older one ends when it notices."""

    def __init__(self) -> None:
        self._by_session: dict[str, object] = {}

    def begin(self, session: str) -> object:
        self._by_session.pop(session, None)
        while len(self._by_session) >= _SESSIONS_KEPT:
            del self._by_session[next(iter(self._by_session))]  # who has read least lately
        token = self._by_session[session] = object()
        return token

    def is_still(self, session: str, token: object) -> bool:
        return self._by_session.get(session) is token


_latest = _Latest()

# The second value is the row: one out of range, of which Gradio makes an English error, is read as
# the browser shows it when it is left.
_ROW_IN_RANGE = """(dataset, row, ...others) => {
  const slider = document.querySelector('#data_row input[type=range]');
  if (slider) row = Math.min(Math.max(row ?? 1, Number(slider.min)), Number(slider.max));
  return [dataset, row, ...others];
}"""


def reader(views: Views, chosen: Chosen, fields: form.Fields) -> dict:
    """Arguments of an event that reads the dataset anew."""

    def read(request: gr.Request, **values):
        values["dataset"], row = values["dataset"] or "", int(values.pop("row") or 1)
        picked = [values.pop(f"picked_{role}") for role in views.pickers.roles]
        session, lang = request.session_hash or "", language(request)
        token = _latest.begin(session)
        yield gr.skip()  # an event that ends without a word empties all that it may change
        time.sleep(_TYPING_SECONDS)  # somebody who types asks again at once
        for updates in _reading(views, values, row, picked, lang):
            if not _latest.is_still(session, token):
                return
            yield updates

    asked = {"dataset": chosen.dataset, "row": views.row}
    asked |= {f"picked_{role}": one for role, one in views.pickers.roles.items()}
    return {
        "fn": read,
        "inputs_kwargs": asked | {name: fields[name] for name in READ_BY},
        "outputs": views.all(),
        "js": _ROW_IN_RANGE,
        "concurrency_limit": None,
        "trigger_mode": "multiple",
        **QUIET,
    }


def row_reader(views: Views, chosen: Chosen, fields: form.Fields) -> dict:
    """Arguments of an event that shows another row of the same dataset."""

    def show(request: gr.Request, **values):
        dataset, row = values.pop("dataset"), int(values.pop("row") or 1)
        model = values.pop("model_name_or_path")
        try:
            return _row(views, dataset, model, row, _shown(values), language(request))
        except UserError:  # told above, where the data is read
            return gr.skip()

    names = ("model_name_or_path", *SHOWN_BY)
    asked = {"dataset": chosen.dataset, "row": views.row}
    return {
        "fn": show,
        "inputs_kwargs": asked | {name: fields[name] for name in names},
        "outputs": views.of_a_row(),
        "js": _ROW_IN_RANGE,
        "concurrency_limit": None,
        **QUIET,
        **LATEST,
    }


def _shown(values: dict) -> dict:
    """The options by which a row is shown, as the engine takes them."""
    asked = {name: values[name] for name in SHOWN_BY}
    return asked | {"max_length": int(asked["max_length"] or 0)}


def _reading(views: Views, values: dict, row: int, picked: list, lang: str) -> Iterator[dict]:
    """First what the file is and one row of it, then the figures and what the doctor says."""
    dataset, model = values["dataset"], values["model_name_or_path"]
    if not dataset:
        hint = cards.card("", cards.paragraph(say("data_nothing", lang)))
        yield _nothing(views) | {views.understood: hint}
        return
    asked = _shown(values)
    facts = None
    try:
        facts = desk.understood(dataset, asked["mapping"], asked["speaker"])
        shown = _understood(views, dataset, facts, picked, asked, lang)
        if facts["usable"]:
            shown |= _row(views, dataset, model, min(row, facts["usable"]), asked, lang)
        yield shown
        for look in desk.inspecting(
            dataset, model, eval_dataset=values["eval_dataset"] or "", **asked
        ):
            if "so_far" in look:
                yield _measured(views, look["so_far"], asked["max_length"], lang) | {
                    views.doctor.findings: _examining(look["share"], lang)
                }
            elif "report" not in look:
                yield {views.statement: _measuring(facts, look["share"], lang)}
        report = look["report"] | {"dataset": dataset}
        file = str(desk.report(dataset, look["report"], lang))
        yield (
            _measured(views, report, asked["max_length"], lang)
            | {views.facts: report, views.report: gr.DownloadButton(value=file, visible=True)}
            | data_doctor.shown(views.doctor, report, lang)
        )
    except UserError as error:
        said = cards.sentence(error.sentence.in_language(lang))
        asks = {} if facts else _asking(views, dataset, picked, values["mapping"])
        yield _nothing(views) | {views.problem: said} | asks


def _nothing(views: Views) -> dict:
    empty = (views.problem, views.understood, views.statement, views.lengths, *views.of_a_row())
    updates = dict.fromkeys(empty, cards.nothing()) | data_doctor.hidden(views.doctor)
    hidden = {views.pickers.box: gr.Accordion(visible=False), views.facts: None}
    hidden |= {views.pickers.speaker: gr.Dropdown(visible=False)}
    hidden |= {views.row: gr.Slider(visible=False)}
    return updates | hidden | _no_files(views)


def _no_files(views: Views) -> dict:
    return dict.fromkeys((views.dropped, views.report), gr.DownloadButton(visible=False))


def _asking(views: Views, dataset: str, picked: list, mapping: str) -> dict:
    """A file that could be read but not understood: a person may say what is what."""
    try:
        columns = desk.table(dataset, 0, 1)["columns"]
    except UserError:
        return {}
    return data_mapping.asking(views.pickers, columns, picked, mapping)


def _understood(
    views: Views, dataset: str, facts: dict, picked: list, asked: dict, lang: str
) -> dict:
    file = None
    if facts["dropped"]:
        file = str(desk.dropped(dataset, asked["mapping"], asked["speaker"]))
    pickers = data_mapping.shown(views.pickers, facts, picked, asked)
    return (
        pickers
        | {
            views.problem: _no_row_left(facts, lang),
            views.understood: data_views.understood(facts, lang),
            **dict.fromkeys(views.of_a_row(), cards.nothing()),
            **_no_files(views),
            views.dropped: gr.DownloadButton(value=file, visible=bool(file)),
            views.row: gr.Slider(maximum=max(2, facts["usable"]), visible=facts["usable"] > 0),
            views.statement: _measuring(facts, 0.0, lang),
            views.lengths: cards.nothing(),
        }
        | data_doctor.hidden(views.doctor)
    )


def _no_row_left(facts: dict, lang: str) -> str:
    """The file is understood, and the doctor may mend it or another speaker be chosen."""
    if facts["usable"]:
        return cards.nothing()
    return cards.sentence(both(facts["nothing"]).in_language(lang))


def _row(views: Views, dataset: str, model: str, row: int, asked: dict, lang: str) -> dict:
    one = desk.row(dataset, model, row - 1, **asked)
    return {
        views.mask: data_views.mask(one, lang),
        views.conversation: data_views.conversation(one, lang),
        views.prompt: data_views.prompt(one),
    }


def _measuring(facts: dict, share: float, lang: str) -> str:
    if not facts["usable"]:
        return cards.nothing()
    words = say("data_measuring", lang, rows=number(facts["usable"]), share=f"{100 * share:.0f}")
    return cards.card(say("data_view_learns", lang), cards.waiting(words))


def _examining(share: float, lang: str) -> str:
    words = say("data_examining", lang, share=f"{100 * share:.0f}")
    return cards.card(say("data_doctor", lang), cards.waiting(words))


def _measured(views: Views, facts: dict, max_length: int, lang: str) -> dict:
    """The figures, as soon as there are some."""
    if not facts["usable"]:
        return {views.understood: data_views.understood(facts, lang)}
    return {
        views.statement: data_views.statement(facts, max_length, lang),
        views.lengths: data_pictures.lengths(facts, max_length, lang),
        views.understood: data_views.understood(facts, lang),
    }
