"""The whole page: header, tabs, strip, and what they share."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from importlib import import_module
from typing import Any

import gradio as gr

from studio.i18n import table, text
from studio.service import Studio
from tabs import TABS
from tabs.library import wiring
from tabs.models import models_panel
from tabs.shared.context import Page
from tabs.shared.failing import speak
from tabs.shared.i18n import language, t
from tabs.shared.taking import Taker
from tabs.shell import bundle, endpoints, relabel, remember, status
from tabs.shell.bundle import FILES
from tabs.shell.lazy_tabs import LazyBlocks


def build(studio: Studio, restart: Callable[[], None] | None = None, takers: list[Taker] | None = None) -> gr.Blocks:
    """The page for a studio. Nothing is loaded until somebody asks for something.

    Args:
        restart: starts the whole studio again; None where it cannot be done.
        takers: filled with what the tabs take up of the library.
    """
    with LazyBlocks(
        title=text("app.name"), analytics_enabled=False, fill_width=True, delete_cache=(3600, 86400)
    ) as blocks:
        page = Page(studio, blocks, restart=restart, takers=takers if takers is not None else [])
        with gr.Row(elem_id="head"):
            gr.HTML(f"<h1>{html.escape(text('app.name'))}</h1>", elem_id="brand")
            head = gr.HTML(_head("en", page), elem_id="switches")
        with gr.Tabs(elem_id="tabs", selected=TABS[0]) as tabs:
            page.tabs = tabs
            built = {name: _tab(name, page) for name in TABS}
        for name in TABS[1:]:
            blocks.defer(built[name], gr.Button(visible="hidden", elem_id=f"open-{name}", elem_classes="a-hidden"))
        status.build(page)
        models_panel.build(page)
        for wire in page.on_ready:
            wire()
        wiring.build(page)
        endpoints.build(page)
        t("page.undo_replaced")  # said by assets/page/keep.js
        for key in ("page.drop", "page.dropping", "page.dropped", "error.not_recognised.what"):
            t(key)  # said by assets/page/drop.js
        for key in filter(lambda key: key.startswith("gradio."), table("en")):
            t(key)  # said by assets/page/titles.js

        def localised(request: gr.Request) -> str:
            return _head(language(request), page)

        for name, tab in built.items():
            remember.wire(page, name, tab)
            relabel.wire(page, tab)
        page.localised(localised, None, head)
    speak(blocks)
    for block in blocks.blocks.values():
        block.keep_in_cache |= block.temp_files  # an example's picture belongs to the page and is no older than it
    return blocks


def launch_options(studio: Studio) -> dict[str, Any]:
    """What `Blocks.launch` needs to show the page as it is meant."""
    from tabs.shared.i18n import labels
    from tabs.shell.theme import Theme

    return {
        "theme": Theme(),
        "i18n": labels(),
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


def _tab(name: str, page: Page) -> gr.Tab:
    with gr.Tab(t(f"tab.{name}"), id=name, elem_id=f"tab-{name}", elem_classes=f"a-tab-{name}") as tab:
        import_module(f"tabs.{name}.tab").build(page)
    return tab


def _head(language: str, page: Page) -> str:
    other, name = ("zh-CN", "中文") if language == "en" else ("en", "English")
    theme = html.escape(text("page.theme", language))
    switch = html.escape(text("page.language", language))
    panel = html.escape(text("models.open", language))
    library = '<button type="button" class="a-switch" data-library aria-haspopup="dialog">{}</button>'
    shelf = library.format(html.escape(text("library.open", language))) if page.studio.archive is not None else ""
    how, parts = html.escape(text("page.lab", language)), (*bundle.lab(), bundle.sheets()["painted.webp"])
    files = " ".join(one.name for one in parts)
    lab = f'<button type="button" class="a-switch" data-lab="{files}" aria-haspopup="dialog">{how}</button>'
    attributes = f"data-language={json.dumps(other)} lang={json.dumps(other)}"
    return (
        f'<button type="button" class="a-switch" {attributes} aria-label="{switch}: {name}">{name}</button>'
        f'<button type="button" class="a-switch a-theme" data-theme-switch aria-label="{theme}" '
        f'title="{theme}"></button>{lab}{shelf}'
        f'<button type="button" class="a-switch" data-models aria-haspopup="dialog">{panel}</button>'
    )
