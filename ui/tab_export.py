"""The Export tab: what was trained leaves as an adapter, a whole model, a GGUF, or to the Hub."""

import shutil

import gradio as gr

from engine.desk import client as desk
from engine.errors import UserError
from engine.export import client, made, zipped
from engine.export.client import HUB
from engine.export.source import of_run
from engine.training import runs
from ui import cards, export_rows, report_view
from ui.chosen import Chosen
from ui.events import LATEST, QUICK, TELLING
from ui.export_parts import Parts, lay_out
from ui.text import language, say

FETCH = "() => document.querySelector('#export_file')?.click()"
_GOING = ("going", "stopping")


def build(chosen: Chosen, looks: list) -> None:
    """`looks`: the events at which the runs are looked at anew."""
    parts = lay_out()
    _wire_choice(parts, chosen, looks)
    _wire_drawing(parts, looks)
    _wire_ways(parts)
    _wire_hub(parts)
    _wire_zips(parts)


def _wire_choice(parts: Parts, chosen: Chosen, looks: list) -> None:
    """The run that the page speaks of comes first; then whatever is chosen here."""

    def listen(voices: list[str], shown: str | None, request: gr.Request):
        return _choices(parts, (*voices, shown), shown, "", language(request))

    def watch(wanted: str, shown: str | None, request: gr.Request):
        return _choices(parts, (wanted, shown), shown, "", language(request))

    def look(voices: list[str], watched: str, shown: str | None, listed: str, request: gr.Request):
        return _choices(parts, (shown, *voices, watched), shown, listed, language(request))

    outputs = [parts.run, parts.rows, parts.facts, parts.listed]
    chosen.voices.change(listen, [chosen.voices, parts.run], outputs, **QUICK)
    chosen.run.change(watch, [chosen.run, parts.run], outputs, **QUICK)
    inputs = [chosen.voices, chosen.run, parts.run, parts.listed]
    gr.on(looks, look, inputs, outputs, **QUICK)


def _choices(parts: Parts, wanted: tuple, shown: str | None, listed: str, lang: str) -> dict:
    """The runs that have an adapter; the first of the `wanted` that is one, else the newest.
    Nothing when they are just those of `listed`; the one `shown` is left alone, for another may
    have been chosen meanwhile."""
    found = [run for run in runs.list_runs() if run.has_adapter]
    ids = [run.id for run in found]
    value = next((one for one in (*wanted, *ids) if one in ids), None)
    now = repr([(run.id, run.name, run.state, run.step) for run in found]) + lang
    if now == listed and value in wanted:
        return {parts.listed: gr.skip()}
    facts = cards.sentence(say("export_empty", lang), "calm")
    if value:
        facts = export_rows.facts(of_run(value), runs.get(value), lang)
    return {
        parts.run: gr.Dropdown(
            [(f"{run.name} ({run.id})", run.id) for run in found],
            **({} if value == shown else {"value": value}),
        ),
        parts.rows: gr.Column(visible=bool(found)),
        parts.facts: facts,
        parts.listed: now,
    }


def _wire_drawing(parts: Parts, looks: list) -> None:
    """The rows follow the run, what is asked of it, and an export that goes on."""

    def draw(run_id: str | None, plan: dict | None, kind: str, seen: str, request: gr.Request):
        return _drawn(parts, run_id, plan, kind, language(request), seen)

    def turn_to(run_id: str | None, kind: str, request: gr.Request):
        lang = language(request)
        updates = _drawn(parts, run_id, None, kind, lang) | {parts.plan: None}
        if run_id:
            updates[parts.facts] = export_rows.facts(of_run(run_id), runs.get(run_id), lang)
        return updates | {parts.notice: cards.nothing()}

    def look_at_needs(run_id: str | None, kind: str, request: gr.Request):
        lang = language(request)
        if not run_id:
            return {parts.plan: None}
        try:
            plan = desk.export_plan(run_id)
        except UserError as error:  # the base cannot be had: the adapter still can leave
            refused = {"refused": list(error.sentence)}
            plan = dict.fromkeys(made.KINDS, refused)
        return _drawn(parts, run_id, plan, kind, lang) | {parts.plan: plan}

    drawn = _outputs(parts)
    turned = parts.run.change(
        turn_to,
        [parts.run, parts.quantization],
        [*drawn, parts.plan, parts.facts, parts.notice],
        **QUICK,
    )
    turned.then(
        look_at_needs, [parts.run, parts.quantization], [*drawn, parts.plan], **TELLING, **LATEST
    )
    inputs = [parts.run, parts.plan, parts.quantization, parts.seen]
    gr.on([parts.quantization.change, parts.watching.tick, *looks], draw, inputs, drawn, **QUICK)


def _outputs(parts: Parts) -> list:
    found = [parts.seen, parts.watching]
    for way in parts.ways.values():
        found += [one for one in (way.head, way.go, way.stop, way.zip, way.said) if one]
    return found


