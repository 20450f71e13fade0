"""The components of the Export tab: one choice, and a row for each way out."""

from dataclasses import dataclass

import gradio as gr

from engine.export import made
from engine.export.client import HUB
from engine.export.plan import DTYPES, QUANTIZATIONS
from ui import cards
from ui.export_rows import WAYS
from ui.text import t


@dataclass(frozen=True, slots=True)
class Way:
    """One way out. `zip` is None where nothing lies on the disk to be fetched; `stop` where there
    is nothing to stop."""

    head: gr.HTML
    go: gr.Button
    stop: gr.Button | None
    zip: gr.Button | None
    said: gr.HTML


@dataclass(frozen=True, slots=True)
class Parts:
    """What handlers read and write."""

    listed: gr.State  # a stamp of the runs that can be chosen
    seen: gr.State  # a stamp of what is shown of the chosen one
    plan: gr.State  # what the ways need, None while it is not known
    watching: gr.Timer
    run: gr.Dropdown
    facts: gr.HTML
    notice: gr.HTML
    rows: gr.Column
    ways: dict[str, Way]
    dtype: gr.Dropdown
    quantization: gr.Dropdown
    what: gr.Dropdown
    repo_id: gr.Textbox
    token: gr.Textbox
    public: gr.Checkbox
    file: gr.DownloadButton


def lay_out() -> Parts:
    parts: dict = {
        "listed": gr.State(""),
        "seen": gr.State(""),
        "plan": gr.State(None),
        "watching": gr.Timer(1, active=False),
    }
    with gr.Row(elem_id="export_choice"):
        parts["run"] = gr.Dropdown(
            [], value=None, label=t("export_run"), info=t("export_run_help"), elem_id="export_run"
        )
        parts["facts"] = _html("export_facts")
    parts["notice"] = _html("export_notice")
    ways: dict[str, Way] = {}
    with gr.Column(visible=False, elem_id="export_rows") as parts["rows"]:
        for way in WAYS:
            with gr.Column(elem_classes="export-row"):
                ways[way] = _way(way, parts)
    parts["file"] = gr.DownloadButton("zip", visible="hidden", elem_id="export_file")
    return Parts(ways=ways, **parts)


def _way(way: str, parts: dict) -> Way:
    stop = zipped = None
    with gr.Row():
        head = gr.HTML(elem_id=f"export_{way}_head", elem_classes=["bare", "export-about"])
        if way == "merged":
            named = [(t("export_dtype_auto"), "auto"), *((one, one) for one in DTYPES[1:])]
            parts["dtype"] = _choice("dtype", named)
        if way == "gguf":
            named = [(t("export_q8_0") if one == "q8_0" else one, one) for one in QUANTIZATIONS]
            parts["quantization"] = _choice("quantization", named)
        if way != HUB:
            go, stop, zipped = _buttons(way)
    if way == HUB:
        with gr.Row():
            _hub_fields(parts)
            go, stop, zipped = _buttons(way)
    return Way(head, go, stop, zipped, _html(f"export_{way}_said"))


def _buttons(way: str) -> tuple[gr.Button, gr.Button | None, gr.Button | None]:
    stop = zipped = None
    if way in made.KINDS:
        zipped = gr.Button(t("export_zip"), visible=False, elem_id=f"export_zip_{way}")
    if way != "adapter":
        stop = gr.Button(t("export_stop"), visible=False, elem_id=f"export_stop_{way}")
    go = gr.Button(t(f"export_{way}"), variant="primary", elem_id=f"export_{way}")
    return go, stop, zipped


def _hub_fields(parts: dict) -> None:
    named = [(t(f"export_{one}_title"), one) for one in ("adapter", *made.KINDS)]
    parts["what"] = _choice("what", named)
    parts["repo_id"] = gr.Textbox(
        label=t("export_repo_id"),
        placeholder="name/my-adapter",
        elem_id="export_repo_id",
        elem_classes="export-wide",
    )
    parts["token"] = gr.Textbox(
        label=t("export_token"),
        placeholder=t("export_token_hint"),
        type="password",
        elem_id="export_token",
        elem_classes="export-wide",
    )
    parts["public"] = gr.Checkbox(
        False, label=t("export_public"), elem_id="export_public", elem_classes="export-field"
    )


def _choice(name: str, named: list) -> gr.Dropdown:
    return gr.Dropdown(
        named,
        value=named[0][1],
        label=t(f"export_{name}"),
        elem_id=f"export_{name}",
        elem_classes="export-field",
    )


def _html(elem_id: str) -> gr.HTML:
    return gr.HTML(cards.nothing(), elem_id=elem_id, elem_classes="bare")
