"""The strip under all tabs: what runs, what is loaded, memory used and freed, and that models make what is seen."""

from __future__ import annotations

import html
from collections.abc import Callable
from contextlib import suppress

import gradio as gr

from studio.catalog import variants
from studio.errors import StudioError
from studio.i18n import text
from studio.jobs.job import Job
from studio.paths import gigabytes
from studio.results import Update
from studio.status import ManagerStatus, Resident, Status
from tabs import TABS
from tabs.models.memory_bars import shares
from tabs.shared import job_progress
from tabs.shared.context import TAB_OF, Page
from tabs.shared.events import quick
from tabs.shared.i18n import language, t
from tabs.shared.model_picker import files_mark
from tabs.shell import queue_panel

SECONDS = 1.5


def build(page: Page) -> None:
    """Add the strip to the page."""
    with gr.Row(elem_id="strip"):
        strip = gr.HTML(elem_id="strip-text")
        free = gr.Button(t("page.free_memory"), size="sm", elem_id="free-memory", min_width=0, scale=0,
            visible=not page.studio.settings.public,
        )  # fmt: skip
        halt = gr.Button(visible="hidden", elem_id="strip-halt", elem_classes="a-hidden")
        halted = gr.Textbox(visible="hidden", elem_classes="a-hidden")
    queue_panel.build(page)
    shown: dict[str, str] = {}

    def ours(job: Job, request: gr.Request) -> bool:
        """On one's own machine also the job of another browser."""
        return queue_panel.seen(page.studio, job.session) is None or job.session == page.who(request)

    def draw(request: gr.Request) -> str:
        return render(page.studio.status(), page, language(request), lambda job: ours(job, request)) + files_mark(
            page.studio, "now"
        )

    def tick(request: gr.Request) -> object:
        """The strip's text, or nothing where it has not changed: an idle page sends and draws nothing."""
        now = draw(request)
        key = str(request.session_hash)
        if shown.get(key) == now:
            return gr.skip()
        if len(shown) > 500:
            shown.clear()
        shown[key] = now
        return now

    def empty(request: gr.Request) -> str:
        with suppress(StudioError):  # strangers do not see the button, and press it all the same
            page.studio.models.unload()
        return draw(request)

    def stop(id: str, request: gr.Request) -> None:
        for job in page.studio.jobs():
            if job.id == id and ours(job, request):
                job.cancel()

    halt.click(stop, halted, None, js="() => atelier.halting", **quick())
    page.localised(tick, None, strip)
    gr.Timer(SECONDS).tick(tick, None, strip, **quick())
    free.click(empty, None, strip, **quick())


def render(status: Status, page: Page, language: str, ours: Callable[[Job], bool] = lambda _: True) -> str:
    """The strip as HTML. A job that is not `ours` leads nowhere and cannot be stopped."""
    # A job may have ended since the status was taken; what it ended with stands in its tab.
    now = [(job, job.snapshot()) for job in status.running]
    parts = [_job(job, update, language, ours(job)) for job, update in now if not update.final]
    parts = parts or [f'<span class="a-idle">{text("page.idle", language)}</span>']
    parts.append(queue_panel.button(status, page.studio, language))
    devices = "".join(_device(device, status, page, language) for device in status.devices)
    label = html.escape(text("models.open", language), quote=True)
    opening = f'class="a-strip-models" data-models aria-haspopup="dialog" title="{label}"'
    notice = (
        f'<span class="a-made">{text("page.made_by_ai", language)}'
        f'<span class="a-made-more">{text("page.made_by_ai_more", language)}</span></span>'
    )
    return "".join(parts) + f'<button type="button" {opening}>{devices}</button>{notice}'


def _job(job: Job, update: Update, language: str, ours: bool) -> str:
    """A line that leads to the job's tab, and its own Stop (assets/page/jobs.js)."""
    kinds = {"download": "page.downloading_model", "load": "page.loading_model"}
    name = html.escape(text(kinds.get(job.task, f"tab.{job.task}"), language))
    title = f" {html.escape(variants.called(job.model, job.title, language))}" if job.task in kinds else ""
    line = f"{name}{title}: {job_progress.progress(update, language)}"
    tab = TAB_OF.get(job.task, job.task)
    if tab not in TABS or not ours:
        return f'<span class="a-job">{line}</span>'
    stop = html.escape(text("page.stop", language), quote=True)
    halt = f'<button type="button" class="a-strip-stop" data-halt="{job.id}" aria-label="{stop}: {name}"></button>'
    share = "" if not update.steps else f' data-share="{round(100 * update.step / update.steps)}"'
    return (
        f'<span class="a-job" data-job="{job.id}" data-tab="{tab}"{share}>'
        f'<button type="button" class="a-strip-job" data-goto="{tab}">{line}</button>{halt}</span>'
    )


def _device(device: ManagerStatus, status: Status, page: Page, language: str) -> str:
    there = [model for model in device.models if model.state not in ("parking", "parked")]
    parked = [model for model in device.models if model not in there]
    parts = []
    for key, models in (("page.loaded", there), ("page.parked", parked)):
        if models:
            names = ", ".join(_resident(page, model, language) for model in models)
            said = text(key, language, count=len(models), names=names)
            parts.append(f'<span class="a-strip-names">{said}</span>')
    used, total = f"{max(device.total - device.free, 0) / 1e9:.1f}", gigabytes(device.total)
    kind = text("page.memory" if device.device.kind == "cpu" else "page.gpu_memory", language)
    divided = shares(device, status)
    kept = min(divided.work / max(device.total, 1), 1) * 100
    share = min(max((device.total - divided.free) / max(device.total, 1), 0), 1) * 100 - kept
    bar = (
        f'<span class="a-gauge" aria-hidden="true"><span style="width:{share:.0f}%"></span>'
        f'<span class="a-kept" style="width:{kept:.0f}%"></span></span>'
    )
    memory = f"{bar} {text('page.used', language, kind=kind, used=used, total=total)}"
    return "".join([*parts, f"<span>{memory}</span>"])


def _resident(page: Page, model: Resident, language: str) -> str:
    title = html.escape(page.title(model.key, language))
    if model.seconds_left is None:
        return title
    minutes = max(round(model.seconds_left / 60), 1)
    return f'<span title="{text("page.frees_in", language, count=minutes)}">{title}</span>'
