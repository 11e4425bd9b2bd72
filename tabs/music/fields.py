"""The left column of the music tab: its fields, what they ask for, and what a piece was made with, as fields."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.i18n import text
from studio.recipes import recipe
from studio.requests import MusicRequest, Task
from studio.tasks.music import performance, reading_text
from studio.tasks.music.keys import key_of, names, spelling, whole_name
from studio.tasks.music.melody_tokens import METRES, MODES
from tabs.music.input_audio import SoundFields
from tabs.shared import job_progress, preset_row, uploaded
from tabs.shared.context import Page
from tabs.shared.events import quick
from tabs.shared.i18n import language, t
from tabs.shared.model_picker import ModelPicker
from tabs.shared.widgets import fold, number, read_number, read_whole, seed_row, typed_number

TASK: Task = "music"
MOST_AT_ONCE = 4
"""Pieces that one press of the button makes at most."""
_TEXTS = ("prompt", "negative_prompt", "lyrics", "key", "metre", "players", "melody")
_NUMBERS = ("duration", "tempo", "guidance_scale", "temperature")
_WHOLES = ("bars", "steps", "top_k", "count", "seed")


class Fields:
    """The parts of the column by the name of the request's field."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.picker = ModelPicker(page, TASK)
        self.of: dict[str, Any] = {"model": self.picker.list}
        self.of["prompt"] = gr.Textbox(
            label=t("label.prompt"), placeholder=t("music.placeholder"), lines=3, max_lines=12,
            elem_id="music-prompt",
        )  # fmt: skip
        self.reading = gr.HTML(elem_id="music-reading", elem_classes="a-under")

    def settings(self) -> None:
        """Everything below the run button, the model last."""
        page = self._page
        with gr.Row(elem_classes="a-sides"):
            self.of["duration"] = number(TASK, "duration", None)
            self.of["bars"] = number(TASK, "bars", None, placeholder="music.as_read")
            self.of["tempo"] = number(TASK, "tempo", None, placeholder="music.as_read")
        with gr.Row(elem_classes="a-sides"):
            self.of["key"] = _choice("key", [(t("music.as_read"), ""), *_keys()])
            self.of["metre"] = _choice("metre", [(t("music.as_read"), ""), *((one, one) for one in METRES)])
        self.of["loop"] = gr.Checkbox(label=t("label.loop"), info=t("help.loop"), elem_id="music-loop")
        self.sound = SoundFields(page, self.picker)
        self.of |= self.sound.of
        with fold("music-more", "page.more"):
            self.of["players"] = gr.Textbox(
                label=t("label.players"), info=t("help.players"), placeholder=t("music.as_read"), max_lines=1,
                elem_id="music-players",
            )  # fmt: skip
            self.of["melody"] = gr.Textbox(
                label=t("label.melody"), info=t("help.melody"), max_lines=3, elem_id="music-melody"
            )
            with gr.Row():
                self.of["count"] = number(TASK, "count", placeholder="page.one")
                self.of["seed"] = seed_row(TASK)
            self.of["negative_prompt"] = gr.Textbox(
                label=t("label.negative_prompt"), info=t("help.only_some"), lines=1, elem_id="music-negative-prompt"
            )
            self.of["lyrics"] = gr.Textbox(
                label=t("label.lyrics"), info=t("help.lyrics"), lines=3, elem_id="music-lyrics"
            )
            with gr.Row():
                self.of["guidance_scale"] = number(TASK, "guidance_scale", "help.guidance_scale_sound")
                self.of["steps"] = number(TASK, "steps", "help.only_some")
            with gr.Row():
                self.of["temperature"] = number(TASK, "temperature")
                self.of["top_k"] = number(TASK, "top_k")
        with gr.Row(elem_classes="a-below"):
            self.restore = gr.UploadButton(
                t("music.restore"), size="sm", file_types=["audio", ".mid", ".midi"], elem_id="music-restore",
                type="filepath", elem_classes="a-quiet-button",
            )  # fmt: skip
        self.restored = gr.HTML(elem_id="music-restored", elem_classes="a-live")
        self.presets = preset_row.place(self._page, TASK)
        self.picker.place()

    @property
    def inputs(self) -> list[Any]:
        return list(self.of.values())

    @property
    def restoring(self) -> list[Any]:
        """What `filled` changes."""
        return [self.restored, *self.inputs]

    def filled(self, made: Mapping[str, Any], spoken: str) -> dict[Any, Any]:
        """All fields as a piece had them, and a line that says so. A model that is not here leaves the one chosen."""
        changes: dict[Any, Any] = {self.of[name]: value for name, value in fields_of(made).items()}
        if (card := self._page.studio.catalog.find(made["model"]["id"])) and TASK in card.tasks:
            choices, _ = self.picker.choices(spoken, card.id)
            changes[self.of["model"]] = gr.update(choices=choices, value=card.id)
        heard, found = self.sound.filled(made)
        said = job_progress.note(text("music.restored", spoken, seed=made["seed"]))
        return {
            **changes,
            **heard,
            self.restored: said if found else said + job_progress.note(text("music.sound_gone", spoken)),
        }

    def onwards(self, made: Mapping[str, Any], file: Path, seconds: float, spoken: str) -> dict[Any, Any]:
        """The fields for a piece that begins like this one up to a moment, and goes on otherwise.

        A composed one is kept up to a bar; for models that make sound, the sound itself.
        """
        if performance.melody(made.get("played", {})) is None:
            changes = {**self.filled(made, spoken), **self.sound.going_on(file, seconds), self.of["seed"]: ""}
            return {**changes, self.restored: job_progress.note(text("music.on_sound", spoken))}
        known = performance.clean(made.get("played", {}))
        words, bars = performance.until(known, seconds)
        if not bars:
            return {self.restored: job_progress.note(text("music.on_nothing", spoken))}
        changes = self.filled(made, spoken)
        fixed = {
            "key": known["key"], "metre": known["metre"], "tempo": typed_number(known["tempo"]),
            "bars": str(known["bars"]), "loop": known.get("loop", False), "melody": words, "seed": "",
        }  # fmt: skip
        changes |= {self.of[name]: value for name, value in fixed.items()}
        return {**changes, self.restored: job_progress.note(text("music.on_from", spoken, bars=bars))}

    def _restored(self, dropped: str | None, request: gr.Request) -> dict[Any, Any]:
        changes: dict[Any, Any] = {self.restore: None}  # so that the same file can be dropped again
        if not dropped:
            return changes
        spoken = language(request)
        try:
            made = recipe.read_recipe(uploaded.read_upload(dropped))
        except StudioError:
            made = None
        if made is None or made["task"] != TASK:
            return {**changes, self.restored: job_progress.note(text("music.nothing_restored", spoken))}
        return {**changes, **self.filled(made, spoken)}

    def wire(self) -> None:
        """Say how the prompt and the fields beside it are understood, after every pause in typing."""
        names = ("model", "prompt", "key", "metre", "players", "duration", "bars", "tempo", "loop")
        inputs = [self.of[name] for name in names]

        def say(request: gr.Request, *values: Any) -> str:
            return reading_line(self._page, dict(zip(names, values, strict=True)), language(request))

        self.sound.wire()
        self.restore.upload(self._restored, self.restore, [self.restore, *self.restoring], **quick())
        for part in inputs:
            part.change(say, inputs, self.reading, preprocess=False, **quick() | {"trigger_mode": "always_last"})


