"""The caption tab: a picture in, words out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.requests import CaptionRequest
from studio.types import Update
from tabs import pump
from tabs.i18n import t
from tabs.parts import made, number, read, read_whole, run_row, seed_row
from tabs.picker import ModelPicker
from tabs.shared import Page, pumping

TASK = "caption"


def build(page: Page) -> None:
    """Add the tab's parts and their events to the page."""
    with gr.Row(elem_classes="a-frame"):
        with gr.Column(elem_classes="a-input", scale=38):
            picker = ModelPicker(page, TASK)
            picture = gr.Image(
                label=t("label.image"), type="filepath", image_mode=None, sources=["upload", "clipboard"],
                height=320, elem_id="caption-image", buttons=["fullscreen"],
            )  # fmt: skip
            # The studio decodes it, with its size checked first. Gradio would open it before any handler runs, and
            # what it cannot read would end as a bare "Error" in every part of the result.
            picture.preprocess = lambda payload: payload.path if payload else None  # pyright: ignore[reportAttributeAccessIssue]
            length = gr.Radio(
                [(t("caption.short"), "short"), (t("caption.normal"), "normal"), (t("caption.long"), "long")],
                value="normal", label=t("label.length"), elem_id="caption-length",
            )  # fmt: skip
            with gr.Accordion(t("page.more"), open=False, elem_classes="a-more", elem_id="caption-more"):
                question = gr.Textbox(
                    label=t("caption.question"), info=t("help.question"), lines=2, elem_classes="a-remember",
                    elem_id="caption-question",
                )  # fmt: skip
                with gr.Row():
                    max_tokens = number(TASK, "max_tokens")
                    temperature = number(TASK, "temperature")
                seed = seed_row(TASK)
            run, stop = run_row(TASK, "caption.run", page.stop(TASK))
        with gr.Column(elem_classes="a-result", scale=62):
            progress = gr.HTML(elem_id="caption-progress", elem_classes="a-live")
            answer = gr.Textbox(
                label=t("caption.result"), lines=5, max_lines=20, interactive=True, visible=False, buttons=["copy"],
                elem_id="caption-text",
            )  # fmt: skip
            details = gr.HTML(elem_id="caption-details")
            with gr.Row(visible=False, elem_classes="a-send") as send:
                to_image = gr.Button(t("caption.to_image"), size="sm", elem_id="caption-to-image")
                to_chat = gr.Button(t("caption.to_chat"), size="sm")
            with gr.Column(elem_classes="a-empty") as empty:
                gr.Markdown(t("caption.empty"))
    page.pictures[TASK] = picture
    outputs = [run, stop, progress, answer, details, send, empty]

    def show(update: Update, spoken: str) -> dict[Any, Any]:
        on = not update.final and not update.stopping
        changes: dict[Any, Any] = dict(zip((run, stop), pump.running(on), strict=True))
        changes[progress] = pump.progress(update, spoken) + pump.notes(update, spoken)
        if update.text:
            changes[answer] = gr.update(value=page.studio.job(update.job).snapshot().text, visible=True)
            changes[empty] = gr.update(visible=False)
        if update.artifact is not None:
            changes[answer] = gr.update(value=update.artifact.text, visible=True)
            changes[details] = made(update.artifact, spoken)
            changes[empty] = gr.update(visible=False)
            changes[send] = gr.update(visible=True)
        return changes

    def caption(
        model: str, file: str | None, length: Any, question: str, max_tokens: str,
        temperature: str, seed: str, request: gr.Request,
    ) -> Iterator[dict[Any, Any]]:  # fmt: skip
        def ask() -> CaptionRequest:
            return CaptionRequest(
                image=_bytes(file), model=model or "", prompt=question or "", length=length,
                max_tokens=read_whole("max_tokens", max_tokens), temperature=read("temperature", temperature),
                seed=read_whole("seed", seed),
            )  # fmt: skip

        yield from page.run(TASK, ask, show, progress, request)

    inputs = [picker.list, picture, length, question, max_tokens, temperature, seed]
    run.click(caption, inputs, outputs, **pumping())
    page.blocks.load(page.attach(TASK, show, progress), None, outputs, **pumping())
    page.on_ready.append(lambda: [page.send_text(to_image, answer, "image"), page.send_text(to_chat, answer, "chat")])


def _bytes(file: str | None) -> bytes:
    """The uploaded file as it came; nothing where there is none."""
    try:
        return Path(file).read_bytes() if file else b""
    except OSError:
        raise StudioError("file_not_found", path=Path(str(file)).name) from None
