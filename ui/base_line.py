"""Under the base model: whether it is here, else what its download costs, and the download itself.

The transfer runs in a process of its own (engine.models.sources.background); stopped, it goes on
later from where it was.
"""

from dataclasses import dataclass
from pathlib import Path

import gradio as gr
from gradio.context import Context

from engine.errors import UserError
from engine.models.sources import background
from engine.models.sources.cache import models_here
from engine.models.sources.facts import look
from engine.models.sources.known import KNOWN
from engine.places import SPROUT
from ui import cards
from ui.cards import gib
from ui.events import LATEST, QUIET
from ui.text import language, say, t

CSS = Path(__file__).with_name("base_line.css").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class _Line:
    said: gr.HTML
    download: gr.Button
    stop: gr.Button
    timer: gr.Timer  # on while the chosen model is being downloaded

    @property
    def parts(self) -> list:
        return [self.said, self.download, self.stop, self.timer]


def build(model: gr.Dropdown, revised: gr.State) -> None:
    """Draws the field and its line where it is called; `revised` changes with the language too."""
    model.render()
    with gr.Row(elem_id="base_row"):
        line = _Line(
            gr.HTML(cards.nothing(), elem_id="base_said", elem_classes="bare"),
            gr.Button(t("base_download"), visible=False, size="sm", elem_id="base_download"),
            gr.Button(t("base_stop"), visible=False, size="sm", elem_id="base_stop"),
            gr.Timer(1, active=False),
        )
    _wire(model, line, revised)


def choices(lang: str) -> list[tuple[str, str]]:
    """What is here comes first, then well-known bases with their size."""
    here = models_here()
    listed = [(_choice(one.name, one.gib, lang, here=True), one.name) for one in here]
    names = {one.name for one in here}
    listed += [(_choice(one, KNOWN[one], lang), one) for one in KNOWN if one not in names]
    return [(say("train_sprout", lang), SPROUT), *listed]


def _choice(name: str, size_gib: float, lang: str, here: bool = False) -> str:
    marks = [say("base_here", lang)] if here else []
    return " · ".join([name, *marks, say("base_size", lang, gib=gib(size_gib))])


def _wire(model: gr.Dropdown, line: _Line, revised: gr.State) -> None:
    def show(name: str, request: gr.Request):
        return _shown(line, name or "", language(request))

    def offer(name: str, request: gr.Request):
        return gr.Dropdown(choices=choices(language(request)))

    def follow(name: str, request: gr.Request):
        """At its end what is here has changed."""
        updates = _shown(line, name or "", language(request))
        if not updates[line.timer].get("active"):
            updates[model] = gr.Dropdown(choices=choices(language(request)))
        return updates

    def begin(name: str, request: gr.Request):
        background.start(name)
        return _shown(line, name, language(request))

    def stop(name: str, request: gr.Request):
        background.stop(name)
        return _shown(line, name, language(request))

    many = {"concurrency_limit": None, **QUIET}
    changes = [Context.root_block.load, revised.change]
    gr.on([*changes, model.change], show, model, line.parts, **many, **LATEST)
    gr.on(changes, offer, model, model, **many)
    line.timer.tick(follow, model, [*line.parts, model], **many)
    line.download.click(begin, model, line.parts, **many)
    line.stop.click(stop, model, line.parts, **many)


def _shown(line: _Line, name: str, lang: str) -> dict:
    """Updates for a model's line."""
    said, can_begin, is_going = cards.nothing(), False, False
    try:
        progress = background.look(name)
        if progress is not None:
            said, is_going = _going(progress, lang), True
        elif name != SPROUT:
            said, can_begin = _standing(name, lang)
    except UserError as error:  # of the download: it can go on
        said, can_begin = cards.sentence(error.sentence.in_language(lang)), True
    return {
        line.said: said,
        line.download: gr.update(visible=can_begin),
        line.stop: gr.update(visible=is_going),
        line.timer: gr.update(active=is_going),
    }


def _standing(name: str, lang: str) -> tuple[str, bool]:
    """The line of a model that is not being downloaded, and whether it can be."""
    try:
        known = look(name)
    except UserError:  # the field itself says what is wrong
        return cards.nothing(), False
    if known["here"]:
        words = f"{say('base_here', lang)} · {say('base_size', lang, gib=gib(known['gib']))}"
        return cards.paragraph(f"✓ {words}", "base good"), False
    missing = known["gib"] - known["here_gib"]
    parts = [cards.text(say("base_to_download", lang, gib=gib(missing)))]
    if known["here_gib"] > 0.01:
        done, whole = gib(known["here_gib"]), gib(known["gib"])
        parts.insert(0, cards.text(say("base_partly", lang, done=done, gib=whole)))
    parts.append(cards.text(say("base_free", lang, gib=gib(known["free_gib"]))))
    licence = say("base_licence", lang, licence=known["licence"])
    parts.append(cards.text(licence if known["licence"] else say("base_no_licence", lang)))
    words = say("base_gated" if known["gated"] else "base_page", lang)
    address = cards.text(known["page"])
    parts.append(f'<a href="{address}" target="_blank" rel="noopener">{cards.text(words)}</a>')
    said = f'<p class="base">{" · ".join(parts)}</p>'
    if missing > known["free_gib"]:
        lacking = say("base_no_room", lang, gib=gib(missing - known["free_gib"]))
        return said + cards.sentence(lacking), False
    return said, True


def _going(progress: dict, lang: str) -> str:
    if not progress:
        return cards.waiting(say("base_begins", lang))
    done, total = progress["done_gib"], progress["total_gib"]
    words = [say("base_going", lang, done=gib(done), total=gib(total))]
    if progress["seconds_left"] is not None:
        words.append(say("base_speed", lang, speed=f"{progress['gib_per_second']:.3f}"))
        words.append(say("base_left", lang, left=cards.clock(progress["seconds_left"])))
    label = " · ".join(words)
    bar = cards.bar([(done, "var(--g-accent)")], total, label)
    return f'<p class="base">{cards.text(label)}</p>{bar}'
