"""Configurations of a checkpoint as a diffusers folder has them: what its family shares, and what its shapes say.

What families share lies in assets/checkpoints, one file each: facts of the published models, no weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from studio.engines.image.single_file import shapes as read
from studio.i18n import ASSETS
from studio.store.disk.families import FRONTS, VAE_PREFIXES, Shapes, bare
from studio.store.disk.weights import Weights

OURS = ("sd1", "sd2", "sdxl", "sd3", "flux1")
"""Families whose configurations come with the studio."""
PIPELINES: Mapping[str, str] = {
    "z-image": "ZImagePipeline", "flux2": "Flux2KleinPipeline", "qwen-image": "QwenImagePipeline",
}  # fmt: skip
"""Those that take everything but their transformer from the folder of the whole model."""


@cache
def family(name: str) -> Mapping[str, Any]:
    """What the models of a family share. KeyError for one that is none of ours."""
    if name not in OURS:
        raise KeyError(name)
    return json.loads((ASSETS / "checkpoints" / f"{name}.json").read_text(encoding="utf-8"))


def front(shapes: Shapes) -> str:
    """What stands in front of the names of the network that paints."""
    signs = ("input_blocks.0.0.weight", "joint_blocks.0.x_block.attn.qkv.weight", "double_blocks.0.img_attn.qkv.weight")
    return next((front for front in FRONTS if any(front + sign in shapes for sign in signs)), "")


def networks(found: Weights, shapes: Shapes) -> dict[str, dict[str, Any]]:
    """Part -> configuration, of the networks in a checkpoint of one of our families."""
    shared = family(found.family)
    parts: dict[str, dict[str, Any]] = {}
    painter = bare(shapes, front(shapes))
    if "unet" in shared:
        parts["unet"] = {**shared["unet"], **read.unet(painter, 8 if found.family == "sd1" else 0)}
    elif found.family == "sd3":
        parts["transformer"] = {**shared["transformer"], **read.sd3(painter)}
    else:
        parts["transformer"] = {**shared["transformer"], **read.flux1(painter)}
    for prefix in VAE_PREFIXES:
        if prefix + "decoder.conv_in.weight" in shapes:
            parts["vae"] = {**shared["vae"], **read.vae(bare(shapes, prefix))}
    for part, prefix, reader in _READERS[found.family]:
        inner = bare(shapes, prefix)
        if inner:
            parts[part] = {**shared[part], **reader(inner)}
    _fit(parts)
    return parts


def _second(inner: Shapes) -> dict[str, Any]:
    """The reader of Stable Diffusion 2: of its layers the last is in the file, and was never used."""
    return read.open_clip(inner, last=False)


_READERS: Mapping[str, tuple[tuple[str, str, Any], ...]] = {
    "sd1": (("text_encoder", "cond_stage_model.transformer.", read.clip),),
    "sd2": (("text_encoder", "cond_stage_model.model.", _second),),
    "sdxl": (
        ("text_encoder", "conditioner.embedders.0.transformer.", read.clip),
        ("text_encoder_2", "conditioner.embedders.1.model.", read.open_clip),
    ),
    "sd3": (
        ("text_encoder", "text_encoders.clip_l.transformer.", read.clip),
        ("text_encoder_2", "text_encoders.clip_g.transformer.", read.clip),
        ("text_encoder_3", "text_encoders.t5xxl.transformer.", read.t5),
    ),
    "flux1": (
        ("text_encoder", "text_encoders.clip_l.transformer.", read.clip),
        ("text_encoder_2", "text_encoders.t5xxl.transformer.", read.t5),
    ),
}
"""Family -> its readers of prompts: part, what stands in front of their names, how their shapes are read."""


def _fit(parts: dict[str, dict[str, Any]]) -> None:
    """SDXL is told sizes beside words: how wide each of its six numbers becomes follows from both widths."""
    unet, reader = parts.get("unet", {}), parts.get("text_encoder_2", {})
    if (told := unet.get("projection_class_embeddings_input_dim")) and (words := reader.get("projection_dim")):
        unet["addition_time_embed_dim"] = (told - words) // 6


def scheduler(found: Weights, prediction: str = "") -> dict[str, Any]:
    """The sampler's configuration, with what the network was taught to predict.

    Args:
        prediction: what the person says of it, over what the file says.
    """
    config = dict(family(found.family)["scheduler"])
    if found.family == "flux1" and found.variant == "schnell":
        return {**config, "shift": 1.0, "use_dynamic_shifting": False}
    if found.family not in ("sd1", "sd2", "sdxl"):
        return config
    config["prediction_type"] = prediction or found.prediction or "epsilon"
    if found.zero_snr:
        if config["_class_name"] == "PNDMScheduler":  # it cannot begin at pure noise
            config = {**config, "_class_name": "DDIMScheduler", "clip_sample": False}
            del config["skip_prk_steps"]
        config |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    return config


def index(found: Weights) -> dict[str, Any]:
    """The model_index.json of a whole model of this family."""
    shared = family(found.family)
    parts: dict[str, Any] = {"_class_name": shared["pipeline"], **shared.get("more", {})}
    for part in ("scheduler", "unet", "transformer", "vae"):
        if part in shared:
            parts[part] = ["diffusers", shared[part]["_class_name"]]
    for part in ("text_encoder", "text_encoder_2", "text_encoder_3"):
        if part in shared:
            kind = shared[part]["architectures"][0]
            words = "CLIPTokenizer" if kind.startswith("CLIP") else "T5TokenizerFast"
            parts |= {part: ["transformers", kind], part.replace("text_encoder", "tokenizer"): ["transformers", words]}
    return parts


def write(folder: Path, found: Weights, parts: Mapping[str, Mapping[str, Any]], prediction: str = "") -> None:
    """The configurations in `folder` as diffusers reads them; `parts` as of `networks`."""
    kinds = index(found)
    kinds |= {"scheduler": ["diffusers", scheduler(found, prediction)["_class_name"]]}
    for name, config in {**parts, "scheduler": scheduler(found, prediction)}.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        file = "scheduler_config.json" if name == "scheduler" else "config.json"
        (folder / name / file).write_text(json.dumps(config), encoding="utf-8")
    (folder / "model_index.json").write_text(json.dumps(kinds), encoding="utf-8")
