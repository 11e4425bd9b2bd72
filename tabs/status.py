"""The strip under all tabs: what runs, what is loaded, how much memory is used, and the button that frees it."""

from __future__ import annotations

import html

import gradio as gr

from studio import variants
from studio.i18n import text
from studio.paths import gigabytes
from studio.standing import Status
from tabs import pump
from tabs.i18n import language, t
from tabs.shared import Page, quick

SECONDS = 1.5


def build(page: Page) -> None:
    """Add the strip to the page."""
    with gr.Row(elem_id="strip"):
        strip = gr.HTML(elem_id="strip-text")
        free = gr.Button(t("page.free_memory"), size="sm", elem_id="free-memory", min_width=0, scale=0,
            visible=not page.studio.settings.public,
        )  # fmt: skip
    shown: dict[str, str] = {}

    def tick(request: gr.Request) -> object:
        """The strip's text, or nothing where it has not changed: an idle page sends and draws nothing."""
        now = render(page.studio.status(), page, language(request))
        key = str(request.session_hash)
        if shown.get(key) == now:
            return gr.skip()
        if len(shown) > 500:
            shown.clear()
        shown[key] = now
        return now

    def empty(request: gr.Request) -> str:
        page.studio.unload()
        return render(page.studio.status(), page, language(request))

    page.blocks.load(tick, None, strip, **quick())
    gr.Timer(SECONDS).tick(tick, None, strip, **quick())
    free.click(empty, None, strip, **quick())


def render(status: Status, page: Page, language: str) -> str:
    """The strip as HTML."""
    parts: list[str] = []
    for job in status.running:
        update = job.snapshot()
        name = text("page.downloading_model", language) if job.task == "download" else text(f"tab.{job.task}", language)
        title = f" {html.escape(job.title)}" if job.task == "download" else ""
        parts.append(f'<span class="a-job">{html.escape(name)}{title}: {pump.progress(update, language)}</span>')
    if not parts:
        parts.append(f"<span>{text('page.idle', language)}</span>")
    if status.waiting:
        parts.append(f"<span>{text('page.waiting', language, count=status.waiting)}</span>")
    for device in status.devices:
        names = [_resident(page, model.key, model.seconds_left, language) for model in device.models]
        loaded = text("page.loaded", language, count=len(names), names=", ".join(names)) if names else ""
        used, total = f"{max(device.total - device.free, 0) / 1e9:.1f}", gigabytes(device.total)
        kind = text("page.memory" if device.device.kind == "cpu" else "page.gpu_memory", language)
        share = min(max((device.total - device.free) / max(device.total, 1), 0), 1) * 100
        bar = f'<span class="a-gauge" aria-hidden="true"><span style="width:{share:.0f}%"></span></span>'
        memory = text("page.used", language, kind=kind, used=used, total=total)
        parts.append(f"<span>{loaded}</span><span>{bar} {memory}</span>" if loaded else f"<span>{bar} {memory}</span>")
    return "".join(parts)


def _resident(page: Page, key: str, seconds_left: float | None, language: str) -> str:
    card = page.studio.catalog.find(key)
    title = html.escape(variants.title(card, language) if card else key)
    if seconds_left is None:
        return title
    minutes = max(round(seconds_left / 60), 1)
    return f'<span title="{text("page.frees_in", language, count=minutes)}">{title}</span>'
