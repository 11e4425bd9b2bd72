"""`image` and `upscale`: pictures from words, from other pictures, in grids; and larger ones."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from studio.cli.console import Console, say
from studio.cli.options import Count, Guidance, Json, Model, Negative, Out, Prompt, Seed, Steps
from studio.cli.position import read_bytes, read_text
from studio.cli.preset import Named as Preset
from studio.cli.preset import filled
from studio.cli.run import Start, Wish, prompt_text, run
from studio.library import scan
from studio.recipes import recipe
from studio.request_parts import (
    PREPROCESSORS,
    REFERENCE_USES,
    Axis,
    Control,
    ControlFit,
    Detail,
    Lora,
    Reference,
    ReferenceUse,
    Region,
)
from studio.requests import ImageRequest, Rng, Seamless, UpscaleRequest
from studio.tasks.bounds import MAX_IMAGE_BYTES

if TYPE_CHECKING:
    from studio.jobs.job import Job
    from studio.library.file_names import Keep
    from studio.service import Studio

Picture = Annotated[str, typer.Argument(metavar="FILE", show_default=False, help=say("help.file"))]
Names = Annotated[str, typer.Option("--names", metavar="PATTERN", help=say("help.names"))]
Clean = Annotated[bool, typer.Option("--clean", help=say("help.clean"))]


def image(
    line: typer.Context,
    prompt: Prompt,
    negative: Negative = "",
    style: Annotated[list[str] | None, typer.Option("--style", metavar="NAME", help=say("help.style"))] = None,
    width: Annotated[int | None, typer.Option("--width", help=say("help.width"))] = None,
    height: Annotated[int | None, typer.Option("--height", help=say("help.height"))] = None,
    steps: Steps = None,
    guidance: Guidance = None,
    scheduler: Annotated[str, typer.Option("--scheduler", help=say("help.scheduler"))] = "",
    start: Annotated[str, typer.Option("--image", metavar="FILE", help=say("help.start"))] = "",
    mask: Annotated[str, typer.Option("--mask", metavar="FILE", help=say("help.mask"))] = "",
    picture: Annotated[list[str] | None, typer.Option("--picture", metavar="FILE", help=say("help.picture"))] = None,
    strength: Annotated[float | None, typer.Option("--strength", help=say("help.strength"))] = None,
    masked_only: Annotated[bool, typer.Option("--masked-only", help=say("help.masked_only"))] = False,
    mask_padding: Annotated[int, typer.Option("--mask-padding", help=say("help.mask_padding"))] = 32,
    mask_blur: Annotated[int, typer.Option("--mask-blur", help=say("help.mask_blur"))] = 4,
    variation: Annotated[float, typer.Option("--variation", help=say("help.variation"))] = 0.0,
    variation_seed: Annotated[int | None, typer.Option("--variation-seed", help=say("help.variation_seed"))] = None,
    clip_skip: Annotated[int, typer.Option("--clip-skip", help=say("help.clip_skip"))] = 0,
    lora: Annotated[list[str] | None, typer.Option("--lora", metavar="NAME:WEIGHT", help=say("help.lora"))] = None,
    control: Annotated[
        list[str] | None, typer.Option("--control", metavar="NAME=FILE", help=say("help.control"))
    ] = None,
    reference: Annotated[
        list[str] | None, typer.Option("--reference", metavar="NAME=FILE", help=say("help.reference"))
    ] = None,
    reference_mask: Annotated[
        list[str] | None, typer.Option("--reference-mask", metavar="N=FILE", help=say("help.reference_mask"))
    ] = None,
    vae: Annotated[str, typer.Option("--vae", metavar="NAME", help=say("help.vae"))] = "",
    refiner: Annotated[str, typer.Option("--refiner", metavar="NAME", help=say("help.refiner"))] = "",
    refiner_at: Annotated[float, typer.Option("--refiner-at", help=say("help.refiner_at"))] = 0.8,
    region: Annotated[
        list[str] | None, typer.Option("--region", metavar="WHERE=PROMPT", help=say("help.region"))
    ] = None,
    detail: Annotated[list[str] | None, typer.Option("--detail", metavar="NAME", help=say("help.detail"))] = None,
    hires: Annotated[float, typer.Option("--hires", metavar="SCALE", help=say("help.hires"))] = 1.0,
    hires_strength: Annotated[float | None, typer.Option("--hires-strength", help=say("help.hires_strength"))] = None,
    tiling: Annotated[bool, typer.Option("--tiling", help=say("help.tiling"))] = False,
    seamless: Annotated[str, typer.Option("--seamless", metavar="both|x|y", help=say("help.seamless"))] = "",
    rng: Annotated[str, typer.Option("--rng", metavar="nv", help=say("help.rng"))] = "",
    grid_x: Annotated[str, typer.Option("--grid-x", metavar="FIELD=V1,V2", help=say("help.grid"))] = "",
    grid_y: Annotated[str, typer.Option("--grid-y", metavar="FIELD=V1,V2", help=say("help.grid_y"))] = "",
    grid_z: Annotated[str, typer.Option("--grid-z", metavar="FIELD=V1,V2", help=say("help.grid_z"))] = "",
    series: Annotated[str, typer.Option("--series", metavar="FILE", help=say("help.series"))] = "",
    count: Count = 1,
    seed: Seed = None,
    model: Model = "",
    preset: Preset = "",
    names: Names = "",
    clean: Clean = False,
    out: Out = "",
    as_json: Json = False,
) -> None:
    with Console(as_json) as console:
        x, y, z = _axis(console, grid_x), _axis(console, grid_y), _axis(console, grid_z)
        if (y or z) and not x:
            console.usage(say("grid_alone"))
        request = ImageRequest(
            prompt=prompt_text(prompt), negative_prompt=negative, styles=tuple(style or ()), width=width, height=height,
            steps=steps, guidance_scale=guidance, scheduler=scheduler, count=count, seed=seed, model=model,
            image=_file(start), mask=_file(mask), strength=strength, variation=variation,
            masked_only=masked_only, mask_padding=mask_padding, mask_blur=mask_blur,
            variation_seed=variation_seed, clip_skip=clip_skip, tiling=tiling,
            seamless=cast(Seamless, seamless), rng=cast(Rng, rng),
            loras=tuple(_lora(console, one) for one in lora or ()), hires_scale=hires, hires_strength=hires_strength,
            controls=tuple(_control(console, one) for one in control or ()), vae=vae, refiner=refiner,
            refiner_at=refiner_at, pictures=tuple(map(_file, picture or ())),
            references=_references(console, reference or [], reference_mask or []),
            regions=tuple(_region(console, one) for one in region or ()),
            details=tuple(_detail(console, one) for one in detail or ()),
        )  # fmt: skip
        request = filled(console, line, preset, request)
        rows = read_text(series, "field.series") if series else ""
        run(console, request, out, Wish(names, clean), _grid(request, x, y, z, rows) if x or rows.strip() else None)


def upscale(
    file: Picture,
    scale: Annotated[int, typer.Option("--scale", help=say("help.scale"))] = 4,
    tile: Annotated[int, typer.Option("--tile", help=say("help.tile"))] = 0,
    model: Model = "",
    names: Names = "",
    clean: Clean = False,
    out: Out = "",
    as_json: Json = False,
) -> None:
    with Console(as_json) as console:
        data = read_bytes(file, MAX_IMAGE_BYTES)
        beside = scan.beside(Path(file)) if recipe.read_recipe(data) is None else None
        request = UpscaleRequest(image=data, scale=scale, tile=tile, model=model)
        # what was kept out of the picture's file stays out of the larger one's
        run(console, request, out, Wish(names, clean or beside is not None, beside))


def _grid(request: ImageRequest, x: Axis | None, y: Axis | None, z: Axis | None, series: str) -> Start:
    def start(studio: Studio, keep: Keep) -> Job:
        return studio.submit_grid(request, x, y, session="cli", z=z, series=series, keep=keep)

    return start


def _file(name: str) -> bytes:
    return read_bytes(name, MAX_IMAGE_BYTES) if name else b""


def _axis(console: Console, typed: str) -> Axis | None:
    """FIELD=V1,V2. Fields may be written as options are: clip-skip."""
    if not typed:
        return None
    field, equals, values = typed.partition("=")
    if not equals:
        console.usage(say("wrong_grid", text=typed))
    name, colon, which = field.strip().partition(":")
    name = name.replace("-", "_")
    return Axis(
        {"guidance": "guidance_scale", "hires": "hires_scale", "style": "styles"}.get(name, name) + colon + which,
        (values,),
    )


def _lora(console: Console, typed: str) -> Lora:
    """NAME or NAME:WEIGHT."""
    name, _, weight = typed.partition(":")
    try:
        return Lora(name.strip(), float(weight or 1))
    except ValueError:
        console.usage(say("wrong_lora", text=typed))


def _control(console: Console, typed: str) -> Control:
    """NAME=FILE, and behind it what is not as usual: :PREPROCESSOR:WEIGHT:START:END:FIT.

    A file may have colons in its name (C:\\maps\\a.png): what stands behind it begins at a preprocessor.
    """
    name, equals, rest = typed.partition("=")
    file, *more = _split_control(rest)
    preprocessor, *others = [*more, *("", "", "", "", "")[len(more) :]]
    try:
        weight, start, end = (float(one or usual) for one, usual in zip(others, ("1", "0", "1"), strict=False))
    except ValueError:
        console.usage(say("wrong_control", text=typed))
    if not equals or not name.strip() or not file:
        console.usage(say("wrong_control", text=typed))
    return Control(
        name.strip(), read_bytes(file, MAX_IMAGE_BYTES), "" if preprocessor == "none" else preprocessor,
        weight, start, end, cast("ControlFit", others[3] or "crop"),
    )  # fmt: skip


def _region(console: Console, typed: str) -> Region:
    """FILE=PROMPT or LEFT,TOP,RIGHT,BOTTOM=PROMPT, and a weight behind the place: FILE:0.5=PROMPT."""
    from studio.media import masks  # loads Pillow, which `--help` needs not wait for

    where, equals, prompt = typed.partition("=")
    place, colon, number = where.rpartition(":")
    weight = _numbers(number, 1) if colon else None  # else the colon is one of a file's name
    place = place if weight else where
    if not equals or not place.strip():
        console.usage(say("wrong_region", text=typed))
    box = _numbers(place, 4)
    mask = masks.box_mask(box) if box else read_bytes(place, MAX_IMAGE_BYTES)
    return Region(prompt.strip(), mask, weight[0] if weight else 1.0)


def _detail(console: Console, typed: str) -> Detail:
    """NAME, and behind it what is not as usual: :STRENGTH:CONFIDENCE."""
    name, *more = typed.split(":")
    try:
        numbers = [float(one or usual) for one, usual in zip([*more, "", ""], ("0.4", "0.5"), strict=False)]
    except ValueError:
        console.usage(say("wrong_detail", text=typed))
    if len(more) > 2 or not name.strip():
        console.usage(say("wrong_detail", text=typed))
    return Detail(name.strip(), numbers[0], confidence=numbers[1])


def _numbers(text: str, count: int) -> list[float] | None:
    """So many numbers with commas between them; None where it is something else."""
    try:
        found = [float(one) for one in text.split(",")]
    except ValueError:
        return None
    return found if len(found) == count else None


def _split_control(text: str) -> list[str]:
    """The file, and what stands behind it."""
    parts = text.split(":")
    for place in range(1, len(parts)):
        if parts[place] in (*PREPROCESSORS, "none"):
            return [":".join(parts[:place]), *parts[place:]]
    return [text]


def _references(console: Console, typed: list[str], masks: list[str]) -> tuple[Reference, ...]:
    """NAME=FILE:WEIGHT:START:END:USE, of which each behind the file may be left out, and masks by their numbers."""
    found = []
    for one in typed:
        name, equals, rest = one.partition("=")
        file, behind = _split_reference(rest)
        use = behind.pop() if behind and behind[-1] in REFERENCE_USES[1:] else ""
        if not equals or not name.strip() or not file or len(behind) > 3:
            console.usage(say("wrong_reference", text=one))
        try:
            weight, start, end = (
                float(each or usual) for each, usual in zip([*behind, "", "", ""], "101", strict=False)
            )
        except ValueError:
            console.usage(say("wrong_reference", text=one))
        picture = read_bytes(file, MAX_IMAGE_BYTES)
        found.append(Reference(name.strip(), picture, weight, start, end, cast("ReferenceUse", use)))
    for one in masks:
        number, equals, file = one.partition("=")
        if not equals or not file or not number.isdecimal() or not 0 < int(number) <= len(found):
            console.usage(say("wrong_reference_mask", text=one))
        found[int(number) - 1] = replace(found[int(number) - 1], mask=read_bytes(file, MAX_IMAGE_BYTES))
    return tuple(found)


def _split_reference(text: str) -> tuple[str, list[str]]:
    """The file, which may have colons in its name, and the numbers and the use behind it."""
    parts = text.split(":")
    behind: list[str] = []
    while len(parts) > 1 and (parts[-1] in REFERENCE_USES or _NUMBER.fullmatch(parts[-1])):
        behind.insert(0, parts.pop())
    return ":".join(parts), behind


_NUMBER = re.compile(r"\d+(?:\.\d*)?|\.\d+")
