"""How the page looks: the theme, and the CSS that Gradio's themes have no word for.

Colours of our own cards are variables (--g-...), set once for light and once for dark.
"""

import importlib
from pathlib import Path

import gradio as gr
from gradio.themes.utils.colors import Color
from gradio.themes.utils.fonts import Font

CSS_FILE = Path(__file__).with_name("page.css")
FONTS = (
    "system-ui",
    "-apple-system",
    "Segoe UI",
    "Roboto",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "Noto Sans CJK SC",
    "sans-serif",
)
MONO = ("ui-monospace", "SF Mono", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")
GREEN = Color(
    name="green",
    c50="#eff6f2",
    c100="#d6ebe2",
    c200="#b2d8c8",
    c300="#7fbfa5",
    c400="#4fa386",
    c500="#2f8a6a",
    c600="#1f6f54",
    c700="#195a45",
    c800="#144836",
    c900="#0f382b",
    c950="#0a2219",
)
STONE = Color(
    name="stone",
    c50="#fafaf7",
    c100="#f2f2ed",
    c200="#e6e6df",
    c300="#d2d3ca",
    c400="#8f9188",
    c500="#6d6f66",
    c600="#55574f",
    c700="#3d3f39",
    c800="#282a26",
    c900="#1b1d1a",
    c950="#121412",
)
MODULES_WITH_CSS = (
    "ui.base_line",
    "ui.fitting",
    "ui.recipes",
    "ui.runs_table",
    "ui.learned_card",
    "ui.chat_panel",
    "ui.batch_answers",
    "ui.export_rows",
)


def theme() -> gr.themes.Base:
    """Quiet: one deep green, warm greys, thin lines, no shadows."""
    return gr.themes.Base(
        primary_hue=GREEN,
        secondary_hue=GREEN,
        neutral_hue=STONE,
        radius_size=gr.themes.sizes.radius_md,
        font=[Font(name) for name in FONTS],
        font_mono=[Font(name) for name in MONO],
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        background_fill_primary="white",
        background_fill_primary_dark="*neutral_900",
        background_fill_secondary="*neutral_50",
        background_fill_secondary_dark="*neutral_900",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_width="1px",
        block_shadow="none",
        block_title_text_color="*neutral_600",
        block_title_text_color_dark="*neutral_300",
        block_label_text_color_dark="*neutral_300",
        block_info_text_color="*neutral_500",
        block_info_text_color_dark="*neutral_400",
        border_color_primary_dark="*neutral_700",
        input_background_fill="white",
        input_background_fill_dark="*neutral_800",
        input_border_width="1px",
        input_border_color_focus="*primary_500",
        input_border_color_focus_dark="*primary_400",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_secondary_background_fill="white",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_700",
        button_secondary_text_color="*neutral_800",
        button_border_width="1px",
        checkbox_label_background_fill="transparent",
        checkbox_label_background_fill_dark="transparent",
        checkbox_label_background_fill_hover="*neutral_50",
        checkbox_label_background_fill_hover_dark="*neutral_800",
        checkbox_label_background_fill_selected="*primary_50",
        checkbox_label_background_fill_selected_dark="*primary_950",
        checkbox_label_border_color_selected="*primary_500",
        checkbox_label_border_color_selected_dark="*primary_500",
        slider_color="*primary_500",
        table_even_background_fill_dark="*neutral_900",
        table_odd_background_fill_dark="*neutral_900",
    )


def css() -> str:
    """The page's CSS and that of the tabs that bring their own (a module-level `CSS`)."""
    parts = [CSS_FILE.read_text(encoding="utf-8")]
    for name in MODULES_WITH_CSS:
        parts.append(importlib.import_module(name).CSS)
    return "\n".join(parts)
