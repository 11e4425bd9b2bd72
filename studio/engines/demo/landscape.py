"""The pictures of the stand-in painter: hills in mist, and what a request can do to them.

Knows every field of a request that changes a picture, and changes it in a way that can be seen. No model is near.
"""

from __future__ import annotations

import colorsys
import math
import random

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from studio.engines.image import init_image
from studio.media import masks
from studio.media.control_maps import control_map
from studio.media.image import decode_image
from studio.requests import ImageRequest, Seamless


def paint(request: ImageRequest, number: int) -> Image.Image:
    """Picture `number` of a request, whose seeds are its own.

    Outside the mask not a pixel differs from the picture it began with.
    """
    size = (int(request.width or 512), int(request.height or 512))
    words = request.prompts[number] if request.prompts else request.prompt
    if request.clip_skip:
        words += f"/{request.clip_skip}"
    for lora in request.loras:
        words += f"/{lora.name}:{lora.weight:g}"
    picture = _steered(_at(size, request, words, int(request.seed or 0)), request)
    for region in request.regions:
        there = _at(size, request, region.prompt, int(request.seed or 0))
        mask = masks.read_mask(region.mask).resize(size, Image.Resampling.NEAREST)
        picture.paste(Image.blend(picture, there, region.weight), (0, 0), mask)
    picture = _continued(_edited(_referred(picture, request), request), request.seamless)
    if not request.image:
        return _detailed(picture, request)
    cutout = init_image.read_source(request)
    assert cutout is not None
    return _detailed(cutout.put_back(Image.blend(cutout.source.image, picture, float(request.strength or 0))), request)


def _detailed(picture: Image.Image, request: ImageRequest) -> Image.Image:
    """With something found in the middle by each detector, and painted again."""
    for one in request.details:
        left, top = picture.width * 3 // 8, picture.height * 3 // 8
        right, bottom = picture.width * 5 // 8, picture.height * 5 // 8
        there = landscape(one.prompt or request.prompt, int(request.seed or 0), right - left, bottom - top)
        picture.paste(Image.blend(picture.crop((left, top, right, bottom)), there, one.strength), (left, top))
    return picture


def _continued(picture: Image.Image, way: Seamless) -> Image.Image:
    """The picture with its mirror image behind it, half as large: one whose edges fit."""
    for wanted, flip, half in (
        ("x", Image.Transpose.FLIP_LEFT_RIGHT, (2, 1)),
        ("y", Image.Transpose.FLIP_TOP_BOTTOM, (1, 2)),
    ):
        if way in ("both", wanted):
            small = picture.resize((picture.width // half[0], picture.height // half[1]))
            picture.paste(small, (0, 0))
            picture.paste(small.transpose(flip), (picture.width - small.width, picture.height - small.height))
    return picture


def _steered(picture: Image.Image, request: ImageRequest) -> Image.Image:
    """With the maps of its controls shining through, each by its weight and for how long it counts."""
    for one in request.controls:
        shown = control_map(decode_image(one.image), one.preprocessor, picture.size, one.fit, _depth)
        picture = Image.blend(picture, shown, one.weight * (one.end - one.start) / 4)
    return picture


def _depth(picture: Image.Image) -> Image.Image:
    """What stands lower is nearer: a guess that needs no network."""
    return Image.linear_gradient("L").resize(picture.size).convert("RGB")


def _edited(picture: Image.Image, request: ImageRequest) -> Image.Image:
    """With the first of the pictures to be edited behind it, and the others small in a row above, in their order."""
    for number, data in enumerate(request.pictures):
        shown = decode_image(data)
        if number == 0:
            picture = Image.blend(picture, shown.resize(picture.size), 0.6)
        else:
            side = max(picture.width // 6, 1)
            picture.paste(shown.resize((side, side)), ((number - 1) * side, 0))
    return picture


def _referred(picture: Image.Image, request: ImageRequest) -> Image.Image:
    """With its reference pictures shining through where they count, as those that steer do."""
    for one in request.references:
        shown = ImageOps.fit(decode_image(one.image), picture.size)
        mixed = Image.blend(picture, shown, one.weight * (one.end - one.start) / 4)
        where = ImageOps.fit(masks.read_mask(one.mask), picture.size) if one.mask else None
        picture = mixed if where is None else Image.composite(mixed, picture, where)
    return picture


def _at(size: tuple[int, int], request: ImageRequest, words: str, seed: int) -> Image.Image:
    """The scene, varied; where it is to be enlarged, small first and then painted over."""

    def scene(width: int, height: int) -> Image.Image:
        first = landscape(words, seed, width, height)
        if not request.variation:
            return first
        return Image.blend(first, landscape(words, int(request.variation_seed or 0), width, height), request.variation)

    if request.hires_scale <= 1:
        return scene(*size)
    small = scene(*(max(1, round(side / request.hires_scale)) for side in size))
    return Image.blend(small.resize(size, Image.Resampling.LANCZOS), scene(*size), float(request.hires_strength or 0))


def landscape(prompt: str, seed: int, width: int, height: int) -> Image.Image:
    """Hills in mist under a sun, in colours that the prompt and the seed choose."""
    dice = random.Random(f"{prompt}/{seed}")
    hue = dice.random()

    def colour(lightness: float, saturation: float = 0.35) -> tuple[int, int, int]:
        r, g, b = colorsys.hls_to_rgb(hue, lightness, saturation)
        return round(r * 255), round(g * 255), round(b * 255)

    top, bottom = np.array(colour(0.78)), np.array(colour(0.94, 0.5))
    ramp = np.linspace(0, 1, height)[:, None]
    sky = np.repeat((top * (1 - ramp) + bottom * ramp)[:, None, :], width, axis=1).astype(np.uint8)
    picture = Image.fromarray(sky)
    draw = ImageDraw.Draw(picture)
    radius, x, y = height * 0.09, width * dice.uniform(0.25, 0.75), height * dice.uniform(0.2, 0.35)
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour(0.97, 0.6))
    for layer in range(4):
        base, phase = height * (0.5 + 0.13 * layer), dice.uniform(0, 6.28)
        ridge = [(x, base - height * 0.09 * _wave(x / width, 4 + layer, phase)) for x in range(0, width + 8, 8)]
        draw.polygon([(0, height), *ridge, (width, height)], fill=colour(0.66 - 0.14 * layer))
    return picture


def _wave(x: float, waves: float, phase: float) -> float:
    return math.sin(x * waves + phase) + 0.4 * math.sin(x * 13 + 2 * phase)
