"""Configurations of a checkpoint's networks, read off the shapes of their tensors.

A published checkpoint carries no configuration, and those that people merge, prune and slim differ from the first one.
What the shapes do not tell (how many heads an attention has, which activation) is the same in all of a family.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

Shapes = Mapping[str, tuple[int, ...]]
Config = dict[str, Any]


def count_blocks(shapes: Shapes, pattern: str) -> int:
    """How many blocks there are whose number the pattern's group finds."""
    found = re.compile(pattern)
    numbers = [int(match[1]) for name in shapes if (match := found.match(name))]
    return max(numbers) + 1 if numbers else 0


def unet(shapes: Shapes, heads: int = 0) -> Config:
    """A UNet of Stable Diffusion, its names without what stands in front of them.

    Args:
        heads: of every attention; 0 where each has one for 64 channels.
    """
    levels: list[int] = [shapes["input_blocks.0.0.weight"][0]]
    channels: list[int] = []
    depths: list[int] = []
    layers, here = 0, 0
    for block in range(1, count_blocks(shapes, r"input_blocks\.(\d+)\.")):
        if f"input_blocks.{block}.0.op.weight" in shapes:
            layers, here = max(layers, here), 0
            continue
        if here == 0:
            channels.append(shapes[f"input_blocks.{block}.0.out_layers.3.weight"][0])
            depths.append(count_blocks(shapes, rf"input_blocks\.{block}\.1\.transformer_blocks\.(\d+)\."))
        here += 1
    layers = max(layers, here)
    across = next((shape[-1] for name, shape in shapes.items() if name.endswith("attn2.to_k.weight")), levels[0])
    projection = next((len(shape) for name, shape in shapes.items() if name.endswith("1.proj_in.weight")), 4)
    config: Config = {
        "in_channels": shapes["input_blocks.0.0.weight"][1],
        "out_channels": shapes["out.2.weight"][0],
        "block_out_channels": channels,
        "layers_per_block": layers,
        "down_block_types": ["CrossAttnDownBlock2D" if depth else "DownBlock2D" for depth in depths],
        "up_block_types": ["CrossAttnUpBlock2D" if depth else "UpBlock2D" for depth in reversed(depths)],
        "transformer_layers_per_block": [max(depth, 1) for depth in depths],
        "cross_attention_dim": across,
        # named so by a mistake of the library's that it keeps: it is the number of heads
        "attention_head_dim": heads or [max(width // 64, 1) for width in channels],
        "use_linear_projection": projection == 2,
    }
    if "label_emb.0.0.weight" in shapes:
        config["projection_class_embeddings_input_dim"] = shapes["label_emb.0.0.weight"][1]
    return config


def vae(shapes: Shapes) -> Config:
    """A picture decoder as the makers of Stable Diffusion name its layers."""
    levels = count_blocks(shapes, r"encoder\.down\.(\d+)\.") or count_blocks(shapes, r"decoder\.up\.(\d+)\.")
    side = "encoder.down" if "encoder.conv_in.weight" in shapes else "decoder.up"
    return {
        "in_channels": 3,
        "out_channels": 3,
        "block_out_channels": [shapes[f"{side}.{level}.block.0.conv1.weight"][0] for level in range(levels)],
        "layers_per_block": count_blocks(shapes, r"encoder\.down\.0\.block\.(\d+)\.") or 2,
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
        "latent_channels": shapes["decoder.conv_in.weight"][1],
        "use_quant_conv": "quant_conv.weight" in shapes,
        "use_post_quant_conv": "post_quant_conv.weight" in shapes,
        "mid_block_add_attention": "decoder.mid.attn_1.q.weight" in shapes,
    }


def clip(shapes: Shapes) -> Config:
    """A CLIP that reads words, as transformers names its layers."""
    positions, width = shapes["text_model.embeddings.position_embedding.weight"]
    return {
        "hidden_size": width,
        "intermediate_size": shapes["text_model.encoder.layers.0.mlp.fc1.weight"][0],
        "max_position_embeddings": positions,
        "num_attention_heads": max(width // 64, 1),
        "num_hidden_layers": count_blocks(shapes, r"text_model\.encoder\.layers\.(\d+)\."),
        "projection_dim": shapes.get("text_projection.weight", (width,))[0],
        "vocab_size": shapes["text_model.embeddings.token_embedding.weight"][0],
    }


def open_clip(shapes: Shapes, last: bool = True) -> Config:
    """A CLIP as OpenCLIP names its layers.

    Args:
        last: False where its last layer is in the file and is not used.
    """
    positions, width = shapes["positional_embedding"]
    return {
        "hidden_size": width,
        "intermediate_size": shapes["transformer.resblocks.0.mlp.c_fc.weight"][0],
        "max_position_embeddings": positions,
        "num_attention_heads": max(width // 64, 1),
        "num_hidden_layers": count_blocks(shapes, r"transformer\.resblocks\.(\d+)\.") - (0 if last else 1),
        "projection_dim": shapes.get("text_projection", (width, width))[-1],
        "vocab_size": shapes["token_embedding.weight"][0],
    }


def t5(shapes: Shapes) -> Config:
    """The reading half of a T5, as transformers names its layers."""
    buckets, heads = shapes["encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"]
    inner, width = shapes["encoder.block.0.layer.0.SelfAttention.q.weight"]
    return {
        "vocab_size": shapes["shared.weight" if "shared.weight" in shapes else "encoder.embed_tokens.weight"][0],
        "d_model": width,
        "d_kv": inner // heads,
        "d_ff": shapes["encoder.block.0.layer.1.DenseReluDense.wo.weight"][1],
        "num_layers": count_blocks(shapes, r"encoder\.block\.(\d+)\."),
        "num_heads": heads,
        "relative_attention_num_buckets": buckets,
    }


def sd3(shapes: Shapes) -> Config:
    """The transformer of Stable Diffusion 3 and 3.5."""
    width = shapes["x_embedder.proj.weight"][0]
    second = re.compile(r"joint_blocks\.(\d+)\.x_block\.attn2\.qkv\.weight$")
    return {
        "patch_size": shapes["x_embedder.proj.weight"][-1],
        "in_channels": shapes["x_embedder.proj.weight"][1],
        "out_channels": shapes["x_embedder.proj.weight"][1],
        "num_layers": count_blocks(shapes, r"joint_blocks\.(\d+)\."),
        "attention_head_dim": 64,
        "num_attention_heads": width // 64,
        "joint_attention_dim": shapes["context_embedder.weight"][1],
        "caption_projection_dim": shapes["context_embedder.weight"][0],
        "pooled_projection_dim": shapes["y_embedder.mlp.0.weight"][1],
        "pos_embed_max_size": math.isqrt(shapes["pos_embed"][1]),
        "dual_attention_layers": sorted(int(match[1]) for name in shapes if (match := second.match(name))),
        "qk_norm": "rms_norm" if "joint_blocks.0.x_block.attn.ln_q.weight" in shapes else None,
    }


def flux1(shapes: Shapes) -> Config:
    """The transformer of FLUX.1."""
    head = shapes["double_blocks.0.img_attn.norm.key_norm.scale"][0]
    return {
        "in_channels": shapes["img_in.weight"][1],
        "num_layers": count_blocks(shapes, r"double_blocks\.(\d+)\."),
        "num_single_layers": count_blocks(shapes, r"single_blocks\.(\d+)\."),
        "attention_head_dim": head,
        "num_attention_heads": shapes["img_in.weight"][0] // head,
        "joint_attention_dim": shapes["txt_in.weight"][1],
        "pooled_projection_dim": shapes["vector_in.in_layer.weight"][1],
        "guidance_embeds": "guidance_in.in_layer.weight" in shapes,
        "axes_dims_rope": [head // 8, head * 7 // 16, head * 7 // 16],
    }
