"""The right column of the image tab: the pictures, what each was made with, and what can be done with one."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from studio.catalog import licence, variants
from studio.errors import StudioError
from studio.i18n import text
from studio.jobs.job import Job
from studio.jobs.plans.unfinished import labels, together
from studio.recipes import origins
from studio.results import Artifact, Update
from tabs.image import copies, sketch
from tabs.image.cells import SMALL, Cells, lay
from tabs.image.compare import pair
from tabs.image.fields import TASK, Fields, queued
from tabs.image.form import plain
from tabs.image.pick_strip import Strip
from tabs.image.tiled import nine
from tabs.shared import job_progress
from tabs.shared.context import Page
from tabs.shared.events import crossing, quick
from tabs.shared.i18n import language, said, t
from tabs.shared.widgets import heading, made_on, menu, taking_menu, tries

_OPEN_START = "() => atelier.unfold('image-start')"

EXAMPLES = tuple(f"image.example{number}" for number in range(1, 13))
"""What the empty state paints, in the order of its sheet (assets/examples/painted.webp)."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the gallery shows: the artifact, its files as the page may read them, and the job that made it."""

    artifact: Artifact
    files: tuple[str, ...]
    job: str = ""


class Result:
    """The parts of the column."""

    def __init__(self, page: Page) -> None:
        self._page = page
        heading(TASK)
        tries(TASK, EXAMPLES[:6])
        sketch.place()
        self.progress = gr.HTML(elem_id="image-progress", elem_classes="a-live")
        self.cells = Cells(page)
        self.gallery = gr.Gallery(
            show_label=False, label=t("image.pictures"), columns=1, object_fit="contain", height="auto", visible=False,
            interactive=False, elem_id="image-gallery", buttons=["fullscreen"], fit_columns=False,
        )  # fmt: skip
        self.details = gr.HTML(elem_id="image-details", elem_classes="a-details")
        with gr.Column(visible=False, elem_classes="a-actions", min_width=0) as self.actions:
            with gr.Row(elem_classes="a-send"):
                self.save = gr.DownloadButton(t("page.save"), size="sm", min_width=0, elem_id="image-save")
                self.star = gr.Button(
                    t("page.star"),
                    size="sm",
                    min_width=0,
                    elem_id="image-star",
                    visible=not page.studio.settings.public,
                )
                with menu("image-vary", "image.vary"):
                    self.four_like = _action("four_like")
                    self.near = _action("near")
                    self.far = _action("far")
                with menu("image-use", "page.use_in"):
                    self.start = _action("use_as_start")
                    self.edit = _action("edit_with_words")
                    self.caption = _action("to_caption")
                    if page.studio.archive is not None:
                        taking_menu("#image-details", ("image.start", "image.edit", "caption.picture"))
                with menu("image-also", "page.also"):
                    self.seed = _action("reuse_seed")
                    self.again = _action("again")
                    self.redetail = _action("redetail")
                    self.twice = _action("upscale2")
                    self.four = _action("upscale4")
                    self.clean_up = _action("clean_up")
                    self.compare = _action("compare")
                    self.nine = _action("tiled")
                    self.clean = _action("clean")
                    self.cut = _action("cut_out")
                    self.vector = _action("vector")
                    self.sheet = gr.DownloadButton(
                        t("image.sheet"), size="sm", min_width=0, visible=False, elem_id="image-sheet"
                    )
            self.clean_file = gr.DownloadButton(
                "", size="sm", elem_id="image-clean-file", visible="hidden", elem_classes="a-hidden"
            )
        self.rest = gr.Button("", size="sm", visible=False, elem_id="image-rest", min_width=0)
        self.picks = Strip()
        self.note = gr.HTML(elem_id="image-compared", elem_classes="a-live")
        self.slider = gr.ImageSlider(
            visible=False, show_label=False, label=t("image.compare"), interactive=False, format="png",
            elem_id="image-slider", buttons=["fullscreen"], type="filepath", max_height=560, container=False,
        )  # fmt: skip
        with gr.Column(elem_classes="a-empty") as self.empty:
            gr.HTML(tiles())
        t("page.starred")  # what the button is called later
        self.shown = gr.State(None)
        self.chosen = gr.State(0)

    @property
    def outputs(self) -> list[Any]:
        return [
            self.progress, self.cells.part, self.gallery, self.details, self.actions, self.save, self.star, self.sheet,
            self.note, self.slider, self.empty, self.shown, self.chosen, self.rest, *self.picks.outputs,
        ]  # fmt: skip

    def show(self, update: Update, spoken: str) -> dict[Any, Any]:
        """What changes in the column for an update."""
        changes: dict[Any, Any] = {
            self.progress: job_progress.progress(update, spoken) + job_progress.notes(update, spoken),
            self.cells.part: self.cells.show(update, self._job(update.job)),
        }
        if update.artifact is not None and update.artifact.files:
            changes |= self.put(update.artifact, spoken, update.job)
        return changes

    def put(self, artifact: Artifact, spoken: str, job: str = "") -> dict[Any, Any]:
        """Show an artifact's pictures, its first one chosen."""
        found = self._job(job)
        plan = found.plan if found is not None else None
        artifact = together(plan, artifact)
        files = tuple(self._page.publish(file) for file in artifact.files)
        marks, layout = labels(plan, artifact), getattr(plan, "layout", None)
        across = len(layout.columns) if marks and layout is not None else 0
        left = self._page.studio.groups.left(found) if found is not None else 0
        shown = Shown(artifact, files, job)
        pictures = list(zip(files, marks, strict=True)) if marks else list(files)
        largest = max((max(_size(each)) for each in artifact.recipes), default=SMALL)
        found_lay = lay(len(files), largest, across)
        return {
            self.gallery: gr.update(
                value=pictures,
                visible=True,
                columns=found_lay.columns,
                elem_classes=list(found_lay.classes),
                selected_index=None,
            ),
            self.details: self.line(shown, 0, spoken),
            self.cells.part: "",
            self.empty: gr.update(visible=False),
            self.actions: gr.update(visible=True),
            self.save: gr.update(value=files[0]),
            self.star: self._starred(shown, 0),
            self.sheet: self._sheet(artifact),
            self.note: "",
            self.slider: gr.update(visible=False),
            self.shown: shown,
            self.chosen: 0,
            self.rest: gr.update(value=text("image.rest", spoken, count=left), visible=left > 0),
            **self.picks.put(files, marks, spoken),
        }

    def line(self, shown: Shown, index: int, spoken: str) -> str:
        """What picture `index` was made with, as HTML."""
        made = shown.artifact.recipes[index]
        told, model = origins.painting(made), made["model"]
        given = told["parameters"]
        used = next(iter(given.get("prompts") or ()), "") or given.get("prompt", "")
        seeded = told["task"] == "image" and told["seed"] is not None
        facts = [f"{text('label.seed', spoken)} {told['seed']}"] if seeded else []
        if size := _pixels(shown.files[index]):
            facts.append(f"{size[0]} × {size[1]}")
        if given.get("steps"):
            facts.append(text("image.steps", spoken, count=given["steps"]))
        if given.get("guidance_scale") is not None:
            facts.append(text("image.guidance", spoken, value=plain(given["guidance_scale"])))
        if given.get("scheduler"):
            facts.append(str(given["scheduler"]))
        if made["task"] == "upscale":
            times = origins.factor(made)
            facts.append(text("image.upscaled" if times > 1 else "image.cleaned_up", spoken, scale=plain(times)))
        seconds = f"{made['seconds']:.1f}"
        called = variants.called(model["id"], model["title"], spoken)
        by = text("page.made_with", spoken, model=called, seconds=seconds)
        card = self._page.studio.catalog.find(model["id"])
        if card is None or card.has_files:  # else no model had a part in it
            facts.append(licence.name(model["licence"], spoken))
        facts += made_on(made, spoken)
        several = len(shown.files) > 1
        which = text("image.which", spoken, number=index + 1, count=len(shown.files)) + " · " if several else ""
        words = f'<p class="a-used">{html.escape(str(used))}</p>' if used else ""
        line = (
            f'{words}<div class="a-note" role="status"><details class="a-facts"><summary>{html.escape(which + by)}'
            f"</summary><p>{html.escape(' · '.join(facts))}</p></details></div>"
        )
        ids = self._page.ids(shown.artifact)
        return line + job_progress.made(ids) + (job_progress.chosen(ids[index]) if ids else "")

    def wire(self, fields: Fields) -> None:
        """What can be done with the chosen picture without running a model."""
        picked = [self.shown, self.chosen]

        def choose(shown: Shown | None, event: gr.SelectData, request: gr.Request) -> tuple[Any, ...]:
            index = int(event.index)
            if shown is None or not 0 <= index < len(shown.files):
                return (gr.skip(),) * 4
            save = gr.update(value=shown.files[index])
            return index, self.line(shown, index, language(request)), save, self._starred(shown, index)

        self.gallery.select(choose, self.shown, [self.chosen, self.details, self.save, self.star], **quick())
        self.star.click(self._turn_star, picked, self.star, **quick())
        for button in (self.seed, fields.again):
            button.click(_seed, picked, fields.of["seed"], **quick())
        self.start.click(
            lambda shown, index: fields.started(editor(shown.files[index])) if shown else {},
            picked,
            [fields.begin],
            **queued(),
        ).then(None, None, None, js=_OPEN_START, **quick())

        def edit(values: dict[Any, Any], request: gr.Request) -> dict[Any, Any]:
            shown = values[self.shown]
            if shown is None:
                return {}
            return fields.editing.added(values, shown.files[values[self.chosen]], language(request))

        self.edit.click(
            edit, {*picked, *fields.editing.inputs}, fields.editing.adding, preprocess=False, **quick()
        ).then(None, None, None, js=_OPEN_START, **quick())

        def compare(shown: Shown | None, index: int, request: gr.Request) -> tuple[Any, Any]:
            return self._compare(shown, index, request)

        self.compare.click(compare, picked, [self.note, self.slider], **quick())
        self.nine.click(_nine, picked, [self.note, self.slider], **quick())
        for button, make in ((self.clean, copies.clean), (self.cut, copies.cut_out), (self.vector, copies.vector)):
            button.click(self._copy(make), picked, [self.clean_file, self.note], **quick()).then(
                None, self.clean_file, None, js="(made) => made && atelier.press('#image-clean-file')", **quick()
            )
        self._page.on_ready.append(self._send_to_caption)

    def _turn_star(self, shown: Shown | None, index: int) -> Any:
        if shown is None:
            return gr.skip()
        library = self._page.studio.library
        library.stars.turn(library.id(shown.artifact.files[index]))
        return self._starred(shown, index)

    def _starred(self, shown: Shown, index: int) -> Any:
        """The button of the chosen picture: what it is called says whether that one has a star."""
        library = self._page.studio.library
        if self._page.studio.settings.public:
            return gr.skip()
        has = library.id(shown.artifact.files[index]) in library.stars.all()
        return gr.update(value=t("page.starred" if has else "page.star"), elem_classes="a-starred" if has else "")

    def _compare(self, shown: Shown | None, index: int, request: gr.Request) -> tuple[Any, Any]:
        spoken = language(request)
        if shown is None:
            return gr.skip(), gr.skip()
        earlier = [job.snapshot().artifact for job in self._page.jobs(request, TASK) if job.id != shown.job]
        try:
            found = pair(self._page, shown.artifact, index, [each for each in earlier if each is not None])
        except StudioError as error:
            return job_progress.failure(error, spoken), gr.update(visible=False)
        if found is None:
            return job_progress.note(text("image.nothing_to_compare", spoken)), gr.update(visible=False)
        kind, before = found
        slider = gr.update(value=(before, shown.files[index]), visible=True)
        return job_progress.note(text(f"image.compared_{kind}", spoken)), slider

    def _copy(self, make: Callable[[Path, str], copies.Made]) -> Callable[..., tuple[Any, Any]]:
        """A handler that hands `make`'s file to the hidden download, and shows what is said of it."""

        def copy(shown: Shown | None, index: int, request: gr.Request) -> tuple[Any, Any]:
            if shown is None:
                return None, gr.skip()
            made, said = copies.offered(self._page, Path(shown.files[index]), language(request), make)
            return made, said or gr.skip()

        return copy

    def _send_to_caption(self) -> None:
        page = self._page
        if page.tabs is None or "caption" not in page.pictures:
            return
        self.caption.click(
            lambda shown, index: ((shown.files[index] if shown else gr.skip()), gr.Tabs(selected="caption")),
            [self.shown, self.chosen], [page.pictures["caption"], page.tabs], **crossing("caption"),
        )  # fmt: skip

    def _sheet(self, artifact: Artifact) -> Any:
        if artifact.sheet is None:
            return gr.update(visible=False)
        return gr.update(value=self._page.publish(artifact.sheet), visible=True)

    def _job(self, id: str) -> Job | None:
        try:
            return self._page.studio.job(id) if id else None
        except StudioError:  # so long ago that it is forgotten
            return None


