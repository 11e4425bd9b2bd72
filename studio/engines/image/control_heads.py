"""What a ControlNet is, and whether it fits a model: read off headers and configurations, before anything is loaded.

A ControlNet is a copy of the half of a network that painting goes into: what it has the width of, it was made for. Read
are folders in diffusers' layout, and single files in the layout of ControlNet's makers and in diffusers' own; what a
single file does not say (heads, activation) is that of the network it is a copy of.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.catalog.card import Card
from studio.engines.image import control_shapes
from studio.engines.image.single_file import beside, configs, loading
from studio.errors import StudioError
from studio.store.disk.families import bare
from studio.store.disk.weights import read_weights
from studio.tasks.image import control_files

LDM = "control_model."


@dataclass(frozen=True, slots=True)
class Steered:
    """How a pipeline is steered, by the names of classes in diffusers.

    Attributes:
        network: its ControlNets.
        words, image, mask: what paints with them from nothing, over a picture, over a mask; "" where nothing does: over
            a mask `image` is then used, with what is kept put back after each step.
        several: it takes more than one picture.
        also: other classes of networks that steer it.
    """

    network: str
    words: str
    image: str = ""
    mask: str = ""
    several: bool = True
    also: tuple[str, ...] = ()


ADAPTER, UNION, Z_IMAGE = "T2IAdapter", "ControlNetUnionModel", "ZImageControlNetModel"
_FIRST = Steered(
    "ControlNetModel", "StableDiffusionControlNetPipeline", "StableDiffusionControlNetImg2ImgPipeline",
    "StableDiffusionControlNetInpaintPipeline", also=(ADAPTER,),
)  # fmt: skip
PIPELINES: Mapping[str, Steered] = {
    "StableDiffusionPipeline": _FIRST,
    "LatentConsistencyModelPipeline": _FIRST,
    "StableDiffusionXLPipeline": Steered(
        "ControlNetModel", "StableDiffusionXLControlNetPipeline", "StableDiffusionXLControlNetImg2ImgPipeline",
        "StableDiffusionXLControlNetInpaintPipeline", also=(ADAPTER, UNION),
    ),
    "StableDiffusion3Pipeline": Steered("SD3ControlNetModel", "StableDiffusion3ControlNetPipeline"),
    "FluxPipeline": Steered("FluxControlNetModel", "FluxControlNetPipeline", "FluxControlNetImg2ImgPipeline"),
    "QwenImagePipeline": Steered("QwenImageControlNetModel", "QwenImageControlNetPipeline", several=False),
    "ZImagePipeline": Steered(Z_IMAGE, "ZImageControlNetPipeline", several=False),
}  # fmt: skip
_WIDTHS = {
    "ControlNetModel": ("in_channels", "block_out_channels", "cross_attention_dim", "addition_embed_type"),
    "SD3ControlNetModel": ("in_channels", "joint_attention_dim", "pooled_projection_dim"),
    "FluxControlNetModel": ("in_channels", "joint_attention_dim", "pooled_projection_dim"),
    "QwenImageControlNetModel": ("in_channels", "joint_attention_dim", "num_attention_heads", "attention_head_dim"),
    Z_IMAGE: ("dim", "n_heads"),
}
_WIDTHS[UNION] = _WIDTHS["ControlNetModel"]
"""What has to be the same in a ControlNet and in the network that it steers."""
_FORMS = (
    ("ControlNet-LLLite", re.compile(r"^lllite_")),
    ("Control-LoRA", re.compile(r"^lora_controlnet$")),
    # diffusers' converter drops its embedding of sizes; published ones of XL are in diffusers' layout
    ("ControlNet XL, label_emb", re.compile(r"^(control_model\.)?label_emb\.")),
    ("IP-Adapter", re.compile(r"^(image_proj|ip_adapter|ip_adapter_proj_model)\.")),
)
"""Files that begin like ControlNets or serve the same end, and are none that is read here."""


@dataclass(frozen=True, slots=True)
class Head:
    """A ControlNet.

    Attributes:
        place: its file, or its folder.
        kind: its class in diffusers.
        config: of a folder its configuration, of a file what its shapes say.
    """

    place: Path
    kind: str
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Its configuration says everything: nothing of it is the steered network's."""
        return self.place.is_dir()


