"""What an IP-Adapter is, whether it fits a model, and which blocks of a model see what: read before anything is loaded.

An IP-Adapter adds a second attention to every place where a UNet attends to words: as many as there are such places,
each as wide as its place. Read are the layouts of its makers that need nothing but CLIP: plain, plus, plus-face and
full-face.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.catalog.card import Card
from studio.errors import StudioError
from studio.request_parts import ReferenceUse
from studio.tasks.image import reference_files
from studio.tasks.image.reference_files import Shapes

PIPELINES = ("StableDiffusionPipeline", "LatentConsistencyModelPipeline", "StableDiffusionXLPipeline")
"""Pipelines whose models can be shown pictures."""
_OUT = "ip_adapter."
_SDXL = ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D")
_SD1 = ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D")
_BLOCKS: Mapping[tuple[str, ...], Mapping[ReferenceUse, Mapping[str, float]]] = {
    # InstantStyle, as diffusers documents it
    _SDXL: {
        "style": {"up_blocks.0.attentions.1.": 1.0},
        "composition": {"down_blocks.2.attentions.1.": 1.0},
    },
    # what people found for the smaller network, by ComfyUI's IPAdapter nodes: its paper speaks of the larger one only
    _SD1: {
        "style": dict.fromkeys(
            ("down_blocks.0.", "down_blocks.1.", "up_blocks.2.", "up_blocks.3.", "mid_block."), 1.0
        ),
        "composition": {"down_blocks.2.attentions.0.": 0.25, "down_blocks.2.attentions.1.": 1.0},
    },
}  # fmt: skip
"""By the levels of a UNet: which of its blocks see a picture's style, and which what stands where, and how much."""


@dataclass(frozen=True, slots=True)
class Head:
    """An IP-Adapter.

    Attributes:
        file: its file.
        widths: of its attentions, one for each place where the UNet attends to words: the place's, and the words'.
        encoder: the folder of its image encoder.
        parts: it sees the parts of a picture, one layer before the encoder's end; else only what all of it is.
    """

    file: Path
    widths: Sequence[tuple[int, int]]
    encoder: Path
    parts: bool


def read_head(name: str, file: Path, folders: Sequence[Path]) -> Head:
    """What lies in `file`.

    Raises:
        StudioError: bad_file, reference_form (no IP-Adapter, or one of a kind that is not read here),
            reference_encoder (its image encoder is not here).
    """
    shapes = reference_files.shapes(file)
    if not shapes:
        raise StudioError("bad_file", path=file.name, reason="not a safetensors file")
    key, width = reference_files.reads(shapes)
    if (form := _other(shapes)) or not width:
        raise StudioError("reference_form", name=name, form=form or "?")
    if (encoder := reference_files.encoder(file, folders)) is None:
        place = file.parent / reference_files.ENCODER
        raise StudioError("reference_encoder", name=name, path=str(place), field=key, width=width)
    return Head(file, _widths(shapes), encoder, parts=key == "hidden_size")


def check_fit(head: Head, name: str, card: Card, pipeline: str, network: Mapping[str, Any]) -> None:
    """Raise StudioError where an IP-Adapter was made for another kind of model (reference_wrong), or the model is of a
    kind that none are made for (reference_not_taken).

    Args:
        pipeline: the model's, by its class. network: the configuration of its UNet.
    """
    if pipeline not in PIPELINES:
        raise StudioError("reference_not_taken", model=card.title)
    if head.widths != _places(network):
        raise StudioError("reference_wrong", name=name, model=card.title)


def blocks(network: Mapping[str, Any], use: ReferenceUse, card: Card) -> Mapping[str, float]:
    """How much each block of a UNet sees of a picture, by how their names begin; others see nothing.

    Raises:
        StudioError: reference_use, where it is not known which blocks of such a network see style or composition.
    """
    if not use:
        return {"": 1.0}
    levels = _list(network.get("down_block_types"), 0)
    if (known := _BLOCKS.get(tuple(levels))) is None or network.get("layers_per_block", 2) != 2:
        raise StudioError("reference_use", model=card.title)
    return known[use]


def _other(shapes: Shapes) -> str:
    """What a file is that only begins like those that are read; "" where it is one of these."""
    names = shapes.keys()
    if any(".to_k_lora." in name or name.startswith("image_proj.perceiver_resampler.") for name in names):
        return "FaceID"
    if (
        "image_proj.norm.weight" in names
        and not names & {"image_proj.proj.weight", "image_proj.proj.3.weight"}
        and ("image_proj.proj.0.weight" in names)
    ):
        return "FaceID"
    if any(name.startswith(("ip_adapter_proj_model.", "double_blocks.")) for name in names):
        return "FLUX.1"
    return "" if any(name.startswith(_OUT) for name in names) else "?"


def _widths(shapes: Shapes) -> list[tuple[int, int]]:
    found = {
        int(number): shape
        for name, shape in shapes.items()
        if name.startswith(_OUT) and name.endswith(".to_k_ip.weight") and (number := name.split(".")[1]).isdigit()
    }
    return [(shape[0], shape[1]) for _, shape in sorted(found.items()) if len(shape) == 2]


def _places(network: Mapping[str, Any]) -> list[tuple[int, int]]:
    """The places of a UNet that attend to words, in its own order: downward, upward, and then the middle."""
    try:
        outs = list(network["block_out_channels"])
        words = int(network["cross_attention_dim"])
        layers = _list(network.get("layers_per_block", 2), len(outs))
        depths = _list(network.get("transformer_layers_per_block", 1), len(outs))
        down, up = list(network["down_block_types"]), list(network["up_block_types"])
        places: list[tuple[int, int]] = []
        for kind, out, count, depth in zip(down, outs, layers, depths, strict=True):
            places += [(out, words)] * (count * depth if "CrossAttn" in kind else 0)
        rising = zip(up, reversed(outs), reversed(layers), reversed(depths), strict=True)
        for kind, out, count, depth in rising:
            places += [(out, words)] * ((count + 1) * depth if "CrossAttn" in kind else 0)
        middle = network.get("mid_block_type", "UNetMidBlock2DCrossAttn") or ""
        return places + [(outs[-1], words)] * (depths[-1] if "CrossAttn" in middle else 0)
    except (KeyError, TypeError, ValueError):
        return []


def _list(value: Any, count: int) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value] * count
