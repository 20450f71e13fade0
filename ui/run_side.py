"""The right side of Train while a run is watched: drawn from the run's folder at each tick."""

from dataclasses import dataclass

import gradio as gr

from engine import launch
from engine.chat.conversations import BASE
from engine.errors import UserError
from engine.training import command, runs
from engine.training.curves import points, smooth
from engine.training.runs import Run
from ui import cards, learned_card, plots, run_views, runs_line, timeline
from ui.chosen import Chosen
from ui.events import QUICK, QUIET
from ui.text import language, say, t

_FILES = ("metrics.jsonl", "samples.jsonl", "train.log", "learned.json")


@dataclass(frozen=True, slots=True)
class RunSide:
    """Its components. `seen` holds the sizes of the files as last drawn."""

    box: gr.Column
    seen: gr.State
    card: gr.HTML
    learned: gr.HTML
    loss: gr.LinePlot
    loss_says: gr.HTML
    rate: gr.LinePlot
    norm: gr.LinePlot
    memory: gr.HTML
    answers: gr.HTML
    log: gr.HTML
    command: gr.Textbox
    line: runs_line.LineButtons
    stop: gr.Button
    ask: gr.Column
    resume: gr.Button
    talk: gr.Button
    another: gr.Button
    said: gr.HTML


def build(chosen: Chosen) -> RunSide:
    with gr.Column(visible=False, elem_id="run_side") as box:
        made = {"card": _html("run_card")}
        made["ask"], answers = _question()
        made["line"] = runs_line.build("run")
        with gr.Row(elem_id="run_buttons"):
            made["stop"] = gr.Button(t("train_stop"), elem_id="stop", visible=False)
            made["resume"] = gr.Button(t("train_resume"), elem_id="resume", visible=False)
            made["another"] = gr.Button(t("train_another"), elem_id="another")
            made["talk"] = gr.Button(
                t("train_talk"), variant="primary", elem_id="talk", visible=False
            )
        made["said"] = _html("run_said")
        made["learned"] = _html("run_learned")
        made["loss"], made["loss_says"] = plots.loss_plot(), _html("loss_says")
        made["answers"] = _html("run_answers", js_on_load=timeline.FOLLOW)
        made["memory"] = _html("run_memory")
        with gr.Accordion(t("train_curves"), open=False, elem_id="curves_box") as curves:
            made["rate"], made["norm"] = plots.rate_plot(), plots.norm_plot()
        with gr.Accordion(t("train_log"), open=False, elem_id="log_box"):
            made["log"] = _html("run_log")
        made["command"] = gr.Textbox(
            label=t("train_command"),
            info=t("train_command_help"),
            lines=1,
            max_lines=6,
            interactive=False,
            buttons=["copy"],
            elem_id="run_command",
        )
    side = RunSide(box=box, seen=gr.State({}), **made)
    _wire_watching(chosen, side, curves)
    _wire_buttons(chosen, side, answers)
    return side


def _html(elem_id: str, **more) -> gr.HTML:
    return gr.HTML(cards.nothing(), elem_id=elem_id, elem_classes="bare", **more)


def _question() -> tuple[gr.Column, dict[str, gr.Button]]:
    """Go on, stop and keep, stop and delete."""
    with gr.Column(visible=False, elem_id="stop_ask") as ask:
        gr.Markdown(t("train_stop_ask"))
        with gr.Row():
            answers = {
                "go_on": gr.Button(t("train_go_on"), elem_id="go_on"),
                "keep": gr.Button(t("train_stop_keep"), variant="primary", elem_id="stop_keep"),
                "delete": gr.Button(t("train_stop_delete"), variant="stop", elem_id="stop_delete"),
            }
    return ask, answers


def _wire_watching(chosen: Chosen, side: RunSide, curves: gr.Accordion) -> None:
    drawn = _drawn(side)
    curves_open = gr.State(False)

    def watch(run_id: str, seen: dict, curves_open: bool, request: gr.Request):
        if not run_id:
            return gr.skip()
        try:
            run = runs.get(run_id)
        except UserError:
            return gr.skip()
        updates = draw(side, run, seen, language(request))
        if not curves_open:  # a plot costs the browser as much as all the rest, seen or not
            updates = {
                one: new for one, new in updates.items() if one not in (side.rate, side.norm)
            }
        return updates or gr.skip()

    inputs = [chosen.run, side.seen, curves_open]
    curves.expand(lambda: (True, {}), None, [curves_open, side.seen], **QUICK)
    curves.collapse(lambda: False, None, curves_open, **QUICK)
    # A timer of its own: each tick costs the browser work for every component that it may change.
    watching = gr.Timer(2, active=False)
    watching.tick(watch, inputs, drawn, **QUICK)

    def turn_to(run_id: str, request: gr.Request):
        closed = {side.ask: gr.Column(visible=False), side.said: cards.nothing()}
        try:
            run = runs.get(run_id)
        except UserError:
            hidden = {side.box: gr.Column(visible=False), watching: gr.Timer(active=False)}
            return closed | hidden | {side.seen: {}}
        shown = closed | {side.box: gr.Column(visible=True), watching: gr.Timer(active=True)}
        return shown | draw(side, run, {}, language(request))

    chosen.run.change(
        turn_to,
        chosen.run,
        [*drawn, side.box, side.ask, side.said, watching],
        **QUICK,
    )


