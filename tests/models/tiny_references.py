"""Tiny IP-Adapters in the layouts that are published, with random weights, and the image encoder beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

WIDTH, WHOLE = 32, 24
"""Of the encoder: of the parts of a picture, and of all of it."""


def encoder(folder: Path, seed: int = 0, whole: int = WHOLE) -> None:
    """An image encoder as IP-Adapters come with one."""
    import torch
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(seed)
    config = CLIPVisionConfig(
        hidden_size=WIDTH, intermediate_size=37, num_hidden_layers=3, num_attention_heads=4, image_size=32,
        patch_size=8, projection_dim=whole,
    )  # fmt: skip
    CLIPVisionModelWithProjection(config).save_pretrained(folder)


def adapter(unet: Any, file: Path, form: str = "plain", seed: int = 0, tokens: int = 4) -> Path:
    """A file for a UNet. `form` is "plain", "plus" (plus-face has the same layout) or "full" (full-face)."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(seed)
    words = unet.config.cross_attention_dim
    found = {"plain": _plain, "plus": _plus, "full": _full}[form](words, tokens)
    number = 1
    for name in unet.attn_processors:
        if "attn2" not in name:
            continue
        place = unet.get_submodule(name.removesuffix(".processor"))
        for part in ("k", "v"):
            found[f"ip_adapter.{number}.to_{part}_ip.weight"] = torch.randn(place.to_q.in_features, words)
        number += 2
    save_file({name: tensor.contiguous() for name, tensor in found.items()}, file)
    return file


def _plain(words: int, tokens: int) -> dict[str, Any]:
    import torch

    return {
        "image_proj.proj.weight": torch.randn(tokens * words, WHOLE),
        "image_proj.proj.bias": torch.randn(tokens * words),
        "image_proj.norm.weight": torch.randn(words), "image_proj.norm.bias": torch.randn(words),
    }  # fmt: skip


def _full(words: int, _: int) -> dict[str, Any]:
    import torch

    return {
        "image_proj.proj.0.weight": torch.randn(WIDTH, WIDTH), "image_proj.proj.0.bias": torch.randn(WIDTH),
        "image_proj.proj.2.weight": torch.randn(words, WIDTH), "image_proj.proj.2.bias": torch.randn(words),
        "image_proj.proj.3.weight": torch.randn(words), "image_proj.proj.3.bias": torch.randn(words),
    }  # fmt: skip


def _plus(words: int, tokens: int, dim: int = 64) -> dict[str, Any]:
    import torch

    found = {
        "latents": torch.randn(1, tokens, dim), "proj_in.weight": torch.randn(dim, WIDTH),
        "proj_in.bias": torch.randn(dim),
        "proj_out.weight": torch.randn(words, dim), "proj_out.bias": torch.randn(words),
        "norm_out.weight": torch.randn(words), "norm_out.bias": torch.randn(words),
    }  # fmt: skip
    for layer in range(4):
        for norm in ("0.norm1", "0.norm2", "1.0"):
            found |= {f"layers.{layer}.{norm}.{part}": torch.randn(dim) for part in ("weight", "bias")}
        found |= {
            f"layers.{layer}.0.to_q.weight": torch.randn(64, dim),
            f"layers.{layer}.0.to_kv.weight": torch.randn(128, dim),
            f"layers.{layer}.0.to_out.weight": torch.randn(dim, 64),
            f"layers.{layer}.1.1.weight": torch.randn(4 * dim, dim),
            f"layers.{layer}.1.3.weight": torch.randn(dim, 4 * dim),
        }  # fmt: skip
    return {f"image_proj.{name}": tensor for name, tensor in found.items()}
