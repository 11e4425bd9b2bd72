"""The whole page: header, tabs, strip, and what they share."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from importlib import import_module
from typing import Any

import gradio as gr

from studio.i18n import text
from studio.service import Studio
from tabs import TABS
from tabs.models import models_panel
from tabs.shared.context import Page
from tabs.shared.events import quick
from tabs.shared.failing import speak
from tabs.shared.i18n import language, t
from tabs.shell import status
from tabs.shell.head_scripts import FILES
from tabs.shell.theme import variables

STYLES = ("style.css", "chat.css", "music.css", "captions.css", "models.css")


def build(studio: Studio, restart: Callable[[], None] | None = None) -> gr.Blocks:
    """The page for a studio. Nothing is loaded until somebody asks for something.

    Args:
        restart: starts the whole studio again; None where it cannot be done.
    """
    with gr.Blocks(
        title=text("app.name"), analytics_enabled=False, fill_width=True, delete_cache=(3600, 86400)
    ) as blocks:
        page = Page(studio, blocks, restart=restart)
        with gr.Row(elem_id="head"):
            gr.HTML(f"<h1>{html.escape(text('app.name'))}</h1>", elem_id="brand")
            head = gr.HTML(_head("en"), elem_id="switches")
        with gr.Tabs(elem_id="tabs", selected=TABS[0]) as tabs:
            page.tabs = tabs
            for name in TABS:
                with gr.Tab(t(f"tab.{name}"), id=name, elem_id=f"tab-{name}", elem_classes=f"a-tab-{name}"):
                    import_module(f"tabs.{name}.tab").build(page)
        status.build(page)
        models_panel.build(page)
        listed = gr.HTML(visible="hidden", elem_classes="a-hidden")
        changed = gr.Button(visible="hidden", elem_id="models-changed", elem_classes="a-hidden")
        for wire in page.on_ready:
            wire()

        def localise(request: gr.Request, *chosen: Any) -> list[Any]:
            """Texts that the server writes, in the language of the browser that has just opened the page."""
            spoken = language(request)
            mark = status.files(page, "listed")  # before the lists: what comes meanwhile is then seen as new
            rows = [picker.refresh(spoken, value) for picker, value in zip(page.pickers, chosen, strict=True)]
            return [_head(spoken), mark, *[update for row in rows for update in row]]

        lists = [picker.list for picker in page.pickers]
        outputs = [head, listed, *[part for p in page.pickers for part in (p.list, p.about, p.row)]]
        blocks.load(localise, lists, outputs, **quick())
        changed.click(localise, lists, outputs, **quick())  # files came or went
    speak(blocks)
    for block in blocks.blocks.values():
        block.keep_in_cache |= block.temp_files  # an example's picture belongs to the page and is no older than it
    return blocks


def launch_options(studio: Studio) -> dict[str, Any]:
    """What `Blocks.launch` needs to show the page as it is meant."""
    from tabs.shared.i18n import tables
    from tabs.shell.theme import Theme

    return {
        "theme": Theme(),
        "css": variables() + "".join((FILES / name).read_text(encoding="utf-8") for name in STYLES),
        "i18n": tables(),
        "footer_links": [],
        "run_history": False,
        "favicon_path": str(FILES / "icon.svg"),
        "ssr_mode": False,
        "share": False,
        "show_error": False,
        "mcp_server": False,
        "pwa": False,
        "enable_monitoring": False,
        "max_file_size": studio.settings.max_upload_mb * 1_000_000,
    }


def _head(language: str) -> str:
    other, name = ("zh-CN", "中文") if language == "en" else ("en", "English")
    theme = html.escape(text("page.theme", language))
    switch = html.escape(text("page.language", language))
    panel = html.escape(text("models.open", language))
    attributes = f"data-language={json.dumps(other)} lang={json.dumps(other)}"
    return (
        f'<button type="button" class="a-switch" {attributes} aria-label="{switch}: {name}">{name}</button>'
        f'<button type="button" class="a-switch" data-theme-switch>{theme}</button>'
        f'<button type="button" class="a-switch" data-models aria-haspopup="dialog">{panel}</button>'
    )
