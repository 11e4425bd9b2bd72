"""Configurations of ControlNets and adapters that are one file, read off the names and shapes of their tensors.

What shapes do not tell (heads, activation, frequencies) is left out: it is that of the network that is steered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isqrt
from typing import Any

from studio.engines.image.single_file import shapes as read
from studio.store.disk.families import Shapes, bare


def of_makers(shapes: Shapes) -> dict[str, Any]:
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


def of_diffusers(shapes: Shapes) -> dict[str, Any]:
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


def of_union(shapes: Shapes) -> dict[str, Any]:
    """A ControlNet of XL for several kinds of maps: an ordinary one, told by a vector which kind it is given."""
    kinds, width = shapes["task_embedding"]
    return {
        **of_diffusers(shapes),
        "num_control_type": kinds,
        "num_trans_channel": width,
        "num_trans_layer": read.count_blocks(shapes, r"transformer_layes\.(\d+)\."),
        "num_proj_channel": shapes["spatial_ch_projs.weight"][0],
        "addition_time_embed_dim": shapes["control_add_embedding.linear_1.weight"][1] // kinds,
    }


def of_flux(shapes: Shapes) -> dict[str, Any]:
    """A ControlNet of FLUX.1 in the names of diffusers; with modes where it takes several kinds of maps."""
    inner, channels = shapes["x_embedder.weight"]
    width = shapes["transformer_blocks.0.attn.norm_q.weight"][0]
    return {
        "in_channels": channels,
        "num_layers": read.count_blocks(shapes, r"transformer_blocks\.(\d+)\."),
        "num_single_layers": read.count_blocks(shapes, r"single_transformer_blocks\.(\d+)\."),
        "attention_head_dim": width,
        "num_attention_heads": inner // width,
        "joint_attention_dim": shapes["context_embedder.weight"][1],
        "pooled_projection_dim": shapes["time_text_embed.text_embedder.linear_1.weight"][1],
        "guidance_embeds": "time_text_embed.guidance_embedder.linear_1.weight" in shapes,
        "num_mode": shapes.get("controlnet_mode_embedder.weight", (None,))[0],
    }


def of_z_image(shapes: Shapes) -> dict[str, Any]:
    """A ControlNet of Z-Image. Which of the model's layers its own belong to depends on how many the model has."""
    name = next(each for each in shapes if re.match(r"control_all_x_embedder\..*\.weight$", each))
    patch, frames = (int(one) for one in name.split(".")[1].split("-"))
    dim, entry = shapes[name]
    narrow = shapes["control_layers.0.attention.norm_q.weight"][0]
    return {
        "all_patch_size": [patch],
        "all_f_patch_size": [frames],
        "dim": dim,
        "control_in_dim": entry // (patch * patch * frames),
        "n_heads": dim // narrow,
        "n_kv_heads": dim // narrow,
        "n_refiner_layers": read.count_blocks(shapes, r"control_noise_refiner\.(\d+)\."),
        "control_layers_places": range(read.count_blocks(shapes, r"control_layers\.(\d+)\.")),
    }


def placed(config: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, Any]:
    """With the layers of the model that each of a Z-Image ControlNet's own belongs to: spread evenly, from the first.

    As published: every fifth of thirty for six, every second for fifteen. What takes more channels than the model has
    (room for a mask, in later ones) works on its refiners too.
    """
    count, layers = len(config["control_layers_places"]), model["n_layers"]
    later = config["control_in_dim"] != model["in_channels"]
    return {
        **config,
        "control_layers_places": list(range(0, layers, max(layers // count, 1)))[:count],
        "control_refiner_layers_places": list(range(model["n_refiner_layers"])) if later else [],
        "add_control_noise_refiner": _REFINING if later else None,
    }


_REFINING = "control_noise_refiner"


def settled(config: dict[str, Any], states: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Configuration and tensors of a Z-Image ControlNet: some carry refiners of their own which were never taught."""
    first = states.get("control_noise_refiner.0.before_proj.weight")
    if config["add_control_noise_refiner"] is None or (first is not None and first.any()):
        return config, states
    kept = {name: tensor for name, tensor in states.items() if not name.startswith(f"{_REFINING}.")}
    return {**config, "add_control_noise_refiner": "control_layers"}, kept


def of_adapter(shapes: Shapes) -> dict[str, Any]:
    """A T2I-Adapter in the names of diffusers. Those of XL take sixteen pixels a cell, the others eight."""
    inner = bare(shapes, "adapter.")
    light = "body.0.out_conv.weight" in inner
    entry = inner["body.0.in_conv.weight" if light else "conv_in.weight"][1]
    colours = 1 if isqrt(entry) ** 2 == entry else 3
    cell = isqrt(entry // colours)
    blocks = read.count_blocks(inner, r"body\.(\d+)\.")
    out = "out_conv" if light else "resnets.0.block1"
    widths = [inner[f"body.{place}.{out}.weight"][0] for place in range(blocks)]
    return {
        "adapter_type": "light_adapter" if light else "full_adapter_xl" if cell > 8 else "full_adapter",
        "in_channels": colours,
        "channels": widths[:-1] if light else widths,  # the last width of a light one counts twice
        "num_res_blocks": read.count_blocks(inner, r"body\.0\.resnets\.(\d+)\."),
        "downscale_factor": cell,
    }


_LIGHT = re.compile(r"body\.(\d+)\.body\.(\d+)\.")
_FULL = re.compile(r"body\.(\d+)\.(in_conv|block1|block2)\.")
_LEVELS = 4


def adapter_names(names: list[str]) -> dict[str, str]:
    """Each name of a T2I-Adapter's file -> its name in diffusers, from either layout.

    Its makers count the blocks of all four levels through; a level begins with what changes the width.
    """
    plain = {name: name.removeprefix("adapter.") for name in names}
    counted = [int(match[1]) for one in plain.values() if (match := re.match(r"body\.(\d+)\.block1\.", one))]
    each = max((max(counted, default=0) + 1) // _LEVELS, 1)

    def named(name: str) -> str:
        if match := _LIGHT.match(name):
            return f"body.{match[1]}.resnets.{match[2]}.{name[match.end() :]}"
        if counted and (match := _FULL.match(name)):
            level, place = divmod(int(match[1]), each)
            part = "" if match[2] == "in_conv" else f"resnets.{place}."
            return f"body.{level}.{part}{name[match.start(2) :]}"
        return name

    return {name: f"adapter.{named(one)}" for name, one in plain.items()}
