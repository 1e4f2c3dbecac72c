"""Colours and type of Gradio's own parts; style.css has the rest. The font comes with Gradio: nothing is fetched."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.themes.utils import colors, fonts, sizes

INK = colors.Color(
    name="ink", c50="#faf9f6", c100="#f3f1ec", c200="#e6e3dc", c300="#d2cec5", c400="#a19c92", c500="#757068",
    c600="#57534c", c700="#3d3a35", c800="#282623", c900="#1c1b19", c950="#131211",
)  # fmt: skip
"""Warm greys: paper and ink."""
SAFE = colors.Color(
    name="safe", c50="#effaf7", c100="#d5f1ea", c200="#aee2d6", c300="#7dccbd", c400="#4cb0a0", c500="#2a9485",
    c600="#16766b", c700="#135f57", c800="#134c47", c900="#123f3b", c950="#062523",
)  # fmt: skip
"""The safe stream's green."""


def theme() -> Any:
    """Return the theme."""
    # Gradio's semibold files hold a few letters only, so bold stands in for them.
    font = (fonts.LocalFont("IBM Plex Sans", weights=(400, 700)), "ui-sans-serif", "system-ui", "sans-serif")
    mono = (fonts.LocalFont("IBM Plex Mono", weights=(400,)), "ui-monospace", "monospace")
    base = gr.themes.Base(
        primary_hue=SAFE, secondary_hue=SAFE, neutral_hue=INK, radius_size=sizes.radius_md,
        spacing_size=sizes.spacing_lg, font=font, font_mono=mono,
    )  # fmt: skip
    return base.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_900",
        body_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_padding="0px",
        block_shadow="none",
        block_label_background_fill="transparent",
        block_title_text_weight="600",
        block_title_text_color="*neutral_900",
        block_title_text_color_dark="*neutral_100",
        input_background_fill="white",
        input_background_fill_dark="*neutral_900",
        input_border_width="1px",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_700",
        input_border_color_focus="*primary_600",
        input_border_color_focus_dark="*primary_400",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        button_secondary_background_fill="white",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_dark="*neutral_900",
        button_secondary_background_fill_hover_dark="*neutral_800",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_700",
        button_border_width="1px",
    )
