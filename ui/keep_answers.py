"""Under the conversation: an answer that was good or said better goes into a dataset, the whole
talk into a file."""

from dataclasses import dataclass

import gradio as gr

from engine import library
from engine.chat import conversations, kept_answers
from engine.errors import UserError
from engine.places import temporary_file
from ui import cards, cast, conversation
from ui.chosen import Chosen
from ui.events import LATEST, QUICK, TELLING
from ui.text import language, say, t


@dataclass(frozen=True, slots=True)
class Keep:
    """The box's components; `kept` is the id of the dataset that was written to last, `about` the
    conversation whose answer is being said better, [] while none is."""

    box: gr.Accordion
    kept: gr.State
    about: gr.State
    whose: gr.Radio
    into: gr.Dropdown
    name: gr.Textbox
    good: gr.Button
    better: gr.Button
    words: gr.Textbox
    save: gr.Button
    said: gr.HTML
    see: gr.Button
    form: gr.Radio
    export: gr.Button
    file: gr.DownloadButton


def lay_out() -> Keep:
    made: dict = {"kept": gr.State(""), "about": gr.State([])}
    with gr.Accordion(t("keep_box"), open=False, elem_id="chat_keep") as made["box"]:
        gr.Markdown(t("keep_how"), elem_classes="soft")
        with gr.Row():
            made["whose"] = gr.Radio(label=t("keep_whose"), elem_id="chat_keep_whose")
            made["into"] = gr.Dropdown(
                [(t("keep_new"), "")], value="", label=t("keep_into"), elem_id="chat_keep_into"
            )
            made["name"] = gr.Textbox(
                "my-talks", label=t("keep_name"), max_lines=1, elem_id="chat_keep_name"
            )
        with gr.Row():
            made["good"] = gr.Button(t("keep_good"), elem_id="chat_keep_good")
            made["better"] = gr.Button(t("keep_better"), elem_id="chat_keep_better")
        made["words"] = gr.Textbox(
            label=t("keep_words"),
            info=t("keep_words_help"),
            lines=2,
            max_lines=12,
            visible=False,
            elem_id="chat_keep_words",
        )
        made["save"] = gr.Button(
            t("keep_save"), variant="primary", visible=False, elem_id="chat_keep_save"
        )
        made["said"] = gr.HTML(cards.nothing(), elem_id="chat_keep_said", elem_classes="bare")
        made["see"] = gr.Button(t("keep_see"), size="sm", visible=False, elem_id="chat_keep_see")
        with gr.Row(elem_id="chat_keep_leave"):
            made["form"] = gr.Radio(
                [(t(f"keep_form_{form}"), form) for form in ("markdown", "json", "rows")],
                value="markdown",
                label=t("keep_form"),
                scale=3,
                elem_id="chat_keep_form",
            )
            made["export"] = gr.Button(t("keep_export"), elem_id="chat_keep_export")
            made["file"] = gr.DownloadButton(
                "", visible=False, variant="primary", elem_id="chat_keep_file"
            )
    return Keep(**made)


def renamed(keep: Keep, talk: dict, lang: str, *, one_is_gone: bool = False) -> dict:
    """Who has answered, under the names that they have now; who is gone is not asked for."""
    names = _names(talk, lang)
    listed = [(name, voice) for voice, name in names.items()]
    value = {"value": next(reversed(names), None)} if one_is_gone else {}
    return {keep.whose: gr.Radio(listed, **value)}


def wire(keep: Keep, talk: gr.State, chosen: Chosen) -> None:
    """`talk` as in ui.conversation."""

    def follow(talk: dict, whose: str, into: str, about: list, request: gr.Request):
        lang = language(request)
        names, listed = _names(talk, lang), _datasets(lang)
        chosen_one = whose if whose in names else next(reversed(names), None)
        known = into if into in [value for _, value in listed] else ""
        # What can stay is not written back: another may have been chosen meanwhile.
        voice = {} if whose in names else {"value": chosen_one}
        dataset = {} if into == known else {"value": known}
        # What was not begun stays: it may be begun by a click while this is on its way.
        closed = _closed(keep) if about and about != _row(talk, chosen_one) else {}
        return closed | {
            keep.whose: gr.Radio([(name, one) for one, name in names.items()], **voice),
            keep.into: gr.Dropdown(listed, **dataset),
            keep.name: gr.Textbox(visible=not known),
            keep.file: gr.DownloadButton(visible=False),
        }

    def begin_better(talk: dict, whose: str, request: gr.Request):
        messages = _row(talk, whose)
        if not messages:
            return _closed(keep) | {keep.said: _no_answer(talk, whose, language(request))}
        return {
            keep.about: messages,
            keep.words: gr.Textbox(value=messages[-1]["content"], visible=True),
            keep.save: gr.Button(visible=True),
            keep.said: cards.nothing(),
        }

    where = [keep.into, keep.name]
    better = [keep.about, keep.words, keep.save]
    done = [keep.said, keep.kept, *where, keep.see, *better]
    gr.on(
        [keep.box.expand, keep.whose.input, talk.change],
        follow,
        [talk, keep.whose, keep.into, keep.about],
        [keep.whose, *where, keep.file, *better],
        **QUICK,
        **LATEST,
    )
    talk.change(cards.nothing, None, keep.said, **QUICK)  # it was about another answer
    keep.into.input(
        lambda into: gr.Textbox(visible=not into), keep.into, keep.name, **QUICK, **LATEST
    )
    keep.better.click(begin_better, [talk, keep.whose], [*better, keep.said], **QUICK)
    keep.good.click(_good(keep), [talk, keep.whose, *where], done, **TELLING)
    keep.save.click(_better(keep), [keep.about, keep.words, *where], done, **TELLING)
    _wire_leaving(keep, talk, chosen)


