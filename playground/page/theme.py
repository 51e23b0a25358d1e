"""Gradio's theme: its CSS variables, set to those of assets/css/theme.css."""

from __future__ import annotations

from pathlib import Path

from gradio.themes import Base

CSS = Path(__file__).resolve().parents[2] / "assets" / "css" / "theme.css"

VARIABLES = {
    "body_background_fill": "var(--tp-page)",
    "body_text_color": "var(--tp-ink)",
    "body_text_color_subdued": "var(--tp-muted)",
    "background_fill_primary": "var(--tp-page)",
    "background_fill_secondary": "var(--tp-panel)",
    "border_color_primary": "var(--tp-line)",
    "border_color_accent": "var(--tp-accent)",
    "color_accent_soft": "var(--tp-panel)",
    "block_background_fill": "transparent",
    "block_border_color": "var(--tp-line)",
    "block_label_background_fill": "transparent",
    "block_label_text_color": "var(--tp-muted)",
    "block_title_text_color": "var(--tp-ink)",
    "panel_background_fill": "var(--tp-panel)",
    "input_background_fill": "var(--tp-page)",
    "input_border_color": "var(--tp-line)",
    "input_border_color_focus": "var(--tp-accent)",
    "slider_color": "var(--tp-accent)",
    "link_text_color": "var(--tp-accent)",
    "link_text_color_hover": "var(--tp-accent)",
    "button_primary_background_fill": "var(--tp-accent)",
    "button_primary_background_fill_hover": "var(--tp-accent)",
    "button_primary_text_color": "var(--tp-accent-ink)",
    "button_secondary_background_fill": "var(--tp-page)",
    "button_secondary_background_fill_hover": "var(--tp-panel)",
    "button_secondary_text_color": "var(--tp-ink)",
    "button_secondary_border_color": "var(--tp-line)",
}
"""Gradio's variables, equal in light and dark mode; the page's own variables differ between the modes."""


def theme() -> Base:
    """The theme, with system fonts so that none is downloaded."""
    base = Base(
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"],
        font_mono=["ui-monospace", "Menlo", "Consolas", "monospace"],
    )
    both = VARIABLES | {f"{name}_dark": value for name, value in VARIABLES.items()}
    return base.set(
        **both,
        block_border_width="0px",
        block_shadow="none",
        block_shadow_dark="none",
        block_padding="0",
        block_radius="8px",
        button_border_width="1px",
        button_large_radius="8px",
        button_small_radius="8px",
        input_radius="8px",
        input_shadow="none",
        input_shadow_dark="none",
        layout_gap="1.25rem",
    )