def read_head(name: str, place: Path) -> Head:
    """What lies at `place`.

    Raises:
        StudioError: bad_file, control_form (no ControlNet, or one of a kind that is not read here).
    """
    return _of_folder(name, place) if place.is_dir() else _of_file(name, place)


def check_fit(head: Head, name: str, card: Card, pipeline: str, network: Mapping[str, Any]) -> None:
    """Raise StudioError where a ControlNet was made for another kind of model (control_wrong), or the model is of a
    kind that none are made for (control_not_taken).

    Args:
        pipeline: the model's, by its class. network: the configuration of the network that paints.
    """
    if pipeline not in PIPELINES:
        raise StudioError("control_not_taken", model=card.title)
    ways = PIPELINES[pipeline]
    if head.kind == ADAPTER:
        fits = ADAPTER in ways.also and _matches(head.config, network)
    else:
        apart = [key for key in _WIDTHS.get(head.kind, ()) if _width(head.config, key) != _width(network, key)]
        fits = head.kind in (ways.network, *ways.also) and not [key for key in apart if key in head.config]
    if not fits:
        raise StudioError("control_wrong", name=name, model=card.title)


def mode_of(head: Head, name: str, preprocessor: str) -> int | None:
    """Which of the kinds of maps that it takes a ControlNet is given; None for one that takes one kind only.

    Raises:
        StudioError: control_mode, where it takes several and none of them is what the preprocessor makes.
    """
    many = head.config.get("num_control_type" if head.kind == UNION else "num_mode")
    if not many:
        return None
    known = {one: place for one, place in _MODES[head.kind].items() if place < many}
    if preprocessor not in known:
        raise StudioError("control_mode", name=name, known=", ".join(known))
    return known[preprocessor]


_MODES: Mapping[str, Mapping[str, int]] = {
    UNION: {"canny": 3, "lineart": 3, "invert": 3, "scribble": 2, "depth": 1, "tile": 6},
    "FluxControlNetModel": {"canny": 0, "depth": 2, "tile": 1, "luminance": 5},
}
"""What our preprocessors make, by the numbers that the makers of the published Union ControlNets gave."""


def _matches(adapter: Mapping[str, Any], unet: Mapping[str, Any]) -> bool:
    """Whether what an adapter adds has the widths and sizes of the places in a UNet where it is added."""
    widths, kind = list(adapter["channels"]), adapter["adapter_type"]
    levels = [1, 1, 2, 2][: len(widths)] if kind == "full_adapter_xl" else list(range(len(widths)))
    if kind == "light_adapter":
        widths, levels = [*widths, widths[-1]], [*levels, len(widths)]
    cell = unet.get(CELL)
    if cell and adapter["downscale_factor"] != cell * (2 if kind == "full_adapter_xl" else 1):
        return False
    return list(zip(widths, levels, strict=False)) == _places(unet)[: len(widths)]


CELL = "pixels a cell"
"""Beside a UNet's configuration: pixels along a side of what is one number in its entry."""


