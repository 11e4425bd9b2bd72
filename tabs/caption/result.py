"""One picture's result: its caption, others to choose from, a second model's beside it, and its own prompt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.i18n import ASSETS, LANGUAGES, text
from studio.recipes import inspect
from studio.results import Artifact, Update
from studio.tasks.caption import doubt
from tabs.caption.fields import Fields
from tabs.shared import job_progress, uploaded
from tabs.shared.context import Page
from tabs.shared.events import quick
from tabs.shared.i18n import language, said, t
from tabs.shared.widgets import PASSING, made, menu, taking_menu

PICTURES = ASSETS / "examples"
EXAMPLES = ("rocket", "cactus", "sunflower")
"""Files in PICTURES that the starter names rightly."""


class Result:
    """The right column for one picture."""

    def __init__(self, page: Page) -> None:
        self._page = page
        with gr.Column(min_width=0, elem_classes="a-source") as self.column:
            self.answer = gr.Textbox(
                label=t("caption.result"), lines=5, max_lines=20, interactive=True, visible=False, buttons=["copy"],
                elem_id="caption-text", elem_classes=PASSING,
            )  # fmt: skip
            self.choices = gr.Radio(
                [],
                label=t("caption.choose"),
                visible=False,
                elem_id="caption-choices",
                elem_classes=["a-choices", PASSING],
            )
            t("caption.of_this")  # said by assets/page/captions.js
            self.details = gr.HTML(elem_id="caption-details")
            with gr.Column(min_width=0, visible=False, elem_classes="a-source") as self.second:
                self.other = gr.Textbox(
                    label=t("caption.result_other"), lines=4, max_lines=20, interactive=True, buttons=["copy"],
                    elem_id="caption-other-text", elem_classes=PASSING,
                )  # fmt: skip
                self.other_details = gr.HTML(elem_id="caption-other-details")
                with gr.Row(elem_classes="a-send"):
                    self.take = gr.Button(t("caption.take_other"), size="sm", elem_id="caption-take-other")
            with gr.Row(visible=False, elem_classes="a-send") as self.send:
                with menu("caption-use", "page.use_in"):
                    self.to_image = gr.Button(t("caption.to_image"), size="sm", elem_id="caption-to-image")
                    self.to_music = gr.Button(t("caption.to_music"), size="sm", elem_id="caption-to-music")
                    self.to_chat = gr.Button(t("caption.to_chat"), size="sm", elem_id="caption-to-chat")
                    if page.studio.archive is not None:
                        own = ("image.prompt", "music.prompt", "chat.prompt")
                        taking_menu("#caption-details", own, "#caption-text textarea")
            self.own = gr.Textbox(
                label=t("caption.own"), lines=2, max_lines=10, interactive=False, visible=False, buttons=["copy"],
                elem_id="caption-own",
            )  # fmt: skip
            self.own_model = gr.HTML(elem_id="caption-own-model")  # not an `info`, which is read as Markdown
            with gr.Column(elem_classes="a-empty") as self.empty:
                gr.HTML(said("caption.empty", "h2", "a-ask"))
                with gr.Row(elem_classes="a-examples", elem_id="caption-examples"):
                    self.examples = {name: _example(name) for name in EXAMPLES}

    @property
    def outputs(self) -> list[Any]:
        return [
            self.answer, self.choices, self.details, self.second, self.other, self.other_details, self.send,
            self.empty,
        ]  # fmt: skip

    def show(self, update: Update, spoken: str, second: bool) -> dict[Any, Any]:
        """What changes for an update.

        Args:
            second: it is the other model's caption.
        """
        answer, details = (self.other, self.other_details) if second else (self.answer, self.details)
        changes: dict[Any, Any] = {}
        if update.text or update.artifact is not None:
            words = self._page.studio.job(update.job).snapshot().text if update.artifact is None else ""
            changes[answer] = gr.update(value=words, visible=True)
            changes[self.empty] = gr.update(visible=False)
            if second:
                changes[self.second] = gr.update(visible=True)
            else:
                changes[self.second] = gr.update(visible=False)
                changes[self.choices] = gr.update(visible=False)
        if update.artifact is not None:
            refusal = _refusal(update.artifact, spoken)
            words = refusal or update.artifact.text
            told = self.told(update.artifact, spoken) + job_progress.notes(update, spoken)
            changes |= {answer: gr.update(value=words, visible=True), details: told}
            if not (second and refusal):  # nobody wants to paint a refusal; the first caption is still there
                changes[self.send] = gr.update(visible=not refusal)
            if len(texts := update.artifact.texts) > 1 and not second:
                changes[self.choices] = gr.update(choices=list(texts), value=texts[0], visible=True)
        return changes

    def told(self, artifact: Artifact, spoken: str) -> str:
        """The line under a caption, and what it is called in the library."""
        return made(artifact, spoken) + "".join(job_progress.chosen(id) for id in self._page.ids(artifact)[:1])

    def wire(self, fields: Fields) -> None:
        page = self._page
        raw: dict[str, Any] = quick() | {"preprocess": False}  # Gradio would refuse choices it did not know at first
        self.choices.input(lambda chosen: chosen or gr.skip(), self.choices, self.answer, **raw)
        self.take.click(lambda other: other, self.other, self.answer, **quick())
        for name, button in self.examples.items():
            filled = button.click(self._fill(name), None, fields.of["picture"], **quick())
            filled.then(None, None, None, js="() => atelier.run('caption')", **quick())
        fields.of["picture"].change(self._read, fields.of["picture"], [self.own, self.own_model], **raw)
        page.on_ready.append(lambda: [
            page.send_text(self.to_image, self.answer, "image"), page.send_text(self.to_music, self.answer, "music"),
            page.send_text(self.to_chat, self.answer, "chat"),
        ])  # fmt: skip

    def _fill(self, name: str) -> Callable[[], str]:
        return lambda: self._page.publish(PICTURES / f"{name}.png")

    def _read(self, file: Any, request: gr.Request) -> Any:
        """The prompt that a picture carries, where it carries one."""
        try:
            found = inspect.read_settings(uploaded.read_upload(file)) if file else None
        except StudioError:
            found = None
        prompt = str(found.fields.get("prompt") or "") if found else ""
        named = text("caption.own_model", language(request), model=found.model) if found and found.model else ""
        return gr.update(value=prompt, visible=bool(prompt)), job_progress.note(named) if named else ""


def _example(name: str) -> gr.Button:
    """A small picture to try, with what it is called."""
    return gr.Button(
        t(f"caption.example_{name}"), icon=PICTURES / f"{name}.png", size="sm", elem_classes="a-example a-pictured"
    )


def _refusal(artifact: Artifact, spoken: str) -> str:
    """That there is nothing to name, to a person in the page's language; captions are in the one that was asked for."""
    key = f"caption.said_{doubt.strange(artifact.notes).removeprefix('caption_')}"
    refused = doubt.strange(artifact.notes) and artifact.text in (text(key, each) for each in LANGUAGES)
    return text(key, spoken) if refused else ""
