"""Tiny adapters, Union ControlNets and depth networks of the real classes, with random weights; and models for them.

The models have the levels of the published ones: four of Stable Diffusion 1.5, three of XL, eight pixels a cell.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import tiny_pipelines
from tiny_controls import in_diffusers_file

WIDTHS = {"sd": [8, 16, 16, 16], "xl": [8, 16, 16, 16]}
_DECODER: dict[str, Any] = {
    "block_out_channels": (8, 8, 8, 8), "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4, "layers_per_block": 1, "mid_block_add_attention": False,
}  # fmt: skip


def stable_diffusion() -> Any:
    pipe = tiny_pipelines.stable_diffusion()
    unet = tiny_pipelines._unet(
        block_out_channels=(8, 16, 16, 16), down_block_types=(*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
        up_block_types=("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
    )  # fmt: skip
    return type(pipe)(**{**pipe.components, "unet": unet, "vae": tiny_pipelines._vae(**_DECODER)},
                      requires_safety_checker=False)  # fmt: skip


def stable_diffusion_xl() -> Any:
    pipe = tiny_pipelines.stable_diffusion_xl()
    unet = tiny_pipelines._unet(
        block_out_channels=(8, 16, 16), down_block_types=("DownBlock2D", *("CrossAttnDownBlock2D",) * 2),
        up_block_types=(*("CrossAttnUpBlock2D",) * 2, "UpBlock2D"), cross_attention_dim=64,
        addition_embed_type="text_time", addition_time_embed_dim=8, projection_class_embeddings_input_dim=6 * 8 + 32,
    )  # fmt: skip
    return type(pipe)(**{**pipe.components, "unet": unet, "vae": tiny_pipelines._vae(**_DECODER)},
                      add_watermarker=False)  # fmt: skip


def adapter(kind: str = "full_adapter", colours: int = 3, seed: int = 0) -> Any:
    """A T2I-Adapter of the models above, by its type in diffusers."""
    import torch
    from diffusers import T2IAdapter

    torch.manual_seed(seed)
    wide = kind == "full_adapter_xl"
    made = T2IAdapter(
        in_channels=colours, channels=WIDTHS["xl" if wide else "sd"][: 3 if kind == "light_adapter" else 4],
        num_res_blocks=4 if kind == "light_adapter" else 2, downscale_factor=16 if wide else 8, adapter_type=kind,
    )  # fmt: skip
    with torch.no_grad():
        for weights in made.parameters():
            weights.mul_(2)  # so that each step counts in eight bits
    return made


def in_makers_file(network: Any, file: Path) -> None:
    """As the makers of T2I-Adapters name their layers: the turned-round table of diffusers' converter."""
    from safetensors.torch import save_file

    light, each = network.config.adapter_type == "light_adapter", network.config.num_res_blocks
    found = {}
    for name, tensor in network.state_dict().items():
        bare = name.removeprefix("adapter.")
        if match := re.fullmatch(r"body\.(\d+)\.resnets\.(\d+)\.(.+)", bare):
            level, place = int(match[1]), int(match[2])
            bare = f"body.{level}.body.{place}.{match[3]}" if light else f"body.{level * each + place}.{match[3]}"
        elif not light and (match := re.fullmatch(r"body\.(\d+)\.(in_conv.+)", bare)):
            bare = f"body.{int(match[1]) * each}.{match[2]}"
        found[bare] = tensor.contiguous()
    save_file(found, file)


def union(unet: Any, kinds: int = 6) -> Any:
    """A Union ControlNet of XL."""
    import torch
    from diffusers import ControlNetUnionModel

    torch.manual_seed(0)
    names = (
        "block_out_channels", "down_block_types", "layers_per_block", "cross_attention_dim", "norm_num_groups",
        "attention_head_dim", "addition_embed_type", "addition_time_embed_dim", "projection_class_embeddings_input_dim",
    )  # fmt: skip
    width = unet.config.block_out_channels[0]
    network = ControlNetUnionModel(
        **{name: unet.config[name] for name in names}, conditioning_embedding_out_channels=(4, 8, 8, 8),
        num_control_type=kinds, num_trans_channel=width, num_proj_channel=width,
    )  # fmt: skip
    return _counting(network)


def flux_union(transformer: Any, modes: int = 10) -> Any:
    import torch
    from diffusers import FluxControlNetModel

    torch.manual_seed(0)
    names = (
        "in_channels", "attention_head_dim", "num_attention_heads", "joint_attention_dim", "pooled_projection_dim",
        "guidance_embeds", "axes_dims_rope",
    )  # fmt: skip
    config = {name: transformer.config[name] for name in names}
    return _counting(FluxControlNetModel(**config, num_layers=1, num_single_layers=1, num_mode=modes or None))


def z_image_control(transformer: Any, kind: str = "") -> Any:
    """A ControlNet of Z-Image: "" as the first published one, else by what refines in it (diffusers' words)."""
    import torch
    from diffusers import ZImageControlNetModel

    torch.manual_seed(0)
    config = transformer.config
    network = ZImageControlNetModel(
        control_layers_places=[0], control_refiner_layers_places=[0] if kind else [],
        control_in_dim=config.in_channels * 2 + 1 if kind else config.in_channels,
        add_control_noise_refiner=kind or None, dim=config.dim, n_refiner_layers=config.n_refiner_layers,
        n_heads=config.n_heads, n_kv_heads=config.n_kv_heads,
    )  # fmt: skip
    return _counting(network)


def depth(folder: Path, metric: bool = False) -> Path:
    """A network of the family Depth Anything, in a folder as it is published."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.DepthAnythingConfig(
        backbone_config=transformers.Dinov2Config(
            hidden_size=16, num_hidden_layers=4, num_attention_heads=2, image_size=28, patch_size=14,
            out_features=["stage1", "stage2", "stage3", "stage4"], apply_layernorm=True, reshape_hidden_states=False,
        ),
        reassemble_hidden_size=16, neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8, head_hidden_size=8,
        patch_size=14, depth_estimation_type="metric" if metric else "relative", max_depth=20 if metric else 1,
    )  # fmt: skip
    transformers.DepthAnythingForDepthEstimation(config).save_pretrained(folder)
    transformers.DPTImageProcessorPil(
        size={"height": 28, "width": 28}, keep_aspect_ratio=True, ensure_multiple_of=14, resample=3
    ).save_pretrained(folder)
    return folder


def _counting(network: Any) -> Any:
    """With numbers where a new one has zeros, so that it changes something."""
    import torch

    with torch.no_grad():
        for weights in network.parameters():
            if not weights.any():
                weights.normal_(std=0.3)
    return network


__all__ = ["in_diffusers_file"]