def wanted_request(values: Mapping[str, Any], sound: Mapping[str, Any] | None = None) -> MusicRequest:
    """The request that the fields describe.

    Args:
        sound: what it takes of the sound beside them (tabs.music.input_audio.taken_sound).

    Raises:
        StudioError: a number that is none.
    """
    known: dict[str, Any] = {name: values.get(name) or "" for name in _TEXTS}
    known |= {name: read_number(name, values.get(name)) for name in _NUMBERS}
    known |= {name: read_whole(name, values.get(name)) for name in _WHOLES}
    known["tempo"], known["bars"] = known["tempo"] or 0.0, known["bars"] or 0
    known["count"] = min(known["count"] or 1, MOST_AT_ONCE)
    known |= {**sound, "sound_keep": read_number("sound_keep", values.get("sound_keep")) or 0.0} if sound else {}
    return MusicRequest(model=values.get("model") or "", loop=bool(values.get("loop")), **known)


def fields_of(made: Mapping[str, Any]) -> dict[str, Any]:
    """The fields' values for what a piece was made with; what is not known is emptied."""
    given = made["parameters"]
    out: dict[str, Any] = {name: str(given.get(name) or "")[:10_000] for name in _TEXTS}
    for name in (*_NUMBERS, *_WHOLES):
        value = given.get(name)
        unsaid = value == 0 and name in ("tempo", "bars")
        plain = isinstance(value, int | float) and not isinstance(value, bool) and not unsaid
        out[name] = typed_number(value) if plain else ""
    if out["metre"] not in METRES:
        out["metre"] = ""
    key = key_of(out["key"])
    out["key"] = whole_name(*key, spelling(out["key"], *key)) if key else ""  # as the list has it, spelled as it was
    out["seed"], out["count"] = str(made["seed"]), ""
    out["loop"] = given.get("loop") is True
    return out


def reading_line(page: Page, values: Mapping[str, Any], spoken: str) -> str:
    """How the fields are understood, as HTML; nothing where the model does not say, or there is nothing to read."""
    try:
        asked = wanted_request(values)
        found = page.studio.reading(asked) if asked.prompt.strip() else None
    except StudioError:  # said when it is asked for
        return ""
    if found is None:
        return ""
    return "".join(f"<p>{html.escape(line)}</p>" for line in reading_text.lines(found, spoken))


def _choice(name: str, choices: list[tuple[Any, str]]) -> gr.Dropdown:
    return gr.Dropdown(choices, value="", label=t(f"label.{name}"), elem_id=f"music-{name}", min_width=0)


def _keys() -> list[tuple[Any, str]]:
    """All keys: majors, minors, and the modes that folk music has."""
    return [(key, key) for mode in MODES for key in (f"{name} {mode}" for name in names(mode))]
