"""Recent pictures: what the library holds, newest first, a page at a time. Not on a public studio."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.i18n import text
from studio.results import Artifact
from tabs.image.fields import Fields, queued
from tabs.image.import_settings import Restoring
from tabs.image.result import Result, editor
from tabs.shared import job_progress
from tabs.shared.context import Page
from tabs.shared.events import crossing, quick
from tabs.shared.i18n import language, t
from tabs.shared.widgets import fold

PAGE = 24
_SMALL = 320
_OPEN_START = "() => atelier.unfold('image-start')"


class Recent:
    """The gallery of earlier pictures; its files are read when it is opened."""

    def __init__(self, page: Page) -> None:
        self._page = page
        with fold("image-recent", "image.recent"):
            self.gallery = gr.Gallery(
                show_label=False, label=t("image.recent"), columns=6, object_fit="cover", height="auto",
                interactive=False, allow_preview=False, elem_id="image-recent-gallery", buttons=[], fit_columns=False,
            )  # fmt: skip
            with gr.Row(elem_classes="a-send"):
                self.look = gr.Button(t("image.recent_show"), size="sm", min_width=0, elem_id="image-recent-show")
                self.restore = gr.Button(
                    t("image.recent_restore"), size="sm", min_width=0, elem_id="image-recent-restore"
                )
                self.start = gr.Button(t("image.use_as_start"), size="sm", min_width=0, elem_id="image-recent-start")
                self.edit = gr.Button(t("image.edit_with_words"), size="sm", min_width=0, elem_id="image-recent-edit")
                self.caption = gr.Button(t("image.to_caption"), size="sm", min_width=0, elem_id="image-recent-caption")
                self.more = gr.Button(t("image.recent_more"), size="sm", min_width=0, elem_id="image-recent-more")
            self.line = gr.HTML(elem_classes="a-live")
        self.found = gr.State(())
        self.pages = gr.State(0)
        self.chosen = gr.State(-1)

    def wire(self, fields: Fields, result: Result, restoring: Restoring) -> None:
        page = self._page
        opening = gr.Button(visible="hidden", elem_id="image-recent-open", elem_classes="a-hidden")
        outputs = [self.gallery, self.found, self.pages, self.chosen]
        opening.click(lambda: self._read(1), None, outputs, **quick())
        self.more.click(lambda pages: self._read(pages + 1), self.pages, outputs, **quick())
        self.gallery.select(_choose, None, self.chosen, **quick())
        picked = [self.found, self.chosen]

        def look(found: tuple[Artifact, ...], index: int, request: gr.Request) -> dict[Any, Any]:
            artifact = _one(found, index)
            return result.put(artifact, language(request)) if artifact else {self.line: _pick(request)}

        def restore(found: tuple[Artifact, ...], index: int, request: gr.Request) -> dict[Any, Any]:
            artifact = _one(found, index)
            if artifact is None:
                return {self.line: _pick(request)}
            return {self.line: "", **restoring.take_recipe(artifact.recipe, language(request))}

        def start(found: tuple[Artifact, ...], index: int, request: gr.Request) -> dict[Any, Any]:
            artifact = _one(found, index)
            if artifact is None:
                return {self.line: _pick(request)}
            return {self.line: "", **fields.started(editor(page.publish(artifact.files[0])))}

        self.look.click(look, picked, [self.line, *result.outputs], **quick())
        self.restore.click(restore, picked, [self.line, *restoring.outputs], **queued())
        self.start.click(start, picked, [self.line, fields.begin], **queued()).then(
            None, None, None, js=_OPEN_START, **quick()
        )

        def edit(values: dict[Any, Any], request: gr.Request) -> dict[Any, Any]:
            artifact = _one(values[self.found], values[self.chosen])
            if artifact is None:
                return {self.line: _pick(request)}
            return {self.line: "", **fields.editing.added(values, page.publish(artifact.files[0]), language(request))}

        self.edit.click(
            edit, {*picked, *fields.editing.inputs}, [self.line, *fields.editing.adding], preprocess=False, **quick()
        ).then(None, None, None, js=_OPEN_START, **quick())
        page.on_ready.append(lambda: self._send_to_caption(picked))

    def _read(self, pages: int) -> tuple[Any, ...]:
        """The first pages of the library, small."""
        both = [*self._page.studio.library.recent(("image", "upscale"), PAGE * pages)]
        library, stars = self._page.studio.library, self._page.studio.library.stars.all()
        small = [
            (self._page.thumbnails.of(one.files[0], _SMALL), "★" if library.id(one.files[0]) in stars else None)
            for one in both
        ]
        return gr.update(value=small), tuple(both), pages, -1

    def _send_to_caption(self, picked: list[Any]) -> None:
        page = self._page
        if page.tabs is None or "caption" not in page.pictures:
            return

        def send(found: tuple[Artifact, ...], index: int, request: gr.Request) -> tuple[Any, Any, Any]:
            artifact = _one(found, index)
            if artifact is None:
                return _pick(request), gr.skip(), gr.skip()
            return "", page.publish(artifact.files[0]), gr.Tabs(selected="caption")

        self.caption.click(send, picked, [self.line, page.pictures["caption"], page.tabs], **crossing("caption"))


def _choose(event: gr.SelectData) -> int:
    return int(event.index)


def _one(found: tuple[Artifact, ...], index: int) -> Artifact | None:
    return found[index] if 0 <= index < len(found) and found[index].files[0].exists() else None


def _pick(request: gr.Request) -> str:
    return job_progress.note(text("image.recent_pick", language(request)))
