"""The look: two sets of named colours, and what Gradio's own parts take from them.

Every colour on the page is one of these names; assets/page/style.css uses them as `var(--a-name)`. A test
computes the contrast of the pairs in PAIRS, for light and dark.
"""

from __future__ import annotations

import inspect

from gradio.themes import Base, sizes

from tabs import TABS

LIGHT = {
    "page": "#f7f5f1",
    "surface": "#fffdfa",
    "sunken": "#f0ede7",
    "line": "#dcd7cd",
    "line-strong": "#8c8578",
    "text": "#23211d",
    "quiet": "#66605a",
    "accent": "#2c6552",
    "accent-hover": "#235142",
    "on-accent": "#ffffff",
    "accent-soft": "#e2ece7",
    "hue-chat": "#2c6552",
    "hue-image": "#8a3d6b",
    "hue-music": "#3d5a98",
    "hue-code": "#7a5a16",
    "hue-caption": "#5b4b8a",
    "warning": "#a33b17",
    "warning-soft": "#f8e7df",
    "code-word": "#7a3e9d",
    "code-text": "#2c6552",
    "code-number": "#8a4b00",
    "code-name": "#1f5a99",
}
DARK = {
    "page": "#191816",
    "surface": "#211f1d",
    "sunken": "#141312",
    "line": "#37342f",
    "line-strong": "#857e74",
    "text": "#ece8e1",
    "quiet": "#a9a298",
    "accent": "#86c5ac",
    "accent-hover": "#9ad4bd",
    "on-accent": "#10231c",
    "accent-soft": "#24352e",
    "hue-chat": "#86c5ac",
    "hue-image": "#e3a5c6",
    "hue-music": "#a3bdec",
    "hue-code": "#dcbf7f",
    "hue-caption": "#c3b4ee",
    "warning": "#f0a184",
    "warning-soft": "#3a2419",
    "code-word": "#d3a8ec",
    "code-text": "#9ad4bd",
    "code-number": "#e6b878",
    "code-name": "#93c0f0",
}
PAIRS = (
    ("text", "page"), ("text", "surface"), ("text", "sunken"), ("quiet", "page"), ("quiet", "surface"),
    ("quiet", "sunken"), ("accent", "page"), ("accent", "surface"), ("on-accent", "accent"),
    ("on-accent", "accent-hover"), ("accent", "accent-soft"), ("warning", "surface"), ("warning", "warning-soft"),
    ("text", "accent-soft"), ("text", "warning-soft"), ("warning", "page"),
    *(("on-accent", f"hue-{tab}") for tab in TABS), *((f"hue-{tab}", "page") for tab in TABS),
    ("code-word", "surface"), ("code-text", "surface"), ("code-number", "surface"), ("code-name", "surface"),
)  # fmt: skip
"""(ink, ground): combinations that carry text."""

_SANS = ["ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Noto Sans", "Noto Sans CJK SC", "PingFang SC",
         "Microsoft YaHei", "sans-serif"]  # fmt: skip
_MONO = ["ui-monospace", "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", "Noto Sans Mono", "monospace"]


def variables() -> str:
    """The colours as CSS custom properties, for light and for Gradio's `.dark`."""
    light = "".join(f"--a-{name}:{value};" for name, value in LIGHT.items())
    dark = "".join(f"--a-{name}:{value};" for name, value in DARK.items())
    return f":root{{{light}color-scheme:light}}.dark{{{dark}color-scheme:dark}}"


class Theme(Base):
    """Warm neutral greys, one accent, borders instead of shadows, system fonts."""

    def __init__(self) -> None:
        super().__init__(font=_SANS, font_mono=_MONO, text_size=sizes.text_md)
        self.name = "atelier"
        plain = {
            "body_background_fill": "page",
            "body_text_color": "text",
            "body_text_color_subdued": "quiet",
            "background_fill_primary": "surface",
            "background_fill_secondary": "sunken",
            "border_color_primary": "line",
            "border_color_accent": "accent",
            "color_accent_soft": "accent-soft",
            "link_text_color": "accent",
            "link_text_color_hover": "accent-hover",
            "link_text_color_visited": "accent",
            "block_background_fill": "surface",
            "block_border_color": "line",
            "block_label_background_fill": "surface",
            "block_label_border_color": "line",
            "block_label_text_color": "quiet",
            "block_title_text_color": "text",
            "block_info_text_color": "quiet",
            "panel_background_fill": "surface",
            "panel_border_color": "line",
            "input_background_fill": "surface",
            "input_background_fill_focus": "surface",
            "input_border_color": "line",
            "input_border_color_focus": "accent",
            "input_border_color_hover": "line-strong",
            "input_placeholder_color": "quiet",
            "checkbox_background_color": "surface",
            "checkbox_background_color_selected": "accent",
            "checkbox_border_color": "line-strong",
            "checkbox_border_color_selected": "accent",
            "checkbox_label_background_fill": "surface",
            "checkbox_label_background_fill_hover": "sunken",
            "checkbox_label_background_fill_selected": "accent-soft",
            "checkbox_label_border_color": "line",
            "checkbox_label_text_color": "text",
            "checkbox_label_text_color_selected": "text",
            "slider_color": "accent",
            "loader_color": "accent",
            "error_background_fill": "warning-soft",
            "error_border_color": "warning",
            "error_text_color": "warning",
            "error_icon_color": "warning",
            "stat_background_fill": "accent-soft",
            "table_border_color": "line",
            "table_even_background_fill": "surface",
            "table_odd_background_fill": "sunken",
            "code_background_fill": "sunken",
            "button_primary_background_fill": "accent",
            "button_primary_background_fill_hover": "accent-hover",
            "button_primary_border_color": "accent",
            "button_primary_text_color": "on-accent",
            "button_secondary_background_fill": "surface",
            "button_secondary_background_fill_hover": "sunken",
            "button_secondary_border_color": "line",
            "button_secondary_text_color": "text",
            "button_cancel_background_fill": "surface",
            "button_cancel_background_fill_hover": "warning-soft",
            "button_cancel_border_color": "warning",
            "button_cancel_text_color": "warning",
        }
        tokens = {key: f"var(--a-{name})" for key, name in plain.items()}
        flat = {
            "block_shadow": "none", "block_border_width": "1px", "block_radius": "8px", "block_label_radius": "6px",
            "container_radius": "8px", "input_radius": "8px", "input_border_width": "1px", "input_shadow": "none",
            "input_shadow_focus": "none", "button_large_radius": "8px", "button_small_radius": "6px",
            "button_medium_radius": "8px", "button_border_width": "1px", "button_transition": "background 120ms",
            "button_primary_shadow": "none", "button_secondary_shadow": "none", "checkbox_border_radius": "4px",
            "block_title_text_weight": "500", "block_title_text_size": "14px", "block_label_text_size": "13px",
            "block_info_text_size": "13px", "block_padding": "12px", "layout_gap": "12px", "form_gap_width": "0px",
            "section_header_text_weight": "600", "body_text_size": "16px",
        }  # fmt: skip
        twins = {f"{key}_dark": value for key, value in tokens.items()}
        known = {key: value for key, value in (tokens | flat | twins).items() if key in _accepted()}
        self.set(**known)


def _accepted() -> set[str]:
    return set(inspect.signature(Base.set).parameters)
