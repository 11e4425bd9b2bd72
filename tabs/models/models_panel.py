"""The panel of models: what every model is doing, what it takes, and what can be done about it.

It opens over the page and is drawn by assets/page/models.js, which asks once a second while it is open and not at all
otherwise; an answer that would change nothing is not sent. What a row says is in tabs.models.model_row, the memory in
tabs.models.memory_bars.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import gradio as gr

from studio.catalog import variants
from studio.errors import StudioError
from studio.i18n import text
from studio.jobs.job import Job
from studio.keys import Keys
from studio.requests import TASKS
from studio.status import ModelInfo
from tabs.models import memory_bars, model_row
from tabs.models.adding import Adding
from tabs.models.model_row import Entry
from tabs.shared import job_progress
from tabs.shared.context import Page
from tabs.shared.events import quick
from tabs.shared.i18n import cookies, language
from tabs.shared.identity import SESSION

_FILTERS = ("all", "here", "memory")
_FIXED = (
    "title", "close", "show", "none_here", "none_memory", "restarting", "restart_late", "add_title", "add_what",
    "add_example", "add_look", "add_drop", "find_title", "find_here", "find_folder", "find_look",
)  # fmt: skip
_ASKED = ("download", "load")
"""Jobs that the panel's buttons begin."""
_BROWSERS = 500
"""Pages whose last answer is remembered."""


def build(page: Page) -> None:
    """Add what the panel talks through; it has nothing of its own to see."""
    panel = Panel(page)
    order = gr.Textbox(visible="hidden", elem_id="models-order", elem_classes="a-hidden")
    shown = gr.Textbox(visible="hidden", elem_id="models-shown", elem_classes="a-hidden")
    obey = gr.Button(visible="hidden", elem_id="models-obey", elem_classes="a-hidden")
    obey.click(panel.obey, order, shown, js="() => [atelier.models.order()]", **quick()).then(
        None, shown, None, js="(news) => atelier.models.draw(news)", **quick()
    )