def _drawn(
    parts: Parts, run_id: str | None, plan: dict | None, kind: str, lang: str, seen: str = ""
) -> dict:
    """All rows anew; nothing where they are as `seen`."""
    if not run_id:
        return {parts.seen: gr.skip()}
    try:
        source, run = of_run(run_id), runs.get(run_id)
    except UserError:  # deleted meanwhile; the choice follows within seconds
        return {parts.seen: gr.skip()}
    jobs, busy = client.look(run_id), client.going() is not None
    done = {to: made.facts_of(made.place(run, to)) for to in made.KINDS}
    now = repr((run_id, plan, kind, lang, jobs, busy, done))
    if now == seen:
        return {parts.seen: gr.skip()}
    updates: dict = {parts.seen: now, parts.watching: gr.Timer(active=busy)}
    for name, way in parts.ways.items():
        job = jobs.get(name)
        mine = job is not None and job.state in _GOING
        needs = export_rows.needs(name, source, plan, kind, lang)
        updates[way.head] = export_rows.head(name, needs, lang)
        refused = export_rows.refusal(name, plan) is not None
        updates[way.go] = gr.Button(
            visible=not mine, interactive=name == "adapter" or not (busy or refused)
        )
        updates[way.said] = export_rows.said(name, run, job, lang)
        if way.stop:
            updates[way.stop] = gr.Button(visible=mine, interactive=mine and job.state == "going")
        if way.zip:
            passed = done[name].get("state") == "done"
            updates[way.zip] = gr.Button(visible=passed and not mine)
    return updates


def _wire_ways(parts: Parts) -> None:
    """Merge, write, stop. The work is done elsewhere; the timer then shows how far it is."""

    def begin(way: str):
        def handler(run_id, plan, kind, dtype, request: gr.Request):
            return _tried(parts, run_id, plan, kind, language(request), client.export, way, dtype)

        return handler

    def stop(run_id, plan, kind, request: gr.Request):
        client.stop()
        return _drawn(parts, run_id, plan, kind, language(request))

    shown = [parts.run, parts.plan, parts.quantization]
    outputs = [*_outputs(parts), parts.notice]
    for name in made.KINDS:
        parts.ways[name].go.click(begin(name), [*shown, parts.dtype], outputs, **QUICK)
    for way in parts.ways.values():
        if way.stop:
            way.stop.click(stop, shown, _outputs(parts), **QUICK)


def _tried(parts: Parts, run_id, plan, kind, lang: str, action, *asked) -> dict:
    """Begins; what stands against it at once becomes a sentence above the rows."""
    said = cards.nothing()
    try:
        action(run_id or "", *asked, *([kind] if action is client.export else []))
    except UserError as error:
        said = cards.sentence(error.sentence.in_language(lang))
    return _drawn(parts, run_id, plan, kind, lang) | {parts.notice: said}


def _wire_hub(parts: Parts) -> None:
    """The token goes to the process that uses it; the field is emptied."""

    def push(run_id, plan, kind, what, repo_id, token, public, request: gr.Request):
        asked = (what, repo_id, token, public)
        tried = _tried(parts, run_id, plan, kind, language(request), client.send, *asked)
        return tried | {parts.token: ""}

    shown = [parts.run, parts.plan, parts.quantization]
    fields = [parts.what, parts.repo_id, parts.token, parts.public]
    outputs = [*_outputs(parts), parts.notice, parts.token]
    parts.ways[HUB].go.click(push, [*shown, *fields], outputs, **QUICK)


def _wire_zips(parts: Parts) -> None:
    """Made on demand, then fetched by the browser itself."""

    def pack(way: str):
        said = parts.ways[way].said

        def handler(run_id: str | None, request: gr.Request):
            lang = language(request)
            try:
                run = runs.get(run_id or "")
            except UserError as error:
                yield {said: cards.sentence(error.sentence.in_language(lang))}
                return

            def under(first: str) -> dict:
                return {said: export_rows.said(way, run, None, lang, first)}

            try:
                for step in _packing(way, run):
                    if "file" not in step:
                        yield under(export_rows.doing(step, lang))
                        continue
                    file = step["file"]
                    size = report_view.size(file.stat().st_size)
                    words = say("export_packed", lang, file=file.name, size=size)
                    yield under(cards.sentence(words, "calm")) | {parts.file: str(file)}
                    shutil.rmtree(file.parent)  # Gradio has a copy of its own by now
            except UserError as error:
                yield under(cards.sentence(error.sentence.in_language(lang)))

        return handler

    for name, way in parts.ways.items():
        button = way.go if name == "adapter" else way.zip
        if button:
            ready = button.click(pack(name), parts.run, [parts.file, way.said], **TELLING)
            ready.then(None, None, None, js=FETCH, **QUICK)


def _packing(way: str, run: runs.Run):
    """Steps, and at last {"file"}. Raises UserError."""
    if way == "adapter":
        yield {"doing": "packing"}
        yield {"file": zipped.adapter(run.id)}
        return
    out = made.place(run, way)
    made.require_done(out)
    yield from zipped.exported(out)
