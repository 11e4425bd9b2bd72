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
from studio.engines.image.single_file import beside, configs, loading
from studio.engines.image.single_file import shapes as read
from studio.errors import StudioError
from studio.store.disk.families import Shapes, bare
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
    """

    network: str
    words: str
    image: str = ""
    mask: str = ""
    several: bool = True


_FIRST = Steered(
    "ControlNetModel", "StableDiffusionControlNetPipeline", "StableDiffusionControlNetImg2ImgPipeline",
    "StableDiffusionControlNetInpaintPipeline",
)  # fmt: skip
PIPELINES: Mapping[str, Steered] = {
    "StableDiffusionPipeline": _FIRST,
    "LatentConsistencyModelPipeline": _FIRST,
    "StableDiffusionXLPipeline": Steered(
        "ControlNetModel", "StableDiffusionXLControlNetPipeline", "StableDiffusionXLControlNetImg2ImgPipeline",
        "StableDiffusionXLControlNetInpaintPipeline",
    ),
    "StableDiffusion3Pipeline": Steered("SD3ControlNetModel", "StableDiffusion3ControlNetPipeline"),
    "FluxPipeline": Steered("FluxControlNetModel", "FluxControlNetPipeline", "FluxControlNetImg2ImgPipeline"),
    "QwenImagePipeline": Steered("QwenImageControlNetModel", "QwenImageControlNetPipeline", several=False),
}  # fmt: skip
_WIDTHS = {
    "ControlNetModel": ("in_channels", "block_out_channels", "cross_attention_dim", "addition_embed_type"),
    "SD3ControlNetModel": ("in_channels", "joint_attention_dim", "pooled_projection_dim"),
    "FluxControlNetModel": ("in_channels", "joint_attention_dim", "pooled_projection_dim"),
    "QwenImageControlNetModel": ("in_channels", "joint_attention_dim", "num_attention_heads", "attention_head_dim"),
}
"""What has to be the same in a ControlNet and in the network that it steers."""
_FORMS = (
    ("ControlNet-LLLite", re.compile(r"^lllite_")),
    ("ControlNet Union", re.compile(r"^(task_embedding|control_add_embedding\.|transformer_layes\.)")),
    ("Z-Image ControlNet", re.compile(r"^control_(layers|all_x_embedder)\.")),
    ("Control-LoRA", re.compile(r"^lora_controlnet$")),
    # diffusers' converter drops its embedding of sizes; published ones of XL are in diffusers' layout
    ("ControlNet XL, label_emb", re.compile(r"^(control_model\.)?label_emb\.")),
    ("IP-Adapter", re.compile(r"^(image_proj|ip_adapter|ip_adapter_proj_model)\.")),
    ("T2I-Adapter", re.compile(r"^(adapter\.)?body\.")),
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
    kind = PIPELINES[pipeline].network
    apart = [key for key in _WIDTHS[kind] if _width(head.config, key) != _width(network, key)]
    if head.kind != kind or [key for key in apart if key in head.config]:
        raise StudioError("control_wrong", name=name, model=card.title)


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
            return configs.family(found.family)["pipeline"], parts.get("unet") or parts["transformer"]
        index = json.loads((files / "model_index.json").read_text(encoding="utf-8"))
        part = "unet" if "unet" in index else "transformer"
        return index["_class_name"], json.loads((files / part / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "", {}


def whole_config(head: Head, network: Mapping[str, Any], takes: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a single file: what its shapes say, and else that of the network it is a copy of.

    Args:
        takes: the names that its class takes.
    """
    return {name: value for name, value in {**network, **head.config}.items() if name in takes}


def _width(config: Mapping[str, Any], key: str) -> Any:
    value = config.get(key)
    return list(value) if isinstance(value, tuple | list) else value or None


