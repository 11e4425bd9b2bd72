"""Parts of a model in a `parameters` text, as AUTOMATIC1111 writes them: the decoder that took the place of its own.

    VAE hash: 63aeecb90f, VAE: sdxl_vae.safetensors

What is read is unchecked: studio.recipes.untrusted judges the values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.tasks.image import vae_files
from studio.tasks.image.lora_files import SUFFIX


def write_vae(recipe: Mapping[str, Any]) -> dict[str, str]:
    """Name -> value of what a recipe says of its decoder; nothing where it is the model's own."""
    name, files = recipe["parameters"].get("vae"), recipe.get("vaes")
    if not isinstance(name, str) or not name:
        return {}
    hash = str(files.get(name, "")) if isinstance(files, dict) else ""
    return {**({"VAE hash": hash[:10]} if hash else {}), "VAE": f"{name}{SUFFIX}"}


def read_parts(said: Mapping[str, str]) -> dict[str, Any]:
    """Fields of a request.

    Args:
        said: settings by their names in small letters.
    """
    decoder = vae_files.plain_name(said.get("vae", ""))
    return {"vae": decoder} if decoder else {}
