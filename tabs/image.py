"""The image tab: a prompt in, pictures out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from studio.schedulers import SCHEDULERS
from studio.types import ImageRequest, Update
from tabs import pump
from tabs.i18n import t
from tabs.parts import examples, made, number, read, read_whole, run_row, seed_row
from tabs.picker import ModelPicker
from tabs.shared import Page, pumping, quick

TASK = "image"

SIZES = ((512, 512), (768, 512), (512, 768), (1024, 1024), (1216, 832), (832, 1216))


def build(page: Page) -> None:
    """Add the tab's parts and their events to the page."""
    with gr.Row(elem_classes="a-frame"):
        with gr.Column(elem_classes="a-input", scale=38):
            picker = ModelPicker(page, TASK)
            prompt = gr.Textbox(
                label=t("label.prompt"), placeholder=t("image.placeholder"), lines=4, max_lines=12,
                elem_id="image-prompt", elem_classes="a-remember",
            )  # fmt: skip
            size = gr.Dropdown(
                [(t("image.size_default"), ""), *[(f"{w} × {h}", f"{w}x{h}") for w, h in SIZES]],
                value="", label=t("image.size"), elem_id="image-size", filterable=False,
            )  # fmt: skip
            with gr.Accordion(t("page.more"), open=False, elem_classes="a-more", elem_id="image-more"):
                negative = gr.Textbox(label=t("label.negative_prompt"), info=t("help.negative_prompt"), lines=2)
                with gr.Row():
                    steps = number(TASK, "steps")
                    guidance = number(TASK, "guidance_scale")
                scheduler = gr.Dropdown(
                    [(t("page.model_default"), ""), *[(name, name) for name in SCHEDULERS]],
                    value="", label=t("label.scheduler"), info=t("help.scheduler"), filterable=False,
                )  # fmt: skip
                with gr.Row():
                    count = number(TASK, "count", placeholder="page.one")
                    seed = seed_row(TASK)
            run, stop = run_row(TASK, "image.run", page.stop(TASK))
        with gr.Column(elem_classes="a-result", scale=62):
            progress = gr.HTML(elem_id="image-progress", elem_classes="a-live")
            preview = gr.Image(
                visible=False, show_label=False, container=False, interactive=False, buttons=[],
                elem_id="image-preview", elem_classes="a-preview", format="png",
            )  # fmt: skip
            gallery = gr.Gallery(
                show_label=False, columns=1, object_fit="contain", height="auto", visible=False,
                interactive=False, elem_id="image-gallery", buttons=["download", "fullscreen"],
            )  # fmt: skip
            details = gr.HTML(elem_id="image-details")
            with gr.Row(visible=False, elem_classes="a-send") as send:
                reuse = gr.Button(t("image.reuse_seed"), size="sm")
                caption = gr.Button(t("image.to_caption"), size="sm", elem_id="image-to-caption")
                save = gr.DownloadButton(t("page.download"), size="sm", elem_id="image-save")
            with gr.Column(elem_classes="a-empty") as empty:
                gr.Markdown(t("image.empty"))
                examples(TASK, prompt, ("image.example1", "image.example2", "image.example3"))
    seeds = gr.State([])
    page.prompts[TASK] = prompt
    outputs = [run, stop, progress, preview, gallery, details, send, save, empty, seeds]

    def show(update: Update, spoken: str) -> dict[Any, Any]:
        on = not update.final and not update.stopping
        changes: dict[Any, Any] = dict(zip((run, stop), pump.running(on), strict=True))
        changes[progress] = pump.progress(update, spoken) + pump.notes(update, spoken)
        if update.preview:
            changes[preview] = gr.update(value=_picture(update.preview), visible=True)
            changes[empty] = gr.update(visible=False)
        if update.final:
            changes[preview] = gr.update(visible=False)
        if update.artifact is not None:
            files = [page.publish(file) for file in update.artifact.files]
            changes[gallery] = gr.update(value=files, visible=True, columns=1 if len(files) == 1 else 2)
            changes[details] = made(update.artifact, spoken)
            changes[empty] = gr.update(visible=False)
            changes[send] = gr.update(visible=True)
            changes[save] = gr.update(value=files[0], visible=len(files) == 1)  # several: each in the gallery's view
            changes[seeds] = [recipe["seed"] for recipe in update.artifact.recipes]
        return changes

    def generate(
        model: str, words: str, wanted: str, unwanted: str, steps: str, guidance: str,
        scheduler: str, count: str, seed: str, request: gr.Request,
    ) -> Iterator[dict[Any, Any]]:  # fmt: skip
        width, _, height = wanted.partition("x")

        def ask() -> ImageRequest:
            return ImageRequest(
                prompt=words or "", model=model or "", negative_prompt=unwanted or "",
                width=int(width) if width else None, height=int(height) if height else None,
                steps=read_whole("steps", steps), guidance_scale=read("guidance_scale", guidance),
                scheduler=scheduler or "", count=read_whole("count", count) or 1, seed=read_whole("seed", seed),
            )  # fmt: skip

        yield from page.run(TASK, ask, show, progress, request)

    inputs = [picker.list, prompt, size, negative, steps, guidance, scheduler, count, seed]
    run.click(generate, inputs, outputs, **pumping())
    page.blocks.load(page.attach(TASK, show, progress), None, outputs, **pumping())
    reuse.click(lambda seeds: str(seeds[0]) if seeds else "", seeds, seed, **quick())
    page.on_ready.append(lambda: _send_to_caption(page, caption, gallery))


def _send_to_caption(page: Page, button: gr.Button, gallery: gr.Gallery) -> None:
    if page.tabs is None or "caption" not in page.pictures:
        return

    def send(pictures: list[tuple[str, str | None]] | None) -> tuple[Any, Any]:
        return (pictures[0][0] if pictures else gr.skip()), gr.Tabs(selected="caption")

    button.click(send, gallery, [page.pictures["caption"], page.tabs], **quick())


def _picture(png: bytes) -> Any:
    import io

    from PIL import Image

    return Image.open(io.BytesIO(png))
