"""Form of the image tab: its fields as a request, and a picture's settings as fields.

Values by name, as the page holds them: numbers are texts that may be empty. Knows nothing of widgets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studio.catalog.card import Card
from studio.errors import StudioError
from studio.library.file_names import Keep
from studio.request_parts import Axis, Detail, Lora
from studio.requests import ImageRequest
from tabs.image import editing, region_map, shapes, shown, source, steering
from tabs.shared.widgets import read_number, read_whole, typed_number

EXTEND = ("extend_left", "extend_right", "extend_up", "extend_down")
EMPTY: Mapping[str, Any] = {
    "prompt": "", "styles": [], "shape": "", "width": "", "height": "", "count": "", "seed": "",
    "negative_prompt": "", "steps": "", "guidance_scale": "", "scheduler": "", "clip_skip": "", "variation": "",
    "variation_seed": "", "strength": "", **dict.fromkeys(EXTEND, ""), "hires_scale": "", "hires_strength": "",
    editing.USE: "", "masked_only": False, "mask_padding": "", "mask_blur": "", "seamless": "", "rng": "",
    "vae": "", "refiner": "", "refiner_at": "", "detail_on": False, "detail_name": "", "detail_strength": "",
    "detail_prompt": "", "detail_confidence": "",
    "tiling": False, "loras": [], "lora_weights": "", "x_field": "", "x_values": "", "y_field": "", "y_values": "",
    "z_field": "", "z_values": "", "series": "",
}  # fmt: skip
"""Every field that has a say in the picture, as it is when nothing was asked for."""
_TYPED = (
    "steps", "guidance_scale", "strength", "clip_skip", "variation", "hires_scale", "hires_strength", "mask_padding",
    "mask_blur", "refiner_at",
)  # fmt: skip
_NOTHING: Mapping[str, Any] = {
    "clip_skip": 0, "variation": 0.0, "hires_scale": 1.0, "mask_padding": 32, "mask_blur": 4, "refiner_at": 0.8,
}  # fmt: skip
"""What an empty field stands for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request, and what is to happen with it."""

    request: ImageRequest
    x: Axis | None
    y: Axis | None
    z: Axis | None
    keep: Keep
    previews: bool
    series: str = ""


def wanted_pictures(values: Mapping[str, Any], card: Card, drawing: source.Drawing) -> Wanted:
    """What the fields ask for.

    Raises:
        StudioError: a number that is none, a picture that cannot be read, an axis without values.
    """
    sides = (axis(values[f"{side}_field"], values[f"{side}_values"]) for side in "xyz")
    x, y, z = [*filter(None, sides), None, None, None][:3]
    keep = Keep((values["pattern"] or "").strip(), values["format"] or "png", bool(values["metadata"]))
    series = values["series"] or ""
    return Wanted(
        request(values, card, drawing), x, y, z, keep, bool(values["previews"]), series if series.strip() else ""
    )


def request(values: Mapping[str, Any], card: Card, drawing: source.Drawing) -> ImageRequest:
    """The request that the fields describe. Raises StudioError as `wanted_pictures`."""
    extend = [_whole(values, name, "extend") or 0 for name in EXTEND]
    edits = editing.chosen(values, card)
    start = source.Start() if edits else source.start(drawing, extend)
    scale = _number(values, "hires_scale") or 1.0
    width, height = _size(values, card, start, scale)
    padding, blur = _whole(values, "mask_padding"), _whole(values, "mask_blur")
    return ImageRequest(
        prompt=values["prompt"] or "", model=card.id, negative_prompt=values["negative_prompt"] or "",
        styles=tuple(values["styles"] or ()), width=width, height=height,
        steps=_whole(values, "steps"), guidance_scale=_number(values, "guidance_scale"),
        scheduler=values["scheduler"] or "", count=_whole(values, "count") or 1, seed=_whole(values, "seed"),
        image=start.image, mask=start.mask, strength=_number(values, "strength"),
        variation=_number(values, "variation") or 0.0, variation_seed=_whole(values, "variation_seed"),
        clip_skip=_whole(values, "clip_skip") or 0, tiling=bool(values["tiling"]),
        seamless=values["seamless"] or "", rng=values["rng"] or "", vae=values["vae"] or "",
        refiner=values["refiner"] or "", refiner_at=_number(values, "refiner_at") or _NOTHING["refiner_at"],
        loras=loras(values["loras"] or (), values["lora_weights"] or ""),
        hires_scale=scale, hires_strength=_number(values, "hires_strength"), masked_only=bool(values["masked_only"]),
        mask_padding=_NOTHING["mask_padding"] if padding is None else padding,
        mask_blur=_NOTHING["mask_blur"] if blur is None else blur, controls=steering.wanted(values),
        pictures=editing.wanted(values) if edits else (),
        references=shown.wanted(values),
        regions=region_map.wanted(values), details=details(values),
    )  # fmt: skip


def axis(field: str, typed: str) -> Axis | None:
    """One side of a grid as it was typed; None where no field was chosen."""
    return Axis(field, (typed or "",)) if field else None


def loras(names: Any, weights: str) -> tuple[Lora, ...]:
    """Adaptations with the weights typed for them in the same order; 1 for those without.

    Raises:
        StudioError: a weight is no number.
    """
    typed = weights.replace(";", ",").split(",")
    found = [read_number("field.lora_weight", part) for part in typed]
    return tuple(
        Lora(name, 1.0 if i >= len(found) or (weight := found[i]) is None else weight) for i, name in enumerate(names)
    )


def details(values: Mapping[str, Any]) -> tuple[Detail, ...]:
    """What is painted again in finished pictures. Raises StudioError: a strength is no number."""
    if not values.get("detail_on") or not values.get("detail_name"):
        return ()
    numbers = {"detail_strength": 0.4, "detail_confidence": 0.5}
    typed = {name: read_number(f"field.{name}", values.get(name)) for name in numbers}
    strength, sure = (numbers[name] if value is None else value for name, value in typed.items())
    return (Detail(values["detail_name"], strength, (values.get("detail_prompt") or "").strip(), sure),)


def fields(made: Mapping[str, Any], card: Card) -> dict[str, Any]:
    """The fields' values for what a picture was made with: fields of ImageRequest, only those that are known.

    What is not known is emptied, so that nothing of what stood there before has a say.
    """
    out = dict(EMPTY)
    for name in ("prompt", "negative_prompt", "scheduler", "vae", "refiner"):
        out[name] = str(made.get(name) or "")
    for name in _TYPED:
        if name in made and made[name] != _NOTHING.get(name):
            out[name] = typed_number(made[name])
    if "seed" in made:
        out["seed"] = typed_number(made["seed"])
    if made.get("count", 1) != 1:
        out["count"] = typed_number(made["count"])
    if made.get("variation") and "variation_seed" in made:
        out["variation_seed"] = typed_number(made["variation_seed"])
    if not made.get("image"):
        out["strength"] = ""
    if made.get("hires_scale", 1) == 1:
        out["hires_strength"] = ""
    out["tiling"], out["masked_only"] = made.get("tiling") is True, made.get("masked_only") is True
    out["seamless"], out["rng"] = made.get("seamless") or "", made.get("rng") or ""
    out[editing.USE] = editing.EDIT if made.get("pictures") else ""
    if again := tuple(made.get("details", ())):
        first = again[0]
        out |= {"detail_on": True, "detail_name": first.detector, "detail_prompt": first.prompt}
        out["detail_strength"] = "" if first.strength == 0.4 else typed_number(first.strength)
        out["detail_confidence"] = "" if first.confidence == 0.5 else typed_number(first.confidence)
    out["styles"] = list(made.get("styles", ()))
    adapted = list(made.get("loras", ()))
    out["loras"] = [lora.name for lora in adapted]
    if any(lora.weight != 1 for lora in adapted):
        out["lora_weights"] = ", ".join(typed_number(lora.weight) for lora in adapted)
    if made.get("width") and made.get("height"):
        out |= shape(int(made["width"]), int(made["height"]), card)
    return out


def plain(value: float) -> str:
    """A number as a person reads it."""
    if isinstance(value, int) or float(value).is_integer():
        return str(int(value))
    return f"{value:.10g}"


def shape(width: int, height: int, card: Card) -> dict[str, str]:
    """The fields' values for a size."""
    named = shapes.shape_of(width, height, card)
    custom = named == shapes.CUSTOM
    return {"shape": named, "width": str(width) if custom else "", "height": str(height) if custom else ""}


def _size(values: Mapping[str, Any], card: Card, start: source.Start, scale: float) -> tuple[int | None, int | None]:
    shape = values["shape"] or ""
    if shape == shapes.CUSTOM:
        return _whole(values, "width"), _whole(values, "height")
    if shape:
        return shapes.sized(shape, card, scale)
    if start.mask and values["masked_only"]:
        return None, None  # the studio gives it the shape of what is marked
    if start.image and scale == 1:
        return shapes.following(start.width, start.height, card)
    return None, None


def _number(values: Mapping[str, Any], name: str) -> float | None:
    return read_number(f"field.{name}", values[name])


def _whole(values: Mapping[str, Any], name: str, called: str = "") -> int | None:
    found = read_whole(f"field.{called or name}", values[name])
    if called and isinstance(found, float):  # of the others the studio says it
        raise StudioError("not_a_number", field=f"field.{called}")
    return found