def _of_folder(name: str, place: Path) -> Head:
    try:
        config = json.loads((place / control_files.CONFIG).read_text(encoding="utf-8"))
        kind = str(config["_class_name"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise StudioError("bad_file", path=name, reason="config.json is damaged") from None
    known = {one.network for one in PIPELINES.values()}
    if kind not in known or config.get("num_mode"):
        raise StudioError("control_form", name=name, form="ControlNet Union" if config.get("num_mode") else kind[:60])
    return Head(place, kind, {**config, "addition_embed_type": config.get("addition_embed_type")})


def _of_file(name: str, place: Path) -> Head:
    try:
        shapes = beside.tensors(place)
        for form, sign in _FORMS:
            if any(sign.match(each) for each in shapes):
                raise StudioError("control_form", name=name, form=form)
        inner = bare(shapes, LDM) if any(each.startswith(LDM) for each in shapes) else dict(shapes)
        if "input_hint_block.0.weight" in inner:
            return Head(place, "ControlNetModel", _of_makers(inner))
        if "controlnet_cond_embedding.conv_in.weight" in inner:
            return Head(place, "ControlNetModel", _of_diffusers(inner))
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        raise StudioError("bad_file", path=place.name, reason="not a ControlNet's safetensors file") from None
    raise StudioError("control_form", name=name, form="?")


def _of_makers(shapes: Shapes) -> dict[str, Any]:
    """The names that ControlNet's makers gave; the network's own part of them is that of Stable Diffusion's."""
    found = read.unet({**shapes, "out.2.weight": (4,)})
    hint = {int(match[1]): shape for each, shape in shapes.items() if (match := _HINT.match(each))}
    kept = ("in_channels", "block_out_channels", "layers_per_block", "down_block_types", "use_linear_projection",
            "transformer_layers_per_block", "cross_attention_dim")  # fmt: skip
    config = {key: found[key] for key in kept if key in found}
    outward = sorted(hint)[:-1]  # the last one leads into the network
    config["conditioning_channels"] = hint[0][1]
    config["conditioning_embedding_out_channels"] = [hint[0][0], *(hint[one][0] for one in outward[2::2])]
    config["addition_embed_type"] = None
    return config


_HINT = re.compile(r"input_hint_block\.(\d+)\.weight$")
_BLOCK = re.compile(r"down_blocks\.(\d+)\.")
_EMBEDDED = re.compile(r"controlnet_cond_embedding\.blocks\.(\d+)\.weight$")


def _of_diffusers(shapes: Shapes) -> dict[str, Any]:
    """The names of diffusers. Blocks without attention, which slimmed ones have, are told from those with one."""
    levels = read.count_blocks(shapes, _BLOCK.pattern)
    blocks = [bare(shapes, f"down_blocks.{level}.") for level in range(levels)]
    seeing = [any(each.startswith("attentions.") for each in block) for block in blocks]
    depths = [read.count_blocks(block, r"attentions\.0\.transformer_blocks\.(\d+)\.") for block in blocks]
    hint = {int(match[1]): shape for each, shape in shapes.items() if (match := _EMBEDDED.match(each))}
    entry = shapes["controlnet_cond_embedding.conv_in.weight"]
    config: dict[str, Any] = {
        "in_channels": shapes["conv_in.weight"][1],
        "block_out_channels": [block["resnets.0.conv1.weight"][0] for block in blocks],
        "layers_per_block": max(read.count_blocks(block, r"resnets\.(\d+)\.") for block in blocks),
        "down_block_types": ["CrossAttnDownBlock2D" if sees else "DownBlock2D" for sees in seeing],
        "transformer_layers_per_block": [
            depth if sees else 1 for depth, sees in zip(depths, seeing, strict=True)
        ],
        "mid_block_type": _mid(shapes),
        "conditioning_channels": entry[1],
        "conditioning_embedding_out_channels": [entry[0], *(hint[one][0] for one in sorted(hint)[1::2])],
        "addition_embed_type": "text_time" if "add_embedding.linear_1.weight" in shapes else None,
    }  # fmt: skip
    if across := next((shape[-1] for each, shape in shapes.items() if each.endswith("attn2.to_k.weight")), 0):
        config["cross_attention_dim"] = across
    if projection := next((len(shape) for each, shape in shapes.items() if each.endswith(".proj_in.weight")), 0):
        config["use_linear_projection"] = projection == 2
    return config


def _mid(shapes: Shapes) -> str:
    return "UNetMidBlock2DCrossAttn" if any(each.startswith("mid_block.attentions.") for each in shapes) else (
        "UNetMidBlock2D"
    )  # fmt: skip