def _drawn(side: RunSide) -> list:
    """The components that `draw` may change."""
    others = ("box", "said", "ask", "line")
    return [getattr(side, one) for one in side.__slots__ if one not in others] + side.line.drawn()


def draw(side: RunSide, run: Run, seen: dict, lang: str) -> dict:
    """Updates for what has changed since `seen`; {} when nothing has."""
    now = {name: _size(run, name) for name in _FILES}
    # A process may outlive its last word by a moment, hence `alive` beside the state.
    now |= {"run": run.id, "name": run.name, "written": run.updated_at, "language": lang}
    now["buttons"] = (run.state, run.alive, run.has_adapter, *runs_line.standing(run))
    if now == seen and not run.alive:
        return {}
    fresh = (seen.get("run"), seen.get("language")) != (run.id, lang)
    metrics = run.metrics()
    updates = {side.seen: now, side.card: run_views.progress(run, metrics, lang)}
    grown = fresh or now["metrics.jsonl"] != seen.get("metrics.jsonl")
    if grown:
        updates |= _curves(side, metrics, lang)
    if grown or now["buttons"] != seen.get("buttons"):
        updates[side.memory] = run_views.memory(metrics, run.alive, lang)
    if fresh or now["samples.jsonl"] != seen.get("samples.jsonl"):
        updates[side.answers] = timeline.html(run, lang)
    if fresh or any(now[name] != seen.get(name) for name in ("learned.json", "buttons")):
        updates[side.learned] = learned_card.html(run, lang)
    if fresh or now["train.log"] != seen.get("train.log"):
        updates[side.log] = run_views.log(run, lang)
    if fresh or now["buttons"] != seen.get("buttons"):
        updates |= _buttons(side, run)
        updates[side.command] = command.shown(run.path, run.config, run.gpu_ids)
    return updates


def _size(run: Run, name: str) -> int:
    path = run.path / name
    return path.stat().st_size if path.is_file() else 0


def _curves(side: RunSide, metrics: list[dict], lang: str) -> dict:
    frame = plots.loss_frame(metrics, lang)
    smoothed = smooth(points(metrics, "loss"))
    return {
        side.loss: frame,
        side.loss_says: run_views.plot_says(smoothed, lang),
        side.rate: plots.single_frame(metrics, "learning_rate"),
        side.norm: plots.single_frame(metrics, "grad_norm"),
    }


def _buttons(side: RunSide, run: Run) -> dict:
    return side.line.of(run) | {
        side.stop: gr.Button(
            visible=run.alive and run.state != "queued", interactive=run.state != "stopping"
        ),
        side.resume: gr.Button(visible=run.can_resume),
        side.talk: gr.Button(visible=run.has_adapter and not run.alive),
    }


def _wire_buttons(chosen: Chosen, side: RunSide, answers: dict[str, gr.Button]) -> None:
    def keep(run_id: str, request: gr.Request):
        return _try(launch.stop, run_id, request), *_asking(False)

    def delete(run_id: str, request: gr.Request):
        said = _try(launch.stop_and_delete, run_id, request)
        if said != cards.nothing():
            return gr.skip(), said, *_asking(False)
        gr.Info(say("train_deleted", language(request)))
        return "", said, *_asking(False)

    def resume(run_id: str, request: gr.Request):
        return _try(launch.resume, run_id, request), {}

    def talk(run_id: str):
        return [BASE, run_id], gr.Tabs(selected="chat")

    def redraw(run_id: str, lang: str) -> dict:
        return draw(side, runs.get(run_id), {}, lang)

    runs_line.wire(side.line, chosen.run, side.said, redraw, _drawn(side))
    side.stop.click(lambda: _asking(True), None, [side.ask, side.stop], **QUICK)
    answers["go_on"].click(lambda: _asking(False), None, [side.ask, side.stop], **QUICK)
    answers["keep"].click(keep, chosen.run, [side.said, side.ask, side.stop], **QUIET)
    answers["delete"].click(
        delete,
        chosen.run,
        [chosen.run, side.said, side.ask, side.stop],
        api_visibility="private",
    )
    side.resume.click(resume, chosen.run, [side.said, side.seen], **QUIET)
    side.talk.click(talk, chosen.run, [chosen.voices, chosen.tabs], **QUIET)
    side.another.click(lambda: "", None, chosen.run, **QUIET)


def _asking(visible: bool) -> tuple[gr.Column, gr.Button]:
    """The question takes the place of the button that asks it."""
    return gr.Column(visible=visible), gr.Button(visible=not visible)


def _try(action, run_id: str, request: gr.Request) -> str:
    """Does it; what it complains about becomes a sentence."""
    try:
        action(run_id)
    except UserError as error:
        return cards.sentence(error.sentence.in_language(language(request)))
    return cards.nothing()
