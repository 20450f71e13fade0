"""Frames for the live plots: few points, every series named from the first frame.

A LinePlot freezes colours and legend at its first drawing and resends its whole frame at each
tick, hence both rules.
"""

import gradio as gr
import pandas as pd

from engine.training.curves import points, smooth, thin
from ui.text import WORDS, say

COLOURS = {"raw": "#b4b6ac", "smoothed": "#2f8a6a", "eval": "#c8940a"}
SERIES = tuple(COLOURS)


def loss_plot() -> gr.LinePlot:
    """Raw, smoothed and evaluation loss over steps."""
    colours = {
        name: COLOURS[series] for series in SERIES for name in WORDS[f"train_series_{series}"]
    }
    return _plot("loss", "plot_loss", 300, color="series", color_map=colours)


def rate_plot() -> gr.LinePlot:
    return _plot("learning_rate", "plot_rate", 180)


def norm_plot() -> gr.LinePlot:
    return _plot("grad_norm", "plot_norm", 180)


def _plot(y: str, elem_id: str, height: int, **more) -> gr.LinePlot:
    return gr.LinePlot(
        x="step",
        y=y,
        x_title=" ",
        y_title=y,
        color_title=" ",
        x_axis_format="d",
        height=height,
        show_label=False,
        elem_id=elem_id,
        buttons=["fullscreen"],
        **more,
    )


def loss_frame(metrics: list[dict], language: str) -> pd.DataFrame:
    """One frame for all series; a row without a value opens each, so that its colour is known."""
    raw = points(metrics, "loss")
    drawn = {"raw": raw, "smoothed": smooth(raw), "eval": points(metrics, "eval_loss")}
    rows = []
    for series in SERIES:
        name = say(f"train_series_{series}", language)
        rows.append((0, None, name))
        rows += [(step, value, name) for step, value in thin(drawn[series])]
    frame = pd.DataFrame(rows, columns=["step", "loss", "series"])
    return frame.astype({"loss": float})  # without a value yet it would be drawn as names


def single_frame(metrics: list[dict], column: str) -> pd.DataFrame | None:
    """One nameless series; None until there is a point: an empty frame spoils the plot."""
    drawn = thin(points(metrics, column))
    return pd.DataFrame(drawn, columns=["step", column]) if drawn else None
