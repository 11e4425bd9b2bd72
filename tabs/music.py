"""The music tab: a prompt in, sound out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from studio.requests import MusicRequest
from studio.types import Update
from tabs import pump
from tabs.i18n import t
from tabs.parts import examples, made, number, read, read_whole, run_row, seed_row
from tabs.picker import ModelPicker
from tabs.shared import Page, pumping
from tabs.theme import LIGHT

TASK = "music"
PLAYERS = 4
"""Pieces that one run may make: each has a player of its own."""


def build(page: Page) -> None:
    """Add the tab's parts and their events to the page."""
    with gr.Row(elem_classes="a-frame"):
        with gr.Column(elem_classes="a-input", scale=38):
            picker = ModelPicker(page, TASK)
            prompt = gr.Textbox(
                label=t("label.prompt"), placeholder=t("music.placeholder"), lines=4, max_lines=12,
                elem_id="music-prompt", elem_classes="a-remember",
            )  # fmt: skip
            duration = number(TASK, "duration")
            with gr.Accordion(t("page.more"), open=False, elem_classes="a-more", elem_id="music-more"):
                negative = gr.Textbox(label=t("label.negative_prompt"), info=t("help.only_some"), lines=2)
                lyrics = gr.Textbox(label=t("label.lyrics"), info=t("help.lyrics"), lines=4)
                with gr.Row():
                    guidance = number(TASK, "guidance_scale", "help.guidance_scale_sound")
                    steps = number(TASK, "steps", "help.only_some")
                with gr.Row():
                    temperature = number(TASK, "temperature")
                    top_k = number(TASK, "top_k")
                with gr.Row():
                    count = number(TASK, "count", placeholder="page.one")
                    seed = seed_row(TASK)
            run, stop = run_row(TASK, "music.run", page.stop(TASK))
        with gr.Column(elem_classes="a-result", scale=62):
            progress = gr.HTML(elem_id="music-progress", elem_classes="a-live")
            players = [
                gr.Audio(
                    visible=False, interactive=False, type="filepath", autoplay=False, show_label=False,
                    buttons=["download"], elem_id=f"music-player-{i}",
                    waveform_options=gr.WaveformOptions(
                        waveform_color=LIGHT["line-strong"], waveform_progress_color=LIGHT["accent"]
                    ),
                )
                for i in range(PLAYERS)
            ]  # fmt: skip
            notes = gr.File(
                label=t("music.notes"), file_count="multiple", interactive=False, visible=False, elem_id="music-notes"
            )
            details = gr.HTML(elem_id="music-details")
            with gr.Column(elem_classes="a-empty") as empty:
                gr.Markdown(t("music.empty"))
                examples(TASK, prompt, ("music.example1", "music.example2", "music.example3"))
    page.prompts[TASK] = prompt
    outputs = [run, stop, progress, *players, notes, details, empty]

    def show(update: Update, spoken: str) -> dict[Any, Any]:
        on = not update.final and not update.stopping
        changes: dict[Any, Any] = dict(zip((run, stop), pump.running(on), strict=True))
        changes[progress] = pump.progress(update, spoken) + pump.notes(update, spoken)
        if update.artifact is not None:
            files = update.artifact.files
            for i, player in enumerate(players):
                here = i < len(files)
                changes[player] = gr.update(value=page.publish(files[i]) if here else None, visible=here)
            written = [page.publish(file) for file in map(_notes, files[:PLAYERS]) if file.is_file()]
            changes[notes] = gr.update(value=written or None, visible=bool(written))
            changes[details] = made(update.artifact, spoken)
            changes[empty] = gr.update(visible=False)
        return changes

    def generate(
        model: str, words: str, duration: str, unwanted: str, lyrics: str, guidance: str,
        steps: str, temperature: str, top_k: str, count: str,
        seed: str, request: gr.Request,
    ) -> Iterator[dict[Any, Any]]:  # fmt: skip
        def ask() -> MusicRequest:
            return MusicRequest(
                prompt=words or "", model=model or "", negative_prompt=unwanted or "", lyrics=lyrics or "",
                duration=read("duration", duration), steps=read_whole("steps", steps),
                guidance_scale=read("guidance_scale", guidance), temperature=read("temperature", temperature),
                top_k=read_whole("top_k", top_k), count=min(read_whole("count", count) or 1, PLAYERS),
                seed=read_whole("seed", seed),
            )  # fmt: skip

        yield from page.run(TASK, ask, show, progress, request)

    inputs = [picker.list, prompt, duration, negative, lyrics, guidance, steps, temperature, top_k, count, seed]
    run.click(generate, inputs, outputs, **pumping())
    page.blocks.load(page.attach(TASK, show, progress), None, outputs, **pumping())


def _notes(file: Path) -> Path:
    """Where the notes of a piece lie, if its model writes any."""
    return file.with_suffix(".mid")