def editor(file: str, strokes: str = "") -> dict[str, Any]:
    """The value of the picture editor for a file of the page's, with a layer of paint on it."""
    return {"background": file, "layers": [strokes] if strokes else [], "composite": file}


def tiles() -> str:
    """Pictures that the starter painted of EXAMPLES, each of which paints another one of its kind."""
    pictures = "".join(
        f'<button type="button" class="a-tile" data-try style="--at:{place}"><i></i>{said(key)}</button>'
        for place, key in enumerate(EXAMPLES)
    )
    return f'{said("image.empty", "h2", "a-ask")}<div class="a-tiles">{pictures}</div>'


def _action(name: str) -> gr.Button:
    return gr.Button(t(f"image.{name}"), size="sm", min_width=0, elem_id=f"image-{name.replace('_', '-')}")


def _seed(shown: Shown | None, index: int) -> Any:
    """The seed of a picture for its field: of an enlarged one that of the painting, if it is known."""
    told = origins.painting(shown.artifact.recipes[index]) if shown else None
    known = told is not None and told["task"] == "image" and told["seed"] is not None
    return str(told["seed"]) if told is not None and known else gr.skip()


def _nine(shown: Shown | None, index: int, request: gr.Request) -> tuple[Any, Any]:
    """The picture laid out nine times, in the place of a comparison."""
    size = _pixels(shown.files[index]) if shown else None
    if shown is None or size is None:
        return gr.skip(), gr.skip()
    return nine(shown.files[index], size, language(request)), gr.update(visible=False)


def _pixels(file: str) -> tuple[int, int] | None:
    """Width and height of a picture as it is, enlarged or not; None of one that is gone."""
    from PIL import Image

    try:
        with Image.open(file) as picture:
            return picture.size
    except OSError:
        return None


def _size(made: dict[str, Any]) -> tuple[int, int]:
    """Width and height that a recipe tells; large where it tells none."""
    given = made["parameters"]
    return given.get("width") or SMALL + 1, given.get("height") or SMALL + 1
