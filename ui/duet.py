"""The box in which two characters talk to each other."""

from dataclasses import dataclass

import gradio as gr

from engine.chat import client, duet
from engine.chat.conversations import BASE
from engine.chat.duet import MOST_TURNS, Speaker
from engine.errors import UserError
from ui import answers, cards, cast, character_box
from ui.events import QUICK
from ui.own_settings import number
from ui.text import language, say, t

SIDES = ("first", "second")


@dataclass(frozen=True, slots=True)
class Duet:
    box: gr.Accordion
    voices: dict[str, gr.Dropdown]  # by side
    cast: dict[str, gr.Dropdown]
    opening: gr.Textbox
    turns: gr.Slider
    start: gr.Button
    stop: gr.Button
    said: gr.HTML
    chat: gr.Chatbot


def lay_out() -> Duet:
    made: dict = {"voices": {}, "cast": {}}
    with gr.Accordion(t("duet_box"), open=False, elem_id="duet_box") as made["box"]:
        gr.Markdown(t("duet_how"), elem_classes="soft")
        with gr.Row():
            for side in SIDES:
                with gr.Column(min_width=240):
                    made["cast"][side] = gr.Dropdown(
                        [], label=t(f"duet_{side}"), info=t("duet_card"), elem_id=f"duet_{side}"
                    )
                    made["voices"][side] = gr.Dropdown(
                        [(t("duet_base"), BASE)],
                        value=BASE,
                        allow_custom_value=True,
                        show_label=False,
                        info=t("duet_voice"),
                        elem_id=f"duet_{side}_voice",
                    )
        with gr.Row():
            made["opening"] = gr.Textbox(
                label=t("duet_opening"),
                placeholder=t("duet_opening_hint"),
                max_lines=4,
                scale=3,
                elem_id="duet_opening",
            )
            made["turns"] = gr.Slider(
                1, MOST_TURNS, value=6, step=1, label=t("duet_turns"), elem_id="duet_turns"
            )
        with gr.Row():
            made["start"] = gr.Button(t("duet_start"), variant="primary", elem_id="duet_start")
            made["stop"] = gr.Button(t("duet_stop"), visible=False, elem_id="duet_stop")
        made["said"] = gr.HTML(cards.nothing(), elem_id="duet_said", elem_classes="bare")
        made["chat"] = gr.Chatbot(
            label=t("duet_chat"),
            height=360,
            buttons=["copy", "copy_all"],
            group_consecutive_messages=False,
            feedback_options=None,
            visible=False,
            elem_id="duet_chat",
            elem_classes="chat-voice",
        )
    return Duet(**made)


def wire(made: Duet, sampling: dict, status: gr.HTML, model: dict) -> None:
    """`sampling` are the panel's settings by name; `model` are the settings of events that touch
    the model; `status` is the line that says what is loaded."""

    def offer(first: str, second: str, voice: str, other: str, request: gr.Request):
        lang = language(request)
        known_cards = character_box.choices(lang)[1:]
        ids = [id for _, id in known_cards]
        heard = [(say("duet_base", lang), BASE), *cast.choices(lang)[1:]]
        picked = [one if one in ids else ids[n % len(ids)] for n, one in enumerate((first, second))]
        spoken = [BASE if cast.is_gone(one) else one for one in map(_asked, (voice, other))]
        return [gr.Dropdown(known_cards, value=one) for one in picked] + [
            gr.Dropdown(heard, value=one, allow_custom_value=True) for one in spoken
        ]

    def begin():
        return {
            made.start: gr.Button(visible=False),
            made.stop: gr.Button(visible=True),
            made.said: cards.nothing(),
        }

    def ready():
        return {made.start: gr.Button(visible=True), made.stop: gr.Button(visible=False)}

    def talk(request: gr.Request, first, second, voice, other, opening, turns, *values):
        lang = language(request)
        voices = [_asked(voice), _asked(other)]
        asked = {n: number(n, v) for n, v in zip(sampling, values, strict=True)}
        try:
            yield from _talk(made, status, (first, second), voices, opening, turns, asked, lang)
        except UserError as error:
            yield {
                made.said: cards.sentence(error.sentence.in_language(lang)),
                status: answers.loaded(client.status(), lang),
            }

    who = [*made.cast.values(), *made.voices.values()]
    made.box.expand(offer, who, who, **QUICK)
    buttons = [made.start, made.stop]
    asked = [*who, made.opening, made.turns, *sampling.values()]
    started = made.start.click(begin, None, [*buttons, made.said], **QUICK)
    talked = started.then(talk, asked, [made.chat, made.said, status], **model)
    talked.then(ready, None, buttons, **QUICK)
    made.stop.click(duet.stop, None, None, **QUICK)


def _asked(typed: str | None) -> str:
    return (typed or "").strip() or BASE


def _talk(made: Duet, status: gr.HTML, ids, voices, opening, turns, sampling, lang):
    """Updates while both are loaded and while they talk."""
    cards_of = [cast.card(one) for one in ids]
    if None in cards_of:
        yield {made.said: cards.sentence(say("duet_choose", lang), "mild")}
        return
    names = [cast.name_of(one, lang) if one != BASE else say("duet_base", lang) for one in voices]
    words = say("chat_doing", lang, what=" + ".join(dict.fromkeys(names)))
    yield {status: answers.loading(words)}
    now = duet.load(voices)
    pictures = [character_box.picture(card) for card in cards_of]
    yield {
        status: answers.loaded(now, lang),
        made.chat: gr.Chatbot(value=[], visible=True, avatar_images=(pictures[0], pictures[1])),
    }
    speakers = [Speaker(voice, card) for voice, card in zip(voices, cards_of, strict=True)]
    lines: list[dict] = []
    for lines in duet.converse(*speakers, opening, int(turns), now, **sampling):
        yield {made.chat: _bubbles(lines)}
    yield {made.said: _ending(lines, lang)}


def _bubbles(lines: list[dict]) -> list[dict]:
    """The first stands at the right, the second at the left; each line says whose it is."""
    return [
        {
            "role": ("user", "assistant")[line["who"]],
            "content": f"**{answers.as_plain(line['name'])}**\n\n"
            + (answers.as_markdown(line["text"]) or "…"),
        }
        for line in lines
    ]


def _ending(lines: list[dict], lang: str) -> str:
    last, spoken = lines[-1], sum(bool(line["text"]) for line in lines)
    if not last["text"]:
        said = say("duet_silent", lang, name=last["name"], lines=spoken)
    else:
        key = "duet_stopped" if last["stopped_by"] == "stop" else "duet_done"
        said = say(key, lang, lines=spoken)
    return cards.sentence(said, "calm")
