"""Families of picture models, told from the names and shapes of their tensors.

The names are those that the publishers' own files have, as diffusers' loaders/single_file_utils.py lists them, and what
training programs add. Shapes decide only what names cannot. Nothing is read but names and shapes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

Shapes = Mapping[str, tuple[int, ...]]

UNET = "model.diffusion_model."
VAE_PREFIXES = ("first_stage_model.", "vae.")
_CLIP_L = "text_model.embeddings.position_embedding.weight"
_T5 = "encoder.block.0.layer.0.SelfAttention.q.weight"


@dataclass(frozen=True, slots=True)
class Denoiser:
    """A network that paints: its family, and what kind of that family it is; "" where there is only one."""

    family: str
    variant: str = ""


_NETWORKS: tuple[tuple[str, str], ...] = (
    ("flux2", "single_stream_modulation.lin.weight"),
    ("flux3", "early_stream_modulations.image.lin.weight"),
    ("chroma", "distilled_guidance_layer.in_proj.bias"),
    ("flux1", "double_blocks.0.img_attn.norm.key_norm.scale"),
    ("sd3", "joint_blocks.0.context_block.adaLN_modulation.1.bias"),
    ("qwen-image-2", "txt_in.text_norm.weight"),
    ("qwen-image", "transformer_blocks.0.attn.norm_added_k.weight"),
    ("z-image", "layers.0.adaLN_modulation.0.weight"),
    ("lumina2", "cap_embedder.0.weight"),
    ("auraflow", "double_layers.0.attn.w2q.weight"),
    ("hidream", "double_stream_blocks.0.block.adaLN_modulation.1.bias"),
    ("krea2", "txtfusion.projector.weight"),
    ("sana", "blocks.0.cross_attn.kv_linear.weight"),
    ("stable-cascade", "down_blocks.1.0.channelwise.0.weight"),
    ("stable-cascade", "clip_txt_mapper.weight"),
    ("ltx-video", "patchify_proj.weight"),
    ("wan", "head.modulation"),
    ("hunyuan-video", "txt_in.individual_token_refiner.blocks.0.adaLN_modulation.1.bias"),
    ("mochi", "blocks.0.attn.qkv_x.weight"),
    ("cosmos", "x_embedder.proj.1.weight"),
)
"""A tensor that each family has, without what stands in front of it; the first that is found counts."""

VIDEO = frozenset({"ltx-video", "wan", "hunyuan-video", "mochi", "cosmos"})
FRONTS = (UNET, "net.", "")

_CONTROL = (
    *("control_model.", "controlnet_", "lllite_", "input_hint_block.", "control_all_x_embedder.", "control_layers."),
)
_REFERENCE = ("image_proj.", "ip_adapter.", "ip_adapter_proj_model.")
_ADAPTER = re.compile(r"adapter\.body\.\d+\.resnets\.|body\.\d+\.(body\.\d+\.)?block1\.weight$")
_LORA = re.compile(
    r"\.(lora_(down|up)|lora_[AB]|hada_w1_[ab]|lokr_w[12](_[ab])?|lora_mid|oft_blocks|dora_scale)(\.|$)"
    r"|^lora_(unet|te\d?|transformer)_|_lora\.(down|up)\.weight$"
)
_ADAPTED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("sdxl", ("lora_te1_", "lora_te2_", "text_encoder_2.", "input_blocks_8_1_transformer_blocks_1",
              "input_blocks_4_1_transformer_blocks_1", "down_blocks_2_attentions_1_transformer_blocks_1",
              "down_blocks.2.attentions.1.transformer_blocks.1")),
    ("flux1", ("single_transformer_blocks", "double_blocks", "single_blocks")),
    ("sd3", ("joint_blocks", "joint_transformer_blocks")),
    ("qwen-image", ("img_mod", "add_q_proj")),
    ("z-image", ("adaLN_modulation", "layers_0_attention", "layers.0.attention")),
    ("sd1", ("lora_te_", "lora_unet_", "unet.")),
)  # fmt: skip
"""Family -> what stands in the names of its adaptations and in none of those further up."""


_VECTORS = (768, 1024, 1280, 2048, 4096)
"""How long the vectors of text encoders are."""


def bare(shapes: Shapes, front: str) -> dict[str, tuple[int, ...]]:
    """The tensors whose names begin with `front`, without it."""
    return (
        {name[len(front) :]: shape for name, shape in shapes.items() if name.startswith(front)} if front else {**shapes}
    )


def adapter(shapes: Shapes) -> bool:
    """Whether these are an adaptation's tensors: a network's own names do not occur beside them."""
    return any(_LORA.search(name) for name in list(shapes)[:40])


def adapter_family(names: str) -> str:
    """The family that an adaptation was made for; "" where its names do not tell.

    Args:
        names: its tensors' names, or its header as it stands.
    """
    return next((family for family, signs in _ADAPTED if any(sign in names for sign in signs)), "")


def control(shapes: Shapes) -> bool:
    """Whether these are a ControlNet's or a T2I-Adapter's tensors."""
    return any(name.startswith(_CONTROL) for name in shapes) or any(_ADAPTER.match(name) for name in shapes)


def reference(shapes: Shapes) -> bool:
    """Whether these are the tensors of an IP-Adapter, through which a model sees pictures."""
    return any(name.startswith(_REFERENCE) for name in shapes)


def embedding(shapes: Shapes) -> bool:
    """Whether these are a textual inversion: a few vectors, and nothing else."""
    names = {"emb_params", "clip_l", "clip_g", "t5xxl", "<*>", "string_to_param"}
    few = 0 < len(shapes) <= 4 and all(len(shape) in (1, 2) for shape in shapes.values())
    return few and (bool(names & shapes.keys()) or all(shape[-1] in _VECTORS for shape in shapes.values()))


def denoiser(shapes: Shapes) -> Denoiser | None:
    """The network that paints in these tensors; None where there is none."""
    for front in FRONTS:
        if front + "input_blocks.0.0.weight" in shapes:
            return _unet(shapes, front)
        for family, sign in _NETWORKS:
            if front + sign in shapes:
                return Denoiser(family, _variant(family, shapes, front))
    if "time_embedding.linear_1.weight" in shapes and "down_blocks.0.resnets.0.conv1.weight" in shapes:
        return Denoiser(_by_width(shapes), "diffusers")
    if "single_transformer_blocks.0.attn.norm_k.weight" in shapes and "x_embedder.weight" in shapes:
        return Denoiser("flux1", "diffusers")
    return None


def _unet(shapes: Shapes, front: str) -> Denoiser:
    """A UNet of Stable Diffusion, as its makers name its layers."""
    channels = shapes[front + "input_blocks.0.0.weight"][1]
    kind = {9: "inpaint", 8: "edit", 7: "x4-upscaler", 5: "depth"}.get(channels, "")
    if front + "label_emb.0.0.weight" in shapes and kind != "x4-upscaler":
        family = "sdxl-refiner" if _refiner(shapes, front) else "sdxl"
        if "edm_mean" in shapes or "edm_vpred.sigma_max" in shapes:
            kind = "edm"
        return Denoiser(family, kind)
    projected = next((shape for name, shape in shapes.items() if name.endswith("1.proj_in.weight")), ())
    # later ones bring the channels over by a matrix where the first ones had a convolution
    second = any(name.startswith("cond_stage_model.model.") for name in shapes) or len(projected) == 2
    return Denoiser("sd2" if second else "sd1", kind)


def _refiner(shapes: Shapes, front: str) -> bool:
    if any(name.startswith("conditioner.embedders.1.") for name in shapes):
        return False
    if any(name.startswith("conditioner.embedders.0.model.") for name in shapes):
        return True
    ends = (shape[-1] for name, shape in shapes.items() if name.startswith(front) and "attn2.to_k.weight" in name)
    return next(ends, 0) == 1280


def _by_width(shapes: Shapes) -> str:
    if "add_embedding.linear_1.weight" in shapes:
        return "sdxl"
    wide = next((shape[-1] for name, shape in shapes.items() if name.endswith("attn2.to_k.weight")), 0)
    return "sd2" if wide == 1024 else "sd1"


def _variant(family: str, shapes: Shapes, front: str) -> str:
    if family == "flux1":
        width = shapes.get(front + "img_in.weight", (0, 0))[-1]
        guided = front + "guidance_in.in_layer.weight" in shapes
        return {384: "fill", 128: "control"}.get(width, "dev" if guided else "schnell")
    if family == "flux2":
        if front + "guidance_in.in_layer.weight" in shapes:
            return "dev"
        return "klein-9b" if shapes.get(front + "img_in.weight", (0,))[0] == 4096 else "klein"
    if family == "sd3":
        if front + "joint_blocks.37.x_block.mlp.fc1.weight" in shapes:
            return "3.5-large"
        return "3.5-medium" if f"{front}joint_blocks.0.x_block.attn2.qkv.weight" in shapes else "3-medium"
    return ""


def vae(shapes: Shapes) -> str:
    """The family of a picture decoder that stands alone; "" where it is none."""
    for front in (*VAE_PREFIXES, ""):
        if front + "decoder.middle.0.residual.0.gamma" in shapes:
            return "wan"
        entry = shapes.get(front + "decoder.conv_in.weight")
        if entry is None or len(entry) != 4:
            continue
        if (
            front + "decoder.mid.block_1.norm1.weight" in shapes
            or front + "decoder.mid_block.resnets.0.norm1.weight" in shapes
        ):
            return {4: "sd", 16: "flux1", 32: "flux2"}.get(entry[1], "sd" if entry[1] < 16 else "other")
    return ""


def text_encoder(shapes: Shapes) -> str:
    """Which reader of prompts stands alone in these tensors; "" where there is none."""
    if _T5 in shapes:
        return "t5"
    if _CLIP_L in shapes:
        return "clip-g" if shapes[_CLIP_L][-1] == 1280 else "clip-l"
    if "transformer.resblocks.0.attn.in_proj_weight" in shapes and "token_embedding.weight" in shapes:
        return "open-clip"
    if (
        "model.layers.0.self_attn.q_proj.weight" in shapes
        or "model.language_model.layers.0.self_attn.q_proj.weight" in shapes
    ):
        return "language"
    return ""


def holds(shapes: Shapes) -> tuple[str, ...]:
    """The parts of a whole model that are in one file, by the names that its folder would give them."""
    found: list[str] = []
    if denoiser(shapes) is not None:
        found.append("denoiser")
    fronts = VAE_PREFIXES if found else ("",)
    if any(front + "decoder.conv_in.weight" in shapes for front in fronts):
        found.append("vae")
    for part, signs in _READERS:
        if any(sign in shapes for sign in signs):
            found.append(part)
    return tuple(found)


_READERS = (
    ("clip_l", ("cond_stage_model.transformer." + _CLIP_L, "conditioner.embedders.0.transformer." + _CLIP_L,
                "text_encoders.clip_l.transformer." + _CLIP_L)),
    ("clip_g", ("conditioner.embedders.1.model.positional_embedding",
                "conditioner.embedders.0.model.positional_embedding", "text_encoders.clip_g.transformer." + _CLIP_L)),
    ("clip_h", ("cond_stage_model.model.positional_embedding",)),
    ("t5", ("text_encoders.t5xxl.transformer." + _T5, "text_encoders.t5xxl." + _T5)),
)  # fmt: skip