def _places(unet: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Where a UNet takes what an adapter adds: width and how often halved, in order; the middle last.

    A block that looks at the words takes it before it halves, another one behind.
    """
    kinds, widths = unet["down_block_types"], unet["block_out_channels"]
    found: list[tuple[int, int]] = []
    for place, (kind, width) in enumerate(zip(kinds, widths, strict=True)):
        sees = kind.startswith("CrossAttn")
        found.append((width, place if sees else min(place + 1, len(widths) - 1)))
    return [*found, (widths[-1], len(widths) - 1)]


def read_model(card: Card, files: Path) -> tuple[str, Mapping[str, Any]]:
    """Pipeline of a model on the disk, and the configuration of its network that paints; empty where they do not tell.

    Whoever loads a broken model says what is wrong with it.
    """
    try:
        if (file := loading.checkpoint(card, files)) is not None:
            found = read_weights(file)
            if found.family not in configs.OURS:
                return configs.PIPELINES.get(found.family, ""), {}
            parts = configs.networks(found, beside.tensors(file))
            return configs.family(found.family)["pipeline"], _with_cell(
                parts.get("unet") or parts["transformer"], parts.get("vae", {})
            )
        index = json.loads((files / "model_index.json").read_text(encoding="utf-8"))
        part = "unet" if "unet" in index else "transformer"
        network, decoder = (
            json.loads((files / each / "config.json").read_text(encoding="utf-8")) for each in (part, "vae")
        )
        return index["_class_name"], _with_cell(network, decoder)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "", {}


def _with_cell(network: Mapping[str, Any], decoder: Mapping[str, Any]) -> Mapping[str, Any]:
    widths = decoder.get("block_out_channels")
    return {**network, CELL: 2 ** (len(widths) - 1)} if widths else network


def whole_config(head: Head, network: Mapping[str, Any], takes: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a single file: what its shapes say, and else that of the network it is a copy of.

    Args:
        takes: the names that its class takes.
    """
    config = control_shapes.placed(head.config, network) if head.kind == Z_IMAGE else head.config
    return {name: value for name, value in {**network, **config}.items() if name in takes}


def _width(config: Mapping[str, Any], key: str) -> Any:
    value = config.get(key)
    return list(value) if isinstance(value, tuple | list) else value or None


def _of_folder(name: str, place: Path) -> Head:
    try:
        config = json.loads((place / control_files.CONFIG).read_text(encoding="utf-8"))
        kind = str(config["_class_name"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise StudioError("bad_file", path=name, reason="config.json is damaged") from None
    known = {each for one in PIPELINES.values() for each in (one.network, *one.also)}
    if kind not in known:
        raise StudioError("control_form", name=name, form=kind[:60])
    if config.get("num_control_type"):
        kind = UNION  # the published one calls itself an ordinary ControlNet
    if kind == ADAPTER:
        return Head(place, kind, {**_ADAPTER, **config})
    return Head(place, kind, {**config, "addition_embed_type": config.get("addition_embed_type")})


_ADAPTER = {"channels": [320, 640, 1280, 1280], "adapter_type": "full_adapter", "downscale_factor": 8}
"""Of an adapter what its folder may leave out."""


def _of_file(name: str, place: Path) -> Head:
    try:
        shapes = beside.tensors(place)
        for form, sign in _FORMS:
            if any(sign.match(each) for each in shapes):
                raise StudioError("control_form", name=name, form=form)
        inner = bare(shapes, LDM) if any(each.startswith(LDM) for each in shapes) else dict(shapes)
        if "input_hint_block.0.weight" in inner:
            return Head(place, "ControlNetModel", control_shapes.of_makers(inner))
        if "task_embedding" in inner:
            return Head(place, UNION, control_shapes.of_union(inner))
        if "controlnet_cond_embedding.conv_in.weight" in inner:
            return Head(place, "ControlNetModel", control_shapes.of_diffusers(inner))
        if "controlnet_x_embedder.weight" in inner and "x_embedder.weight" in inner:
            return Head(place, "FluxControlNetModel", control_shapes.of_flux(inner))
        if any(each.startswith("control_all_x_embedder.") for each in inner):
            return Head(place, Z_IMAGE, control_shapes.of_z_image(inner))
        if any(_ADAPTED.match(each) for each in inner):
            named = control_shapes.adapter_names(list(inner))
            return Head(place, ADAPTER, control_shapes.of_adapter({named[one]: inner[one] for one in inner}))
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, StopIteration):
        raise StudioError("bad_file", path=place.name, reason="not a ControlNet's safetensors file") from None
    raise StudioError("control_form", name=name, form="?")


_ADAPTED = re.compile(r"(adapter\.)?body\.\d+\.(resnets\.|body\.|block1\.|out_conv\.)")
"""Names in T2I-Adapters, of either layout."""