class Panel:
    """What the panel shows, and what it is told to do."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._sent: dict[str, str] = {}
        self._failed: dict[str, StudioError] = {}
        self._adding = Adding(page.studio)
        settings = page.studio.settings
        self._keys = Keys(page.studio.home.keys, settings.api_key.get_secret_value())

    @property
    def acts(self) -> bool:
        """Whether people may do more than look: what is in memory and on disk is everybody's."""
        return not self._page.studio.settings.public

    @property
    def restarts(self) -> bool:
        """Whether the studio can be started again from the page."""
        return self._page.studio.settings.profile == "local" and self._page.restart is not None

    def obey(self, order: str, request: gr.Request) -> Any:
        """Do what a button says ("load ID"; "look" does nothing) and answer with the panel, where it has changed."""
        what, _, model = (order or "look").partition(" ")
        who, spoken = str(request.session_hash), language(request)
        if len(self._sent) > _BROWSERS:
            self._sent.clear()
            self._failed.clear()
        if what != "look":
            self._failed.pop(who, None)
        try:
            self._do(what, model, request)
        except StudioError as error:
            self._failed[who] = error
        now = self.draw(spoken, self._failed.get(who))
        if self._adding.open:
            now["adding"] = self._adding.draw(who, spoken)
        key = json.dumps(now, ensure_ascii=False)
        if self._sent.get(who) == key:
            return gr.skip()
        self._sent[who] = key
        return json.dumps({"now": time.time(), **now}, ensure_ascii=False)

    def draw(self, spoken: str, failed: StudioError | None = None) -> dict[str, Any]:
        """The whole panel: pieces of HTML, and rows by their model's id."""
        studio, now = self._page.studio, time.time()
        status = studio.status()

        def title(key: str) -> str:
            return self._page.title(key, spoken)

        entries = self.entries(studio.models.list())
        groups = []
        for task in TASKS:
            rows = [self._row(one, spoken, now) for one in entries if one.info.card.tasks[0] == task]
            if rows:
                groups.append({"task": task, "title": text(f"tab.{task}", spoken), "rows": rows})
        return {
            "words": {name: text(f"models.{name}", spoken) for name in _FIXED},
            "filters": {name: text(f"models.{name}", spoken) for name in _FILTERS},
            "said": job_progress.failure(failed, spoken) if failed else "",
            "memory": memory_bars.draw(status, spoken, self.restarts, title),
            "groups": groups,
            "programs": self._programs(spoken),
            "gone": memory_bars.departures(status, title, spoken),
        }

    def _programs(self, spoken: str) -> str:
        """How other programs reach the studio (docs/api.md); the browser knows the address. Empty where they do not."""
        settings = self._page.studio.settings
        if settings.public and not self._keys.any:
            return ""
        return text(
            "models.programs_key" if settings.public or settings.password.get_secret_value() else "models.programs",
            spoken,
        )

    def entries(self, models: Sequence[ModelInfo]) -> list[Entry]:
        """Each model with its jobs; variants of it that are in memory, or were to be, follow it."""
        jobs, found = self._page.studio.jobs(), list[Entry]()
        for info in models:
            sisters = [_entry(one, jobs) for one in info.variants]
            found += [_entry(info, jobs), *(one for one in sisters if one.state not in ("disk", "absent", "partial"))]
        return found

    # ---- doing

    def _do(self, what: str, model: str, request: gr.Request) -> None:
        studio, who = self._page.studio, self._page.who(request)
        if what == "look" or self._adding.do(what, model, str(request.session_hash)):
            return
        if not self.acts:
            raise StudioError("not_for_public")
        match what:
            case "load" | "bring_back":
                studio.models.load(model, who)
            case "unload":
                studio.models.unload(studio.catalog.get(model).id)
            case "pin" | "unpin":
                studio.models.pin(model, what == "pin")
            case "delete":
                studio.models.delete(model)
            case "download" | "resume":
                studio.models.download(model, who)
            case "from_hub" | "from_mirror" | "from_modelscope":
                studio.models.download(model, who, origin=what.removeprefix("from_"))
            case "newest":
                studio.models.download(model, who, newest=True)
            case "cancel":
                for job in studio.jobs():
                    if job.task in _ASKED and job.model == model:
                        job.cancel()
            case "again":
                self._again(model, who)
            case "restart":
                self._restart(request)

    def _again(self, model: str, who: str) -> None:
        """A download or a load that failed, once more and at once."""
        studio = self._page.studio
        studio.models.try_again(model)
        job = _newest(studio.jobs(), model)
        (studio.models.download if job is not None and job.task == "download" else studio.models.load)(model, who)

    def _restart(self, request: gr.Request) -> None:
        """Start the studio again: only for a browser that has been here before, on one's own machine."""
        if not self.restarts or self._page.restart is None or SESSION not in cookies(request):
            raise StudioError("not_for_public")
        self._page.restart()

    # ---- showing

    def _row(self, entry: Entry, spoken: str, now: float) -> dict[str, Any]:
        info = entry.info
        return {
            "id": info.card.id,
            "title": variants.title(info.card, spoken),
            "state": entry.state,
            "here": (info.state != "absent" and not info.card.host) or entry.state in ("queued", "downloading"),
            "memory": info.resident is not None and info.card.has_files,
            "html": model_row.draw(entry, spoken, now, self.acts, self._adding.open),
        }


def _entry(info: ModelInfo, jobs: Sequence[Job]) -> Entry:
    told = [(job, job.snapshot()) for job in jobs if job.model == info.card.id]
    now = [update for _, update in told if not update.final]
    asked = [update for job, update in told if job.task in _ASKED and not update.final]
    last = [update for job, update in told[-1:] if job.task in _ASKED]  # what came after it has settled it
    fetching = [update for update in now if update.kind == "downloading"]
    loading = next((update for update in now if update.kind == "loading"), None)
    return Entry(info, next(iter([*fetching, *asked, *last]), None), loading)


def _newest(jobs: Sequence[Job], model: str) -> Job | None:
    """The last job that was to fetch a model or to bring it into memory."""
    return next((job for job in reversed(jobs) if job.task in _ASKED and job.model == model), None)
