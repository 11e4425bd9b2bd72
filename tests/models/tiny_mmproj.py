"""A tiny picture encoder for llama.cpp (CLIP with LLaVA's projector), with random weights, by its own package."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def mmproj_of(file: Path, width: int, side: int = 28, patch: int = 14, inner: int = 16, layers: int = 2) -> Path:
    """The encoder for a language model whose embeddings have `width` numbers."""
    import gguf

    dice = np.random.default_rng(0)
    writer = gguf.GGUFWriter(str(file), "clip")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", "mlp")
    writer.add_bool("clip.use_gelu", False)
    for key, value in (
        ("image_size", side), ("patch_size", patch), ("embedding_length", inner), ("feed_forward_length", inner * 2),
        ("projection_dim", width), ("block_count", layers), ("attention.head_count", 2),
    ):  # fmt: skip
        writer.add_uint32(f"clip.vision.{key}", value)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    for key in ("image_mean", "image_std"):
        writer.add_array(f"clip.vision.{key}", [0.5, 0.5, 0.5])

    def add(name: str, *shape: int) -> None:
        writer.add_tensor(name, (dice.standard_normal(shape) * 0.5).astype(np.float32))

    def line(name: str, to: int, by: int) -> None:
        add(f"{name}.weight", to, by)
        add(f"{name}.bias", to)

    add("v.class_embd", inner)
    add("v.patch_embd.weight", inner, 3, patch, patch)
    add("v.position_embd.weight", (side // patch) ** 2 + 1, inner)
    for name in ("v.pre_ln", "v.post_ln", *(f"v.blk.{n}.ln{i}" for n in range(layers) for i in (1, 2))):
        add(f"{name}.weight", inner)
        add(f"{name}.bias", inner)
    for number in range(layers):
        for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
            line(f"v.blk.{number}.{part}", inner, inner)
        line(f"v.blk.{number}.ffn_up", inner * 2, inner)
        line(f"v.blk.{number}.ffn_down", inner, inner * 2)
    line("mm.0", width, inner)
    line("mm.2", width, width)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file
