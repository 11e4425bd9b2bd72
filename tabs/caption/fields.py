"""The left column of the caption tab: one picture or many, how they are to be captioned, and what is made of that."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import gradio as gr

from studio.catalog import variants
from studio.errors import StudioError
from studio.media.formats import SUFFIXES
from studio.requests import CaptionRequest
from studio.tasks.caption.edits import Edits
from studio.tasks.caption.runs import Manner
from tabs.shared import preset_row
from tabs.shared.context import Page
from tabs.shared.events import quick
from tabs.shared.i18n import language, t
from tabs.shared.model_picker import ModelPicker
from tabs.shared.widgets import fold, number, read_number, read_whole, seed_row

TASK = "caption"
NONE = ""
LANGUAGES = (NONE, "en", "zh")
COUNTS = (1, 2, 4)
_ASKED = {"en": "in English", "zh": "用中文描述"}
"""What asks for a language and for nothing else (studio.tasks.caption.styles.language_asked)."""
_PARTS = re.compile(r"[,，、;；\n]")
_PAIR = re.compile(r"\s*(?:=|→|->)\s*")


class Fields:
    """The widgets by name. Handlers ask for their values raw (`preprocess=False`): see tabs.shared.uploaded."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.of: dict[str, Any] = {}
        self.picker = ModelPicker(page, TASK)
        self.of["model"] = self.picker.list
        self.of["what"] = gr.Radio(
            [(t("caption.one"), "one"), (t("caption.many"), "many")], value="one", show_label=False,
            label=t("caption.what"), elem_id="caption-what", elem_classes="a-switch-row",
        )  # fmt: skip
        with gr.Column(elem_classes="a-source", min_width=0) as self.one:
            self.of["picture"] = gr.Image(
                label=t("label.image"), type="filepath", image_mode=None, sources=["upload", "clipboard"],
                height=300, elem_id="caption-image", buttons=["fullscreen"],
            )  # fmt: skip
            with gr.Column(elem_id="caption-unseen", elem_classes="a-hidden", min_width=0):
                self.unseen = gr.UploadButton("", type="filepath", elem_id="caption-unseen-file")
        with gr.Column(elem_classes="a-source", min_width=0, visible=False) as self.many:
            self._sources()

    def settings(self) -> None:
        """Everything below the run button, the model last."""
        with gr.Row(elem_classes="a-chips"):
            self.of["style"] = gr.Dropdown(
                [(t(f"caption.style_{name}"), name) for name in ("plain", "prompt", "tags", "alt")], value="plain",
                label=t("label.caption_style"), elem_id="caption-style", filterable=False, min_width=0,
            )  # fmt: skip
            self.of["length"] = gr.Dropdown(
                [(t(f"caption.{name}"), name) for name in ("short", "normal", "long")], value="normal",
                label=t("label.length"), elem_id="caption-length", filterable=False, min_width=0,
            )  # fmt: skip
            self.of["language"] = gr.Dropdown(
                [(t(f"caption.language_{name or 'page'}"), name) for name in LANGUAGES], value=NONE,
                label=t("label.caption_language"), elem_id="caption-language", filterable=False, min_width=0,
            )  # fmt: skip
        with gr.Column(min_width=0, visible=False, elem_classes="a-source") as self.edits:
            with fold("caption-edits", "caption.edits"):
                self._edits()
        with fold("caption-more", "page.more"):
            self._more()
        self.presets = preset_row.place(self._page, TASK)
        self.picker.place()

    @property
    def inputs(self) -> set[Any]:
        """What a handler asks for to get every field's value."""
        return set(self.of.values())

    def named(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        """The values that Gradio gives by component, by name."""
        return {name: values[part] for name, part in self.of.items()}

    def language(self, given: Mapping[str, Any], request: gr.Request) -> str:
        """In which language a caption has to be asked for: the chosen one, else the page's where the model speaks it.

        Empty for English from models that speak nothing else, and where an opening has a language of its own.
        """
        card = self._page.studio.catalog.find(given["model"] or "") or self._page.studio.default_model(TASK)
        several = "zh" in card.languages
        if chosen := given["language"]:
            return chosen if several or chosen != "en" else ""
        return "zh" if several and language(request) != "en" and not (given["opening"] or "").strip() else ""

    def wire(self) -> None:
        def turn(what: str) -> list[Any]:
            many = what == "many"
            return [gr.update(visible=not many), *[gr.update(visible=many)] * 2, *[gr.update(visible=not many)] * 2]

        only_one = [self.of["count"], self.of["other"]]
        self.of["what"].change(turn, self.of["what"], [self.one, self.many, self.edits, *only_one], **quick())
        self.of["picture"].change(  # one that another tab sends is to be seen
            lambda file: "one" if file else gr.skip(), self.of["picture"], self.of["what"], preprocess=False, **quick()
        )
        page = self._page

        def others(request: gr.Request) -> Any:
            return gr.update(choices=[(t("caption.other_none"), NONE), *self._models(language(request))])

        page.localised(others, None, self.of["other"])

    def _sources(self) -> None:
        settings = self._page.studio.settings
        self.of["files"] = gr.File(
            file_count="multiple", file_types=["image", *SUFFIXES, ".zip", ".txt", ".caption", ".jsonl"],
            label=t("caption.files"), height=170, elem_id="caption-files",
        )  # fmt: skip
        local = settings.profile == "local"
        self.of["folder"] = gr.Textbox(
            label=t("caption.folder"), info=t("help.folder"), max_lines=1, visible=local, elem_id="caption-folder",
        )  # fmt: skip
        self.of["recursive"] = gr.Checkbox(
            label=t("caption.recursive"), value=False, visible=local, elem_id="caption-recursive"
        )
        self.of["mode"] = gr.Radio(
            [(t(f"caption.mode_{name}"), name) for name in ("skip", "overwrite", "append", "prepend")], value="skip",
            label=t("caption.mode"), elem_id="caption-mode",
        )  # fmt: skip
        self.of["dry"] = gr.Checkbox(label=t("caption.dry"), value=True, elem_id="caption-dry")

    def _edits(self) -> None:
        self.of["trigger"] = _text("trigger")
        self.of["replace"] = _text("replace", lines=2)
        self.of["ban"] = _text("ban")
        self.of["token_limit"] = number(TASK, "token_limit", placeholder="caption.no_limit")

    def _more(self) -> None:
        self.of["prompt"] = _text("question", lines=2, name="caption.question")
        self.of["opening"] = _text("opening")
        with gr.Row():
            self.of["require"] = _text("require", min_width=120)
            self.of["forbid"] = _text("forbid", min_width=120)
        self.of["count"] = gr.Radio(
            [(str(count), count) for count in COUNTS], value=1, label=t("label.count"), elem_id="caption-count"
        )
        self.of["other"] = gr.Dropdown(
            [(t("caption.other_none"), NONE)], value=NONE, label=t("caption.other"), info=t("help.other"),
            elem_id="caption-other", filterable=False,
        )  # fmt: skip
        with gr.Row():
            self.of["max_tokens"] = number(TASK, "max_tokens")
            self.of["temperature"] = number(TASK, "temperature")
        self.of["seed"] = seed_row(TASK)

    def _models(self, spoken: str) -> list[tuple[str, str]]:
        return [(variants.title(info.card, spoken), info.card.id) for info in self._page.studio.models.list(TASK)]


def wanted_request(
    values: Mapping[str, Any], image: bytes = b"", model: str = "", language: str = ""
) -> CaptionRequest:
    """The request that the fields ask for.

    Args:
        image: the picture; none where the request stands for many.
        model: instead of the one that is chosen.
        language: in which to answer, where nothing else says so.

    Raises:
        StudioError: a number that is none.
    """
    return CaptionRequest(
        image=image,
        model=model or values["model"] or "",
        prompt=values["prompt"] or _ASKED.get(language, ""),
        length=values["length"],
        style=values["style"],
        opening=values["opening"] or "",
        require=words(values["require"]),
        forbid=words(values["forbid"]),
        count=read_whole("count", str(values["count"] or 1)) or 1,
        max_tokens=read_whole("max_tokens", values["max_tokens"]),
        temperature=read_number("temperature", values["temperature"]),
        seed=read_whole("seed", values["seed"]),
    )


def manner(values: Mapping[str, Any]) -> Manner:
    """How a run writes. Raises StudioError: a number that is none, a replacement without its two sides."""
    limit = read_whole("token_limit", values["token_limit"])
    if isinstance(limit, float):
        raise StudioError("not_a_number", field="field.token_limit")
    edits = Edits((values["trigger"] or "").strip(), tuple(pairs(values["replace"])), words(values["ban"]), limit or 0)
    return Manner(values["mode"], edits, bool(values["recursive"]), bool(values["dry"]))


def words(typed: str | None) -> tuple[str, ...]:
    """What was typed into a field that takes several words, parted by commas or lines."""
    return tuple(part.strip() for part in _PARTS.split(typed or "") if part.strip())


def pairs(typed: str | None) -> Iterable[tuple[str, str]]:
    """Lines of "A = B". Raises StudioError where a line has no two sides."""
    for line in (typed or "").splitlines():
        if line.strip():
            found = _PAIR.split(line.strip(), maxsplit=1)
            if len(found) < 2 or not found[0]:
                raise StudioError("caption_pair", line=line.strip()[:60])
            yield found[0], found[1]


def _text(id: str, lines: int = 1, name: str = "", **more: Any) -> gr.Textbox:
    return gr.Textbox(
        label=t(name or f"label.{id}"), info=t(f"help.{id}"), lines=lines, max_lines=max(lines, 4),
        elem_id=f"caption-{id}", **more,
    )  # fmt: skip
