"""The model picker: the list of a task's models, what they are good for, and their download."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import gradio as gr

from studio.catalog import licence as licences
from studio.catalog import variants
from studio.catalog.card import base_of
from studio.errors import StudioError
from studio.i18n import text
from studio.paths import gigabytes
from studio.requests import Task
from studio.service import Studio
from studio.status import ModelInfo
from tabs.shared import job_progress, other_places
from tabs.shared.context import Page
from tabs.shared.events import pumping, quick
from tabs.shared.i18n import language, t


class ModelPicker:
    """The list of a task's models, a line about the chosen one, and its download where it is not here yet.

    It exists before it stands on the page (`place`): fields ask for it, and it comes below them.
    """

    def __init__(self, page: Page, task: Task) -> None:
        self._page = page
        self.task: Task = task
        choices, value = self.choices("en")
        with gr.Column(elem_classes="a-picker", min_width=0, render=False) as self._column:
            self.list = gr.Dropdown(
                choices, value=value, label=t("page.model"), elem_id=f"{task}-model", filterable=False
            )
            self.about = gr.HTML(self.describe(value, "en"), elem_classes="a-about")
            with gr.Row(elem_classes="a-download", visible=False) as self.row:
                self.get = gr.Button(t("page.download"), size="sm", elem_id=f"{task}-download")
                self.cancel = gr.Button(t("page.cancel"), size="sm", visible=False)
            self.progress = gr.HTML(elem_classes="a-live")
            mark = gr.HTML(visible="hidden", elem_classes="a-hidden")
            again = gr.Button(visible="hidden", elem_id=f"{task}-listed", elem_classes="a-hidden a-models-changed")
            named = gr.Textbox(visible="hidden", elem_classes="a-hidden")  # a list refuses what it does not show yet
            choose = gr.Button(visible="hidden", elem_id=f"{task}-choose", elem_classes="a-hidden")
        self.list.change(self._changed, self.list, [self.about, self.row], **quick())
        self.get.click(
            self._download, self.list, [self.progress, self.get, self.cancel, self.list, self.about, self.row],
            **pumping(),
        )  # fmt: skip
        self.cancel.click(self._stop, self.list, None, **quick())
        shown = [mark, self.list, self.about, self.row]
        page.after_recall(task, fn=self._listed, inputs=self.list, outputs=shown, **quick())
        again.click(self._listed, self.list, shown, **quick())
        choose.click(self._chosen, named, shown, js="() => atelier.models.chosen()", **quick())

    def place(self) -> None:
        """Put it here."""
        self._column.render()

    def choices(self, language: str, chosen: str | None = None) -> tuple[list[tuple[str, str]], str | None]:
        """(label, id) of every model, and the one to begin with.

        Variants stand below a model that is on disk or too large, where they fit; `chosen` in any case.
        """
        models = sorted(self._page.studio.models.list(self.task), key=_farther)
        if not models:
            return [], None
        listed = [one for model in models for one in (model, *_worth(model, chosen))]
        return [(_label(m, language), m.card.id) for m in listed], self._page.studio.default_model(self.task).id

    def describe(self, model: str | None, language: str) -> str:
        """What the model is good for, its licence and whether it fits, as HTML."""
        if not model:
            return job_progress.note(text("error.no_model.what", language))
        card = (info := self._info(model)).card
        parts = [html.escape(card.summary.get(language) or card.summary.get("en", ""))]
        licence = html.escape(licences.name(card.licence, language))
        if card.licence_url:
            url = html.escape(card.licence_url, quote=True)
            licence = f'<a href="{url}" target="_blank" rel="noopener noreferrer">{licence}</a>'
        size = info.disk_bytes or card.disk_bytes
        facts = [licence, licences.limit(card.commercial, language), gigabytes(size) if size > 1 else ""]
        if card.variant:
            facts.append(text("page.takes", language, size=gigabytes(card.memory_bytes)))
        parts += leaving(info, language)
        if not info.fits and not info.elsewhere_only:
            needed = gigabytes(card.needed)
            facts.append(f'<b class="a-warn">{text("page.does_not_fit", language, needed=needed)}</b>')
            if fitting := [variants.title(one.card, language) for one in info.variants if one.fits]:
                names = text("page.comma", language).join(fitting)
                facts.append(html.escape(text("page.fits_as", language, names=names)))
        parts.append(" · ".join(filter(None, facts)))
        return "".join(f"<p>{part}</p>" for part in parts if part)

    def refresh(self, language: str, value: str | None = None) -> tuple[Any, Any, Any]:
        """Updates of list, line and download row, in a language, for what is on disk now."""
        choices, first = self.choices(language, value)
        stays = any(id == value for _, id in choices)
        shown = value if stays else first
        # A value that is sent again would undo what a conversation chose at the same moment.
        update = gr.update(choices=choices) if stays else gr.update(choices=choices, value=first)
        return update, self.describe(shown, language), self._row(shown)

    def _listed(self, model: str | None, request: gr.Request) -> tuple[Any, ...]:
        """The list as it is now, in the browser's language, and how new it is."""
        mark = files_mark(self._page.studio, "listed")  # before the list: what comes meanwhile is then seen as new
        return mark, *self.refresh(language(request), model)

    def _chosen(self, model: str, request: gr.Request) -> tuple[Any, ...]:
        """The list with a model chosen that the panel named."""
        mark, update, about, row = self._listed(model, request)
        known = any(id == model for _, id in update["choices"])
        return mark, update | {"value": model} if known else update, about, row

    def _info(self, model: str) -> ModelInfo:
        models = self._page.studio.models.list(self.task)
        return next(one for info in models for one in (info, *info.variants) if one.card.id == model)

    def _row(self, model: str | None) -> Any:
        here = model is None or self._info(model).state == "ready"
        card = None if model is None else self._info(model).card
        local = card is not None and card.source.kind in ("local", "bundled", "remote") and not card.parts
        return gr.update(visible=not here and not local)

    def _changed(self, model: str | None, request: gr.Request) -> tuple[str, Any]:
        return self.describe(model, language(request)), self._row(model)

    def _download(self, model: str, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        spoken = language(request)
        same = gr.skip()
        try:
            job = self._page.studio.models.download(model, self._page.who(request))
        except StudioError as error:
            yield job_progress.failure(error, spoken), same, same, same, same, same
            return
        for update in job_progress.watch(job):
            if update.final:
                break
            yield (
                job_progress.progress(update, spoken),
                gr.update(visible=False),
                gr.update(visible=True),
                same,
                same,
                same,
            )
        last = job.snapshot()
        shown = job_progress.progress(last, spoken)
        if last.kind == "failed" and not self._page.studio.settings.public:
            shown += other_places.buttons(last.error, base_of(model), spoken)
        yield shown, gr.update(visible=True), gr.update(visible=False), *self.refresh(spoken, model)

    def _stop(self, model: str) -> None:
        for job in self._page.studio.jobs():
            if job.task == "download" and job.model == base_of(model):
                job.cancel()


def leaving(info: ModelInfo, language: str) -> list[str]:
    """That what is written for a model leaves this machine, or may, as HTML."""
    if host := info.elsewhere_only:
        return [f"<b>{html.escape(text('page.computed_on_help', language, host=host))}</b>"]
    if info.peers:
        hosts = text("page.comma", language).join(info.peers)
        return [html.escape(text("page.may_be_computed", language, hosts=hosts))]
    return []


def files_mark(studio: Studio, name: str) -> str:
    """What is on disk, unseen: where the strip's "now" is not a list's "listed", page.js has the list drawn anew."""
    return f'<i hidden data-files-{name}="{studio.models.on_disk}"></i>'


def _farther(info: ModelInfo) -> int:
    """What is here stands first, then what this machine can run, then the rest; each as the catalogue has it."""
    return 0 if info.usable and (info.fits or info.peers) else 1 if info.fits else 2


def _worth(info: ModelInfo, chosen: str | None) -> list[ModelInfo]:
    """The variants of a model that are worth a line of the list."""
    here = info.state == "ready" or not info.fits
    return [one for one in info.variants if one.card.id == chosen or (here and one.fits)]


def _label(info: ModelInfo, language: str) -> str:
    card = info.card
    if card.variant:
        memory = text("page.takes", language, size=gigabytes(card.memory_bytes))
        return f"{variants.title(card, language)} · {memory}"
    size = info.disk_bytes or card.disk_bytes
    state = text(f"page.state_{info.state}", language) if info.fits else text("page.too_large", language)
    if host := info.elsewhere_only:
        state = text("page.computed_on", language, host=host)
    limit = (
        "" if card.commercial is True else licences.name(card.licence, language)
    )  # what everybody may use is said below
    return " · ".join(filter(None, (variants.title(card, language), gigabytes(size) if size > 1 else "", limit, state)))
