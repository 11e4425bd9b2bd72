"""What a pipeline's call takes of a request, but for its words: each pipeline takes other names, and some need more."""

from __future__ import annotations

from typing import Any

from PIL import Image

from studio.catalog.card import Card
from studio.engines.image import edit, init_image, latents
from studio.engines.image.img2img import Member
from studio.engines.image.passes import Pass
from studio.requests import ImageRequest


def arguments(
    card: Card, member: Member, request: ImageRequest, one: Pass, start: init_image.Source | None, generator: Any, *,
    edited: tuple[Image.Image, ...], related: bool,
) -> dict[str, Any]:  # fmt: skip
    """The arguments, of which those that the pipeline does not accept are left out.

    Args:
        start: what is painted over. generator: of the noise.
        edited: the pictures that the instruction speaks of.
        related: whether it is a relative of another picture, by noise that is mixed.
    """
    import torch

    accepts = member.accepts
    wanted: dict[str, Any] = {
        "width": one.size[0],
        "height": one.size[1],
        "num_inference_steps": one.steps,
        "guidance_scale": request.guidance_scale,
        "max_area": one.size[0] * one.size[1],  # else FLUX.1 Kontext makes every size one of a megapixel
        **edit.arguments(member.pipe, edited),
    }
    if guides_by_a_second_prompt(member.pipe):
        wanted["true_cfg_scale"] = wanted.pop("guidance_scale")
        if not request.negative_prompt.strip():
            wanted["negative_prompt"] = " "  # without one the scale would count for nothing
    if start is not None:
        wanted |= {"image": start.image, "mask_image": start.mask, "strength": one.strength}
        if "original_inference_steps" in accepts and one.strength is not None:  # strength thins out those it knows
            taught = member.pipe.scheduler.config.original_inference_steps
            wanted["strength"] = max(one.strength, 1.5 / taught)
            wanted["num_inference_steps"] = min(one.steps, int(taught * wanted["strength"]))
    elif related:
        other = torch.Generator("cpu").manual_seed(request.variation_seed or 0)
        wanted["latents"] = latents.between(member.pipe, one.size, generator, other, request.variation)
    if "max_sequence_length" in card.options:
        wanted["max_sequence_length"] = card.options["max_sequence_length"]
    if "intermediate_timesteps" in accepts and request.steps != 2:
        wanted["intermediate_timesteps"] = None  # Sana-Sprint has one for two steps only
    if "use_resolution_binning" in accepts:
        wanted["use_resolution_binning"] = False  # the size is what was asked for
    return {name: value for name, value in wanted.items() if name in accepts}


def guides_by_a_second_prompt(pipe: Any) -> bool:
    """Whether `guidance_scale` is for distilled weights only, and the usual guidance has a name of its own."""
    return type(pipe).__name__.startswith("QwenImage") and not pipe.transformer.config.guidance_embeds
