"""Tiny models in the layout of the publishers' own files: their tensors' names and forms, made of those of diffusers.

The names are the published ones (Stable Diffusion, Stable Diffusion XL, Stable Diffusion 3, FLUX.1, FLUX.2, Z-Image).
Only the tests turn models this way round; the studio reads such files through diffusers' own loaders.
"""

from __future__ import annotations

import re
from typing import Any

UNET = "model.diffusion_model."
_RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection",
}  # fmt: skip
_OUTER = {
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2", "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0", "conv_out": "out.2", "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}  # fmt: skip


def unet(model: Any) -> dict[str, Any]:
    return unet_states(model.state_dict(), model.config.layers_per_block)


def unet_states(states: dict[str, Any], layers: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, tensor in states.items():
        outer = next((new + name[len(old) :] for old, new in _OUTER.items() if name.startswith(old + ".")), "")
        found[UNET + (outer or _inner(name, layers))] = tensor.contiguous()
    return found


def _inner(name: str, layers: int) -> str:
    side, rest = name.split(".", 1)
    if side == "mid_block":
        kind, number, inside = rest.split(".", 2)
        return f"middle_block.{1 if kind == 'attentions' else 2 * int(number)}.{_within(kind, inside)}"
    level, kind, number, inside = rest.split(".", 3)
    each = layers + 1
    if side == "down_blocks":
        if kind == "downsamplers":
            return f"input_blocks.{each * (int(level) + 1)}.0.op.{inside.removeprefix('conv.')}"
        return f"input_blocks.{each * int(level) + int(number) + 1}.{int(kind == 'attentions')}.{_within(kind, inside)}"
    if kind == "upsamplers":
        return f"output_blocks.{each * int(level) + layers}.UP.{inside}"
    return f"output_blocks.{each * int(level) + int(number)}.{int(kind == 'attentions')}.{_within(kind, inside)}"


def _within(kind: str, inside: str) -> str:
    if kind == "attentions":
        return inside
    head, _, tail = inside.partition(".")
    return f"{_RESNET[head]}.{tail}"


def settle_upsamplers(states: dict[str, Any]) -> dict[str, Any]:
    """What enlarges stands behind the attention of its block, where that has one."""
    found = {}
    for name, tensor in states.items():
        if ".UP." in name:
            block = name.split(".UP.")[0]
            behind = any(one.startswith(f"{block}.1.") for one in states)
            found[name.replace(".UP.", ".2." if behind else ".1.")] = tensor
        else:
            found[name] = tensor
    return found


def vae(model: Any, front: str = "first_stage_model.") -> dict[str, Any]:
    levels = len(model.config.block_out_channels)
    found: dict[str, Any] = {}
    for name, tensor in model.state_dict().items():
        new = re.sub(r"down_blocks\.(\d+)\.resnets\.(\d+)", r"down.\1.block.\2", name)
        new = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", new)
        new = re.sub(r"up_blocks\.(\d+)\.resnets\.(\d+)", lambda m: f"up.{levels - 1 - int(m[1])}.block.{m[2]}", new)
        new = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0", lambda m: f"up.{levels - 1 - int(m[1])}.upsample", new)
        new = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", new)
        new = new.replace("mid_block.attentions.0", "mid.attn_1").replace("conv_shortcut", "nin_shortcut")
        new = new.replace("conv_norm_out", "norm_out")
        if "attn_1" in new:
            for old, short in (
                ("group_norm", "norm"),
                ("to_q", "q"),
                ("to_k", "k"),
                ("to_v", "v"),
                ("to_out.0", "proj_out"),
            ):
                new = new.replace(f"attn_1.{old}.", f"attn_1.{short}.")
        square = "attn_1" in new and tensor.ndim == 2
        found[front + new] = (tensor[:, :, None, None] if square else tensor).contiguous()
    return found


def clip(model: Any, front: str) -> dict[str, Any]:
    """A CLIP as transformers called its layers when the files were made."""
    states = model.state_dict()
    inside = any(name.startswith("text_model.") for name in states)
    return {
        front + (name if inside or name.startswith("text_projection") else f"text_model.{name}"): tensor.contiguous()
        for name, tensor in states.items()
    }


def open_clip(model: Any, front: str, unused: bool = False) -> dict[str, Any]:
    """A CLIP as OpenCLIP names its layers: the three projections of an attention are one.

    Args:
        unused: a last layer more, which nobody uses.
    """
    import torch

    states = {name.removeprefix("text_model."): tensor for name, tensor in model.state_dict().items()}
    found: dict[str, Any] = {
        "positional_embedding": states["embeddings.position_embedding.weight"],
        "token_embedding.weight": states["embeddings.token_embedding.weight"],
        "ln_final.weight": states["final_layer_norm.weight"],
        "ln_final.bias": states["final_layer_norm.bias"],
    }
    if "text_projection.weight" in states:
        found["text_projection"] = states["text_projection.weight"].T
    else:
        found["text_projection"] = torch.zeros(model.config.hidden_size, model.config.hidden_size)
    count = model.config.num_hidden_layers
    for layer in range(count + unused):
        old = f"encoder.layers.{min(layer, count - 1)}."
        new = f"transformer.resblocks.{layer}."
        for kind in ("weight", "bias"):
            three = [states[f"{old}self_attn.{one}_proj.{kind}"] for one in "qkv"]
            found[f"{new}attn.in_proj_{kind}"] = torch.cat(three)
            found[f"{new}attn.out_proj.{kind}"] = states[f"{old}self_attn.out_proj.{kind}"]
            for ours, theirs in (
                ("layer_norm1", "ln_1"),
                ("layer_norm2", "ln_2"),
                ("mlp.fc1", "mlp.c_fc"),
                ("mlp.fc2", "mlp.c_proj"),
            ):
                found[f"{new}{theirs}.{kind}"] = states[f"{old}{ours}.{kind}"]
    return {front + name: tensor.contiguous() for name, tensor in found.items()}


def _swapped(tensor: Any) -> Any:
    """Scale and shift stand the other way round in the publishers' files."""
    import torch

    first, second = tensor.chunk(2, dim=0)
    return torch.cat([second, first])


def sd3(model: Any, front: str = UNET) -> dict[str, Any]:
    import torch

    s = dict(model.state_dict())
    last = model.config.num_layers - 1
    found: dict[str, Any] = {"pos_embed": s.pop("pos_embed.pos_embed")}
    simple = {
        "pos_embed.proj": "x_embedder.proj", "time_text_embed.timestep_embedder.linear_1": "t_embedder.mlp.0",
        "time_text_embed.timestep_embedder.linear_2": "t_embedder.mlp.2", "context_embedder": "context_embedder",
        "time_text_embed.text_embedder.linear_1": "y_embedder.mlp.0",
        "time_text_embed.text_embedder.linear_2": "y_embedder.mlp.2", "proj_out": "final_layer.linear",
    }  # fmt: skip
    block = {
        "attn.norm_q": "x_block.attn.ln_q", "attn.norm_k": "x_block.attn.ln_k",
        "attn.norm_added_q": "context_block.attn.ln_q", "attn.norm_added_k": "context_block.attn.ln_k",
        "attn.to_out.0": "x_block.attn.proj", "attn.to_add_out": "context_block.attn.proj",
        "attn2.to_out.0": "x_block.attn2.proj", "attn2.norm_q": "x_block.attn2.ln_q",
        "attn2.norm_k": "x_block.attn2.ln_k", "norm1.linear": "x_block.adaLN_modulation.1",
        "norm1_context.linear": "context_block.adaLN_modulation.1", "ff.net.0.proj": "x_block.mlp.fc1",
        "ff.net.2": "x_block.mlp.fc2", "ff_context.net.0.proj": "context_block.mlp.fc1",
        "ff_context.net.2": "context_block.mlp.fc2",
    }  # fmt: skip
    three = {
        "attn.to_q": "x_block.attn.qkv",
        "attn.add_q_proj": "context_block.attn.qkv",
        "attn2.to_q": "x_block.attn2.qkv",
    }
    for name, tensor in s.items():
        part, _, kind = name.rpartition(".")
        if part in simple:
            found[f"{simple[part]}.{kind}"] = tensor
        elif part == "norm_out.linear":
            found[f"final_layer.adaLN_modulation.1.{kind}"] = _swapped(tensor)
        elif match := re.match(r"transformer_blocks\.(\d+)\.(.+)", part):
            here = f"joint_blocks.{match[1]}."
            if match[2] in block:
                swap = match[2] == "norm1_context.linear" and int(match[1]) == last
                found[f"{here}{block[match[2]]}.{kind}"] = _swapped(tensor) if swap else tensor
            elif match[2] in three:
                others = [s[name.replace("_q", f"_{one}")] for one in "qkv"]
                found[f"{here}{three[match[2]]}.{kind}"] = torch.cat(others)
    return {front + name: tensor.contiguous() for name, tensor in found.items()}


def flux1(model: Any, front: str = "") -> dict[str, Any]:
    import torch

    s = dict(model.state_dict())
    simple = {
        "time_text_embed.timestep_embedder.linear_1": "time_in.in_layer",
        "time_text_embed.timestep_embedder.linear_2": "time_in.out_layer",
        "time_text_embed.text_embedder.linear_1": "vector_in.in_layer",
        "time_text_embed.text_embedder.linear_2": "vector_in.out_layer",
        "time_text_embed.guidance_embedder.linear_1": "guidance_in.in_layer",
        "time_text_embed.guidance_embedder.linear_2": "guidance_in.out_layer", "context_embedder": "txt_in",
        "x_embedder": "img_in", "proj_out": "final_layer.linear",
    }  # fmt: skip
    double = {
        "norm1.linear": "img_mod.lin", "norm1_context.linear": "txt_mod.lin", "attn.to_out.0": "img_attn.proj",
        "attn.to_add_out": "txt_attn.proj", "ff.net.0.proj": "img_mlp.0", "ff.net.2": "img_mlp.2",
        "ff_context.net.0.proj": "txt_mlp.0", "ff_context.net.2": "txt_mlp.2",
    }  # fmt: skip
    norms = {
        "attn.norm_q": "img_attn.norm.query_norm", "attn.norm_k": "img_attn.norm.key_norm",
        "attn.norm_added_q": "txt_attn.norm.query_norm", "attn.norm_added_k": "txt_attn.norm.key_norm",
    }  # fmt: skip
    found: dict[str, Any] = {}
    for name, tensor in s.items():
        part, _, kind = name.rpartition(".")
        if part in simple:
            found[f"{simple[part]}.{kind}"] = tensor
        elif part == "norm_out.linear":
            found[f"final_layer.adaLN_modulation.1.{kind}"] = _swapped(tensor)
        elif match := re.match(r"transformer_blocks\.(\d+)\.(.+)", part):
            here = f"double_blocks.{match[1]}."
            if match[2] in double:
                found[f"{here}{double[match[2]]}.{kind}"] = tensor
            elif match[2] in norms:
                found[f"{here}{norms[match[2]]}.scale"] = tensor
            elif match[2] in ("attn.to_q", "attn.add_q_proj"):
                three = torch.cat([s[name.replace("_q", f"_{one}")] for one in "qkv"])
                found[f"{here}{'img' if match[2] == 'attn.to_q' else 'txt'}_attn.qkv.{kind}"] = three
        elif match := re.match(r"single_transformer_blocks\.(\d+)\.(.+)", part):
            here = f"single_blocks.{match[1]}."
            if match[2] == "norm.linear":
                found[f"{here}modulation.lin.{kind}"] = tensor
            elif match[2] == "proj_out":
                found[f"{here}linear2.{kind}"] = tensor
            elif match[2] in ("attn.norm_q", "attn.norm_k"):
                found[f"{here}norm.{'query' if match[2][-1] == 'q' else 'key'}_norm.scale"] = tensor
            elif match[2] == "attn.to_q":
                four = [s[name.replace("to_q", f"to_{one}")] for one in "qkv"]
                found[f"{here}linear1.{kind}"] = torch.cat([*four, s[name.replace("attn.to_q", "proj_mlp")]])
    return {front + name: tensor.contiguous() for name, tensor in found.items()}


def flux2(model: Any, front: str = "") -> dict[str, Any]:
    import torch

    s = dict(model.state_dict())
    outer = {
        "x_embedder": "img_in", "context_embedder": "txt_in", "proj_out": "final_layer.linear",
        "time_guidance_embed.timestep_embedder.linear_1": "time_in.in_layer",
        "time_guidance_embed.timestep_embedder.linear_2": "time_in.out_layer",
        "double_stream_modulation_img.linear": "double_stream_modulation_img.lin",
        "double_stream_modulation_txt.linear": "double_stream_modulation_txt.lin",
        "single_stream_modulation.linear": "single_stream_modulation.lin",
    }  # fmt: skip
    double = {
        "attn.to_out.0": "img_attn.proj", "ff.linear_in": "img_mlp.0", "ff.linear_out": "img_mlp.2",
        "attn.to_add_out": "txt_attn.proj", "ff_context.linear_in": "txt_mlp.0", "ff_context.linear_out": "txt_mlp.2",
    }  # fmt: skip
    norms = {
        "attn.norm_q": "img_attn.norm.query_norm", "attn.norm_k": "img_attn.norm.key_norm",
        "attn.norm_added_q": "txt_attn.norm.query_norm", "attn.norm_added_k": "txt_attn.norm.key_norm",
    }  # fmt: skip
    found: dict[str, Any] = {}
    for name, tensor in s.items():
        part, _, kind = name.rpartition(".")
        if part in outer:
            found[f"{outer[part]}.{kind}"] = tensor
        elif part == "norm_out.linear":
            found[f"final_layer.adaLN_modulation.1.{kind}"] = _swapped(tensor)
        elif match := re.match(r"transformer_blocks\.(\d+)\.(.+)", part):
            here = f"double_blocks.{match[1]}."
            if match[2] in double:
                found[f"{here}{double[match[2]]}.{kind}"] = tensor
            elif match[2] in norms:
                found[f"{here}{norms[match[2]]}.scale"] = tensor
            elif match[2] in ("attn.to_q", "attn.add_q_proj"):
                three = torch.cat([s[name.replace("_q", f"_{one}")] for one in "qkv"])
                found[f"{here}{'img' if match[2] == 'attn.to_q' else 'txt'}_attn.qkv.{kind}"] = three
        elif match := re.match(r"single_transformer_blocks\.(\d+)\.(.+)", part):
            here = f"single_blocks.{match[1]}."
            new = {"attn.to_qkv_mlp_proj": "linear1.weight", "attn.to_out": "linear2.weight",
                   "attn.norm_q": "norm.query_norm.scale", "attn.norm_k": "norm.key_norm.scale"}[match[2]]  # fmt: skip
            found[here + new] = tensor
    return {front + name: tensor.contiguous() for name, tensor in found.items()}


def z_image(model: Any, front: str = UNET) -> dict[str, Any]:
    import torch

    s = dict(model.state_dict())
    found: dict[str, Any] = {}
    for name, tensor in s.items():
        if ".attention.to_k." in name or ".attention.to_v." in name:
            continue
        if ".attention.to_q." in name:
            three = [s[name.replace("to_q", f"to_{one}")] for one in "qkv"]
            found[name.replace("to_q", "qkv")] = torch.cat(three)
            continue
        new = name.replace("all_final_layer.2-1.", "final_layer.").replace("all_x_embedder.2-1.", "x_embedder.")
        new = new.replace(".attention.to_out.0.", ".attention.out.").replace(".norm_k.", ".k_norm.")
        found[new.replace(".norm_q.", ".q_norm.") if ".attention." in new else new] = tensor
    return {front + name: tensor.contiguous() for name, tensor in found.items()}
