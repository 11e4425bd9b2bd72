"""The left column of the image tab: its fields, by name. Layout only; what they mean stands in tabs.image.form."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import gradio as gr

from studio.requests import RNGS, SEAMLESS
from studio.tasks.image.grid_axes import FIELDS as AXES
from studio.tasks.image.schedulers import SCHEDULERS
from tabs.image import form, shapes, upscalers
from tabs.image.control import Steering
from tabs.image.edit_slots import Editing
from tabs.image.reference import References
from tabs.image.regions import Regions
from tabs.image.source import PAINT, Drawing
from tabs.image.strokes import Strokes
from tabs.shared import preset_row, uploaded
from tabs.shared.context import Page
from tabs.shared.events import quick
from tabs.shared.i18n import said, t
from tabs.shared.model_picker import ModelPicker
from tabs.shared.widgets import PASSING, fold, number

TASK = "image"
SUFFIXES = (".avif", ".heic", ".heif", ".jxl", ".jfif", ".webp", ".tif", ".tiff")
"""Pictures whose kind not every system knows by name."""


class Fields:
    """Every field of the column, by the name it has in tabs.image.form. They stand where `words` and `settings` are
    called."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.of: dict[str, Any] = {}
        self.picker = ModelPicker(page, TASK)
        self.of["model"] = self.picker.list

    def settings(self) -> None:
        """Everything below the run button, the model last."""
        self._shape()
        self._sampling()
        self._start()
        # strangers get none of the ControlNets and IP-Adapters that lie here
        self.steering = None if self._page.studio.settings.public else Steering(self._page, self.of)
        self.references = None if self._page.studio.settings.public else References(self._page, self.of)
        self.regions = Regions(self.of)
        self._detail()
        self._series()
        self._grid()
        self._files()
        self.presets = preset_row.place(self._page, TASK)
        self.picker.place()

    @property
    def inputs(self) -> set[Any]:
        """What a handler asks for to get every field's value."""
        return set(self.of.values())

    def named(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        """The values that Gradio gives by component, by name. They come as the page sent them (`raw`)."""
        found = {name: values[part] for name, part in self.of.items()}
        return {**found, "picture": self._drawn(found["picture"])}

    def fill(self, values: Mapping[str, Any]) -> dict[Any, Any]:
        """Updates that put values into fields."""
        return {self.of[name]: gr.update(value=value) for name, value in values.items()}

    def words(self) -> None:
        """The prompt and what belongs to it."""
        self.of["prompt"] = gr.Textbox(
            label=t("label.prompt"), placeholder=t("image.placeholder"), lines=5, max_lines=14,
            elem_id="image-prompt",
        )  # fmt: skip
        with gr.Row(elem_classes="a-below"):
            self.tokens = gr.HTML(elem_id="image-tokens", elem_classes="a-under", min_width=0)
            self.read = gr.Button(
                t("image.read"),
                size="sm",
                visible=False,
                elem_id="image-read",
                elem_classes="a-quiet-button",
                min_width=0,
            )
            self.enrich = gr.Button(
                t("image.enrich"), size="sm", visible=False, elem_id="image-enrich", elem_classes="a-quiet-button",
                min_width=0,
            )  # fmt: skip
            self.restore = gr.UploadButton(
                t("image.restore"), size="sm", file_types=["image", *SUFFIXES], elem_id="image-restore",
                type="filepath", elem_classes="a-quiet-button", min_width=0,
            )  # fmt: skip
        self.restored = gr.HTML(elem_id="image-restored", elem_classes="a-live")
        self.drop = gr.Button(
            "", size="sm", visible=False, elem_id="image-drop", elem_classes="a-quiet-button", min_width=0
        )
        with gr.Row(elem_classes="a-chips"):
            self.of["styles"] = gr.Dropdown(
                [], value=[], multiselect=True, label=t("label.styles"), elem_id="image-styles", min_width=0,
            )  # fmt: skip
            self.history = gr.Dropdown(
                [], value=None, label=t("image.history"), elem_id="image-history", min_width=0, elem_classes=PASSING,
                visible=not self._page.studio.settings.public,
            )  # fmt: skip

    def _shape(self) -> None:
        with gr.Column(elem_classes="a-shape", min_width=0):
            self.of["shape"] = gr.Radio(
                [(t(f"image.shape_{name or 'default'}"), name) for name in shapes.SHAPES], value="",
                label=t("image.shape"), elem_id="image-shape", elem_classes="a-segments",
            )  # fmt: skip
            with gr.Row(elem_classes="a-sides"):
                self.size = gr.HTML(elem_id="image-size", elem_classes="a-under", min_width=0)
                self.of["width"] = number(TASK, "width", placeholder="page.auto", help=None, min_width=0)
                self.of["height"] = number(TASK, "height", placeholder="page.auto", help=None, min_width=0)
                self.swap = _icon("swap")
        with gr.Row(elem_classes="a-seed"):
            self.of["count"] = number(TASK, "count", placeholder="page.one", help=None, min_width=0)
            self.of["seed"] = number(TASK, "seed", placeholder="page.random", help=None, scale=2, min_width=0)
            self.dice = _icon("dice")
            self.again = _icon("last_seed")

    def _sampling(self) -> None:
        with fold("image-more", "image.fold_sampling"):
            self.advice = gr.HTML(elem_id="image-advice-chips", elem_classes="a-live")
            self.of["negative_prompt"] = gr.Textbox(
                label=t("label.negative_prompt"), info=t("help.negative_prompt"), lines=2,
                elem_id="image-negative-prompt",
            )  # fmt: skip
            with gr.Row():
                self.of["steps"] = number(TASK, "steps")
                self.of["guidance_scale"] = number(TASK, "guidance_scale")
            with gr.Row():
                self.of["scheduler"] = gr.Dropdown(
                    [(t("page.model_default"), ""), *[(name, name) for name in SCHEDULERS]], value="",
                    label=t("label.scheduler"), info=t("help.scheduler"), filterable=False,
                    elem_id="image-scheduler", min_width=120,
                )  # fmt: skip
                self.of["clip_skip"] = number(TASK, "clip_skip", placeholder="page.zero")
            with gr.Row():
                self.of["variation"] = number(TASK, "variation", placeholder="page.zero")
                self.of["variation_seed"] = number(TASK, "variation_seed", placeholder="page.random")
            self.of["rng"] = gr.Radio(
                [(t(f"image.rng_{one or 'cpu'}"), one) for one in RNGS], value="", label=t("label.rng"),
                info=t("help.rng"), elem_id="image-rng", elem_classes="a-segments",
            )  # fmt: skip

    def _start(self) -> None:
        with fold("image-start", "image.fold_start"), self._edited():
            self.picture = gr.ImageEditor(
                label=t("image.start"), show_label=False, type="filepath", sources=("upload", "clipboard"),
                transforms=(), layers=False, format="png", height=340, canvas_size=(512, 512),
                brush=gr.Brush(default_size="auto", colors=["#%02x%02x%02x" % PAINT], color_mode="fixed"),  # noqa: UP031
                placeholder=t("image.start_empty"), buttons=["fullscreen"], elem_id="image-picture", visible=False,
            )  # fmt: skip
            # a canvas for a graphics card, and the scripts that draw on it, weigh more than the rest of the tab
            opened = gr.Button(visible="hidden", elem_id="image-start-open", elem_classes="a-hidden")
            opened.click(None, None, self.picture, js="() => ({ __type__: 'update', visible: true })", **quick())
            self.of["picture"] = self.picture
            Strokes().behind(self.picture)
            with gr.Column(elem_id="image-other", elem_classes="a-hidden", min_width=0):
                self.other = gr.UploadButton("", type="filepath", elem_id="image-other-file")
            self.start_line = gr.HTML(elem_id="image-start-line", elem_classes="a-live")
            self.begin = gr.State(("", None))
            with gr.Row(elem_classes="a-below"):
                gr.Markdown(t("image.start_help"), elem_classes="a-under")
                self.clear = gr.Button(
                    t("image.clear_start"), size="sm", elem_id="image-clear", elem_classes="a-quiet-button", min_width=0
                )
            self.of["strength"] = number(TASK, "strength")
            self._masked()
            gr.Markdown(t("image.extend"), elem_classes="a-heading")
            with gr.Row(elem_classes="a-extend"):
                for name in form.EXTEND:
                    self.of[name] = number(TASK, name, placeholder="page.zero", help=None, min_width=0)

    def _edited(self) -> gr.Column:
        self.editing = Editing(self._page, self.of)
        return self.editing.change()

    def _masked(self) -> None:
        self.of["masked_only"] = gr.Checkbox(
            False, label=t("label.masked_only"), info=t("help.masked_only"), elem_id="image-masked-only"
        )
        with gr.Row():
            self.of["mask_padding"] = number(TASK, "mask_padding", placeholder="page.number_32")
            self.of["mask_blur"] = number(TASK, "mask_blur", placeholder="page.number_4")
        # pressed, it goes the way of a run, which has the editor: another event would have the strokes sent once more
        self.edge = gr.Button(t("image.edge"), size="sm", elem_id="image-edge", min_width=0)
        self.edge_shown = gr.HTML(elem_id="image-edge-shown", elem_classes="a-live")

    def _detail(self) -> None:
        with fold("image-detail", "image.fold_detail"):
            with gr.Row():
                self.of["hires_scale"] = number(TASK, "hires_scale", placeholder="page.off")
                self.of["hires_strength"] = number(TASK, "hires_strength")
            with gr.Row():
                self.of["loras"] = gr.Dropdown(
                    [], value=[], multiselect=True, label=t("label.loras"), elem_id="image-loras", min_width=120,
                    info=t("help.loras"),
                )  # fmt: skip
                self.of["lora_weights"] = number(TASK, "lora_weights", placeholder="page.one")
            self.of["vae"] = gr.Dropdown(
                [(t("image.own_vae"), "")], value="", label=t("label.vae"), info=t("help.vae"), filterable=False,
                elem_id="image-vae", min_width=120, visible=not self._page.studio.settings.public,
            )  # fmt: skip
            with gr.Row(visible=bool(self._page.studio.refiners())):
                self.of["refiner"] = gr.Dropdown(
                    [(t("page.none"), "")], value="", label=t("label.refiner"), info=t("help.refiner"),
                    filterable=False, elem_id="image-refiner", min_width=120,
                )  # fmt: skip
                self.of["refiner_at"] = number(TASK, "refiner_at", placeholder="page.number_08")
            self.lora_folder = gr.HTML(elem_id="image-lora-folder", elem_classes="a-under")
            if not self._page.studio.settings.public:
                with fold("image-shelf", "image.browse_loras"):
                    self.shelf = gr.HTML(elem_id="image-shelf-cards")
            self._details()
            self.upscaler = upscalers.place(self._page)
            self.cleaner = upscalers.place_cleaners(self._page)
            self.of["tiling"] = gr.Checkbox(False, label=t("label.tiling"), info=t("help.tiling"),
                                            elem_id="image-tiling")  # fmt: skip
            self.of["seamless"] = gr.Radio(
                [(t(f"image.seamless_{way or 'off'}"), way) for way in SEAMLESS], value="", label=t("label.seamless"),
                info=t("help.seamless"), elem_id="image-seamless", elem_classes="a-segments",
            )  # fmt: skip

    def _details(self) -> None:
        """What is painted again in finished pictures (tabs.image.detail)."""
        self.detail_folder = gr.HTML(elem_id="image-detail-folder", elem_classes="a-under")
        with gr.Column(visible=False, min_width=0, elem_id="image-detail-part") as self.detail_part:
            self.of["detail_on"] = gr.Checkbox(
                False, label=t("label.detail_on"), info=t("help.detail_on"), elem_id="image-detail-on"
            )
            with gr.Row():
                self.of["detail_name"] = gr.Dropdown(
                    [("–", "")], value="", label=t("label.detail"), elem_id="image-detail-name", min_width=120
                )
                self.of["detail_strength"] = number(TASK, "detail_strength", placeholder="page.number_0_4")
                self.of["detail_confidence"] = number(TASK, "detail_confidence", placeholder="page.number_0_5")
            self.of["detail_prompt"] = gr.Textbox(
                label=t("label.detail_prompt"), info=t("help.detail_prompt"), max_lines=2, elem_id="image-detail-prompt"
            )

    def _series(self) -> None:
        with fold("image-series-part", "image.fold_series"):
            self.of["series"] = gr.Textbox(
                label=t("label.series"), lines=4, max_lines=14, elem_id="image-series",
                placeholder=t("image.series_placeholder"),
            )  # fmt: skip
            self.series_line = gr.HTML(
                said("image.series_help", "p"), elem_id="image-series-line", elem_classes="a-under"
            )  # fmt: skip

    def _grid(self) -> None:
        choices = [(t("page.none"), ""), *[(t(f"image.axis_{name}"), name) for name in AXES]]
        with fold("image-grid", "image.fold_grid"):
            for side in ("x", "y", "z"):
                with gr.Row(elem_classes="a-axis"):
                    self.of[f"{side}_field"] = gr.Dropdown(
                        choices, value="", label=t(f"image.{side}_field"), filterable=False,
                        elem_id=f"image-{side}-field", min_width=120,
                    )  # fmt: skip
                    self.of[f"{side}_values"] = gr.Textbox(
                        label=t(f"image.{side}_values"), elem_id=f"image-{side}-values",
                        max_lines=3, lines=1, scale=2, min_width=140,
                    )  # fmt: skip
            self.cells = gr.HTML(elem_id="image-cells", elem_classes="a-under")

    def _files(self) -> None:
        with fold("image-files", "image.fold_files"):
            self.of["pattern"] = gr.Textbox(
                label=t("label.pattern"), info=t("help.pattern"), placeholder="[time]-[prompt_words]-[seed]",
                max_lines=1, max_length=200, elem_id="image-pattern",
            )  # fmt: skip
            self.of["format"] = gr.Radio(
                [("PNG", "png"), ("WebP", "webp"), ("JPEG", "jpeg")], value="png", label=t("label.format"),
                elem_id="image-format", elem_classes="a-segments",
            )  # fmt: skip
            self.of["metadata"] = gr.Checkbox(
                True, label=t("label.metadata"), info=t("help.metadata"), elem_id="image-metadata"
            )
            self.of["previews"] = gr.Checkbox(
                True, label=t("label.previews"), info=t("help.previews"), elem_id="image-previews"
            )

    def _drawn(self, sent: dict[str, Any] | None) -> Drawing:
        """The files behind the editor, undecoded: the studio reads them, with their size checked first.

        Strokes come ahead of the event, under an id.
        """
        if not isinstance(sent, dict):
            return Drawing()
        if sent.get("id") is None:
            picture, layers = sent.get("background"), sent.get("layers") or ()
        elif (pieces := self.picture.blob_storage.pop(str(sent["id"]), None)) is not None:
            picture, layers = pieces.background, pieces.layers
        else:
            return Drawing()
        return Drawing(_content(picture), tuple(_content(each) for each in layers if each)) if picture else Drawing()

    def started(self, value: dict[str, Any] | None) -> dict[Any, Any]:
        """What puts a picture into the editor, or nothing into it.

        By way of a state: an event that may leave the editor alone would make Gradio build another one for this
        visitor, and what was drawn would reach only one of the two. The event has to be a `queued` one: of the
        others the page does not hear that a state has changed.
        """
        return {self.begin: (secrets.token_hex(4), value)}

    def wire(self) -> None:
        """Events that only move values from field to field, in the browser or here."""
        put = self.begin.change(lambda begin: begin[1], self.begin, self.picture, **quick())
        kept = gr.Textbox(visible="hidden", elem_classes="a-hidden")  # what the browser keeps of it
        put.then(_address, self.begin, kept, **quick()).then(
            None, kept, None, js="(address) => atelier.shelveFrom('image-picture', address)", **quick()
        )
        forget: dict[str, Any] = {"js": "() => atelier.shelve('image-picture', null)", **quick()}
        self.picture.clear(None, None, None, **forget)
        self.clear.click(None, None, None, **forget)
        self.dice.click(lambda: "", None, self.of["seed"], **quick())
        sides = [self.of[name] for name in ("shape", "width", "height")]
        self.swap.click(_swap, sides, sides, **quick())
        self.clear.click(
            lambda: (None, "", "", "", "", ""), None,
            [self.picture, self.of["strength"], *[self.of[name] for name in form.EXTEND]], **quick(),
        )  # fmt: skip


def queued() -> dict[str, Any]:
    """Event settings for what puts a picture into the editor; as quick as the others, each has a queue of its own."""
    return quick() | {"queue": True, "concurrency_limit": None}


def _icon(name: str) -> gr.Button:
    """A button that shows a sign and is called by its name (assets/page/style.css)."""
    return gr.Button(
        t(f"image.{name}"), size="sm", min_width=0, elem_id=f"image-{name.replace('_', '-')}",
        elem_classes="a-icon-button",
    )  # fmt: skip


def _address(begin: tuple[str, Any]) -> str:
    """Where the browser finds the picture that was put into the editor."""
    value = begin[1]
    return f"gradio_api/file={value['background']}" if value else ""


def _swap(shape: str, width: str, height: str) -> tuple[str, str, str]:
    return shapes.turned(shape), height, width


def _content(file: Any) -> bytes:
    """What a file of the page's or a piece that it sent holds."""
    return file if isinstance(file, bytes) else uploaded.read_upload(file)
