"""Chosen things that are not here: marked in their field, named below the prompt, and taken out with one press.

A style, an adaptation, a sampler or a VAE comes out of a picture, or was chosen before its file was deleted. Gradio
shows nothing of a value that is no choice, and the studio refuses it: so it becomes a choice that says what it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.i18n import table, text
from studio.requests import PICTURE_FORMATS
from studio.tasks.image import lora_files
from studio.tasks.image.grid_axes import FIELDS as AXES
from studio.tasks.image.schedulers import SCHEDULERS
from tabs.image import shapes
from tabs.image.fields import Fields
from tabs.shared.context import Page
from tabs.shared.events import quick
from tabs.shared.i18n import language

NAMED = ("styles", "loras", "scheduler", "vae", "refiner")
"""The fields whose values may be missing."""
_CHOSEN: Mapping[str, tuple[str, ...]] = {
    "shape": shapes.SHAPES, "format": PICTURE_FORMATS, "x_field": ("", *AXES), "y_field": ("", *AXES),
    "z_field": ("", *AXES),
}  # fmt: skip
"""Fields whose choices only another version had others of: what is unknown falls back to the first."""


class Missing:
    """The marks in the fields, and the button that takes them out."""

    def __init__(self, page: Page, fields: Fields) -> None:
        self._page, self._fields = page, fields
        self.parts = [fields.of[name] for name in NAMED]
        self.paired = gr.State([])  # the adaptations that the weights were typed for
        self.outputs = [*self.parts, fields.drop, self.paired]

    def wire(self) -> None:
        """The button follows the fields; what the browser remembers is looked through when the page opens."""
        fields, of = self._fields, self._fields.of
        raw: dict[str, Any] = quick() | {"preprocess": False}
        last: dict[str, Any] = raw | {"trigger_mode": "always_last"}
        gr.on([part.change for part in self.parts], self._follow, self.parts, fields.drop, **last)
        weights = of["lora_weights"]
        of["loras"].change(self._pair, [of["loras"], weights, self.paired], [weights, self.paired], **last)
        fields.drop.click(self._drop, [*self.parts, weights], [*self.outputs, weights], **raw)
        kept = [of[name] for name in _CHOSEN]
        names = [part.elem_id for part in (*self.parts, *kept)]
        left: dict[str, Any] = raw | {"js": f"(...now) => atelier.left('image', {names!r}, now)"}
        self._page.after_recall(
            "image", fn=self._recalled, inputs=[*self.parts, *kept], outputs=[*self.outputs, *kept], **left
        )

    def shown(self, values: Mapping[str, Any], spoken: str) -> dict[Any, Any]:
        """Updates that put these values into the fields, what is missing marked as such."""
        values = {**dict.fromkeys(NAMED, ""), **values, "loras": self._by_name(values["loras"])}
        changes: dict[Any, Any] = {}
        for name, part in zip(NAMED, self.parts, strict=True):
            marked = [(text("image.not_here", spoken, name=one), one) for one in self._absent(name, values[name])]
            changes[part] = gr.update(choices=[*self._choices(name, spoken), *marked], value=values[name])
        return {**changes, self._fields.drop: self._button(values, spoken), self.paired: list(values["loras"] or ())}

    def names(self, values: Mapping[str, Any]) -> list[str]:
        """Everything in these values that is not here."""
        return [one for name in NAMED for one in self._absent(name, values.get(name, ""))]

    def _choices(self, name: str, spoken: str) -> list[tuple[str, str]]:
        if name == "scheduler":
            return [(text("page.model_default", spoken), ""), *[(one, one) for one in SCHEDULERS]]
        if name in ("vae", "refiner"):
            nothing = "image.own_vae" if name == "vae" else "page.none"
            return [(text(nothing, spoken), ""), *[(one, one) for one in self._known(name) if one]]
        return [(_called(one, spoken), one) for one in self._known(name)]

    def _known(self, name: str) -> tuple[str, ...]:
        if name == "scheduler":
            return ("", *SCHEDULERS)
        if name in ("vae", "refiner"):
            studio = self._page.studio
            return ("", *(studio.vaes() if name == "vae" else studio.refiners()))
        return self._page.studio.styles() if name == "styles" else self._page.studio.loras()

    def _by_name(self, loras: Any) -> list[str]:
        """Adaptations by the names that they have here: other programs name their files without folders."""
        known, found = self._known("loras"), []
        for one in loras or ():
            try:
                found.append(lora_files.meant(str(one), known) or str(one))
            except StudioError:  # several have that name: the person has to say which
                found.append(str(one))
        return found

    def _absent(self, name: str, value: Any) -> list[str]:
        chosen = value if isinstance(value, list) else [value or ""]
        known = self._known(name)
        return [str(one) for one in chosen if one not in known]

    def _button(self, values: Mapping[str, Any], spoken: str) -> Any:
        names = self.names(values)
        if not names:
            return gr.update(visible=False)
        listed = text("page.comma", spoken).join(names)
        label = text("image.leave_out", spoken, names=listed if len(listed) <= 80 else listed[:79] + "…")
        return gr.update(visible=True, value=label)

    def _follow(self, styles: Any, loras: Any, scheduler: Any, vae: Any, refiner: Any, request: gr.Request) -> Any:
        return self._button(dict(zip(NAMED, (styles, loras, scheduler, vae, refiner), strict=True)), language(request))

    def _drop(
        self, styles: Any, loras: Any, scheduler: Any, vae: Any, refiner: Any, weights: str, request: gr.Request
    ) -> dict[Any, Any]:
        """The fields without what is missing; the weights go with their adaptations."""
        asked = zip(NAMED, (styles, loras, scheduler, vae, refiner), strict=True)
        lost = {name: self._absent(name, value) for name, value in asked}
        values = {
            "styles": [one for one in styles or () if one not in lost["styles"]],
            "loras": [one for one in loras or () if one not in lost["loras"]],
            "scheduler": "" if lost["scheduler"] else scheduler,
            "vae": "" if lost["vae"] else vae,
            "refiner": "" if lost["refiner"] else refiner,
        }
        left = reweighed(weights, loras or (), values["loras"])
        return {**self.shown(values, language(request)), self._fields.of["lora_weights"]: left}

    def _pair(self, loras: Any, weights: str, paired: list[str]) -> tuple[Any, list[str]]:
        """Each weight stays with its adaptation when another one is taken out by itself."""
        names = [str(name) for name in loras or ()]
        left = reweighed(weights, paired, names)
        return (gr.skip() if left == (weights or "") else left), names

    def _recalled(
        self, styles: Any, loras: Any, scheduler: Any, vae: Any, refiner: Any, shape: Any, format: Any, x: Any, y: Any,
        z: Any, request: gr.Request,
    ) -> dict[Any, Any]:  # fmt: skip
        named, kept = (styles, loras, scheduler, vae, refiner), (shape, format, x, y, z)
        changes = self.shown(dict(zip(NAMED, named, strict=True)), language(request))
        for (name, choices), value in zip(_CHOSEN.items(), kept, strict=True):
            if value not in choices:  # else it may be chosen anew while this is on its way
                changes[self._fields.of[name]] = choices[0]
        return changes


def _called(name: str, spoken: str) -> str:
    """What a style that comes with the studio is called in a language; a person's own file has its own name."""
    return table(spoken).get(f"image.style_{name.replace(' ', '_')}", name)


def reweighed(weights: str, before: Sequence[str], names: Sequence[str]) -> str:
    """The weights typed for the adaptations `before`, for those of `names`.

    Those that were typed for more than there were go to the ones that came.
    """
    if not (weights or "").strip() or list(before) == list(names):
        return weights or ""
    typed = [part.strip() for part in weights.replace(";", ",").split(",")]
    known, more = dict(zip(before, typed, strict=False)), iter(typed[len(before) :])
    found = [known.get(name, "") if name in before else next(more, "") for name in names]
    while found and not found[-1]:
        found.pop()
    return ", ".join([*found, *more])