def _good(keep: Keep):
    def put(talk: dict, whose: str, into: str, name: str, request: gr.Request):
        lang = language(request)
        if conversation.is_hidden(talk):
            return {keep.said: cards.sentence(say("keep_blind", lang), "mild")}
        messages = _row(talk, whose)
        if not messages:
            return {keep.said: _no_answer(talk, whose, lang)}
        return _kept(keep, messages, "", into, name, lang)

    return put


def _better(keep: Keep):
    """The words belong to the answer for which they were asked, whatever was said since."""

    def put(about: list, words: str, into: str, name: str, request: gr.Request):
        if not about:  # a second click
            return {keep.said: gr.skip()}
        return _kept(keep, about, words, into, name, language(request))

    return put


def _kept(keep: Keep, messages: list, better: str, into: str, name: str, lang: str) -> dict:
    try:
        kept, pair = kept_answers.keep(into, messages, better, name)
    except UserError as error:
        return {keep.said: cards.sentence(error.sentence.in_language(lang))}
    key = "keep_done" if kept.is_new else "keep_known"
    said = say(key, lang, dataset=kept.dataset, rows=kept.rows)
    if pair:
        said += " " + say("keep_pair", lang, dataset=pair.dataset, rows=pair.rows)
    return _closed(keep) | {
        keep.said: cards.sentence(said, "calm" if kept.is_new else "mild"),
        keep.kept: kept.dataset,
        keep.into: gr.Dropdown(_datasets(lang), value=kept.dataset),
        keep.name: gr.Textbox(visible=False),
        keep.see: gr.Button(visible=True),
    }


def _closed(keep: Keep) -> dict:
    """Nothing is being said better."""
    return {
        keep.about: [],
        keep.words: gr.Textbox(value="", visible=False),
        keep.save: gr.Button(visible=False),
    }


def _row(talk: dict, whose: str | None) -> list:
    """What one voice said, as a row that ends with the last answer; [] where it has none, or where
    nobody may know yet whose it is."""
    if not whose or conversation.is_hidden(talk):
        return []
    messages = conversations.row(talk, whose)
    answered = sum(one["role"] == "assistant" for one in messages)
    return messages if answered == len(talk["turns"]) else []


def _wire_leaving(keep: Keep, talk: gr.State, chosen: Chosen) -> None:
    """The whole talk as a file, and the way to the rows that were kept."""

    def export(talk: dict, form: str, request: gr.Request):
        lang = language(request)
        card = cast.card(talk["character"])
        if conversation.is_hidden(talk):
            said = cards.sentence(say("keep_blind", lang), "mild")
            return gr.DownloadButton(visible=False), said
        try:
            name, text = conversations.write(talk, form, _names(talk, lang), card)
        except UserError as error:
            said = cards.sentence(error.sentence.in_language(lang), "mild")
            return gr.DownloadButton(visible=False), said
        path = temporary_file(name)
        path.write_text(text, encoding="utf-8")
        label = say("keep_download", lang, name=name)
        return gr.DownloadButton(label, value=str(path), visible=True), gr.skip()

    keep.export.click(export, [talk, keep.form], [keep.file, keep.said], **TELLING)
    keep.form.input(lambda: gr.DownloadButton(visible=False), None, keep.file, **QUICK, **LATEST)
    # By way of nothing: what is shown there may have grown since.
    keep.see.click(lambda: "", None, chosen.dataset, **TELLING).then(
        lambda kept: (kept, gr.Tabs(selected="data")),
        keep.kept,
        [chosen.dataset, chosen.tabs],
        **TELLING,
    )


def _names(talk: dict, lang: str) -> dict[str, str]:
    """What the voices that have answered are called, unless a vote waits."""
    if conversation.is_hidden(talk):
        return {}
    return {one: cast.name_of(one, lang) for one in conversations.voices(talk)}


def _datasets(lang: str) -> list[tuple[str, str]]:
    """A new one, one's own, and the samples, of which a copy is made."""
    listed = library.list_datasets()
    own = [(one.title.in_language(lang), one.id) for one in listed if not one.is_sample]
    samples = [
        (say("keep_copied", lang, name=one.title.in_language(lang)), one.id)
        for one in listed
        if one.is_sample
    ]
    return [(say("keep_new", lang), ""), *own, *samples]


def _no_answer(talk: dict, whose: str | None, lang: str) -> str:
    name = _names(talk, lang).get(whose or "", "")
    key = "keep_no_answer" if name else "keep_nobody"
    return cards.sentence(say(key, lang, name=name), "mild")
