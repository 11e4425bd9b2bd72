"""Tiny pipelines of the real classes in two layouts: diffusers' folders, and the publishers' single files.

Widths are such that heads can be told from them, as those of the published models can.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import original_layout as original
from tiny import byte_tokenizer
from tiny_pipelines import flux2_klein, z_image

from studio.engines.image.single_file.tokenizer import clip_tokenizer

_VOCABULARY = 49408


def _seeded() -> None:
    import torch

    torch.manual_seed(0)


def _clip(width: int, kind: str = "CLIPTextModel", layers: int = 2, act: str = "quick_gelu") -> Any:
    import transformers

    config = transformers.CLIPTextConfig(
        vocab_size=_VOCABULARY, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=layers,
        num_attention_heads=width // 64, projection_dim=width, hidden_act=act, bos_token_id=0, eos_token_id=2,
        pad_token_id=1,
    )  # fmt: skip
    return getattr(transformers, kind)(config)


def _vae(latents: int = 4, **changes: Any) -> Any:
    from diffusers import AutoencoderKL

    values: dict[str, Any] = {
        "block_out_channels": (32, 32), "down_block_types": ("DownEncoderBlock2D",) * 2, "layers_per_block": 1,
        "up_block_types": ("UpDecoderBlock2D",) * 2, "latent_channels": latents, "norm_num_groups": 32,
    }  # fmt: skip
    return AutoencoderKL(**(values | changes))


def _unet(**changes: Any) -> Any:
    from diffusers import UNet2DConditionModel

    values: dict[str, Any] = {
        "block_out_channels": (64, 128), "layers_per_block": 1, "norm_num_groups": 32,
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "cross_attention_dim": 64,
    }  # fmt: skip
    return UNet2DConditionModel(**(values | changes))


def sd1(prediction: str = "epsilon") -> Any:
    from diffusers import PNDMScheduler, StableDiffusionPipeline

    _seeded()
    return StableDiffusionPipeline(
        vae=_vae(), text_encoder=_clip(64), tokenizer=clip_tokenizer(),
        unet=_unet(attention_head_dim=8, sample_size=64), safety_checker=None, feature_extractor=None,
        scheduler=PNDMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1,
            set_alpha_to_one=False, prediction_type=prediction,
        ),
        requires_safety_checker=False,
    )  # fmt: skip


def sd2(prediction: str = "v_prediction") -> Any:
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    _seeded()
    return StableDiffusionPipeline(
        vae=_vae(), text_encoder=_clip(64, act="gelu"), tokenizer=clip_tokenizer("!"),
        unet=_unet(attention_head_dim=(1, 2), use_linear_projection=True, upcast_attention=True, sample_size=96),
        safety_checker=None, feature_extractor=None,
        scheduler=DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, clip_sample=False,
            set_alpha_to_one=False, prediction_type=prediction,
        ),
        requires_safety_checker=False,
    )  # fmt: skip


def sdxl(**schedule: Any) -> Any:
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

    _seeded()
    settings: Any = {
        "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1,
        "timestep_spacing": "leading", **schedule,
    }  # fmt: skip
    return StableDiffusionXLPipeline(
        vae=_vae(scaling_factor=0.13025), text_encoder=_clip(64), tokenizer=clip_tokenizer(),
        text_encoder_2=_clip(128, "CLIPTextModelWithProjection", act="gelu"), tokenizer_2=clip_tokenizer("!"),
        unet=_unet(
            cross_attention_dim=192, attention_head_dim=(1, 2), use_linear_projection=True,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            transformer_layers_per_block=(1, 2), addition_embed_type="text_time", addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=6 * 8 + 128, sample_size=128,
        ),
        scheduler=EulerDiscreteScheduler(**settings), add_watermarker=False,
    )  # fmt: skip


@cache
def t5_tokenizer() -> Any:
    return byte_tokenizer("</s>", "<pad>", "<unk>", model_max_length=512)


def _t5(width: int) -> Any:
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(
        T5Config(
            vocab_size=len(t5_tokenizer()), d_model=width, d_kv=16, d_ff=32, num_layers=1, num_heads=2,
            feed_forward_proj="gated-gelu",
        )
    )  # fmt: skip


def sd3(t5: bool = False) -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

    _seeded()
    return StableDiffusion3Pipeline(
        transformer=SD3Transformer2DModel(
            sample_size=128, patch_size=2, in_channels=16, num_layers=2, attention_head_dim=64, num_attention_heads=1,
            joint_attention_dim=256, caption_projection_dim=64, pooled_projection_dim=64 + 128, out_channels=16,
            pos_embed_max_size=24, dual_attention_layers=(0,), qk_norm="rms_norm",
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_vae(16, scaling_factor=1.5305, shift_factor=0.0609, use_quant_conv=False, use_post_quant_conv=False),
        text_encoder=_sd3_clip(64), tokenizer=clip_tokenizer(),
        text_encoder_2=_clip(128, "CLIPTextModelWithProjection", act="gelu"), tokenizer_2=clip_tokenizer("!"),
        text_encoder_3=_t5(256) if t5 else None, tokenizer_3=t5_tokenizer() if t5 else None,
    )  # fmt: skip


def _sd3_clip(width: int) -> Any:
    """The publishers' files have no projection of this reader: none is the same as one."""
    import torch

    model = _clip(width, "CLIPTextModelWithProjection")
    with torch.no_grad():
        model.text_projection.weight.copy_(torch.eye(width))
    return model


def flux1(guided: bool = True) -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel

    _seeded()
    shift: Any = {
        "shift": 3.0, "use_dynamic_shifting": True, "base_shift": 0.5, "max_shift": 1.15, "base_image_seq_len": 256,
        "max_image_seq_len": 4096,
    }  # fmt: skip
    return FluxPipeline(
        transformer=FluxTransformer2DModel(
            patch_size=1, in_channels=64, num_layers=1, num_single_layers=2, attention_head_dim=32,
            num_attention_heads=2, joint_attention_dim=32, pooled_projection_dim=64, guidance_embeds=guided,
            axes_dims_rope=(4, 14, 14),
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(**(shift if guided else {"shift": 1.0})),
        vae=_vae(16, scaling_factor=0.3611, shift_factor=0.1159, use_quant_conv=False, use_post_quant_conv=False),
        text_encoder=_clip(64), tokenizer=clip_tokenizer(), text_encoder_2=_t5(32), tokenizer_2=t5_tokenizer(),
    )  # fmt: skip


def qwen_image() -> Any:
    from diffusers import (
        AutoencoderKLQwenImage,
        FlowMatchEulerDiscreteScheduler,
        QwenImagePipeline,
        QwenImageTransformer2DModel,
    )
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    _seeded()
    tokenizer = byte_tokenizer("<|endoftext|>", "<|im_start|>", "<|im_end|>")
    config = Qwen2_5_VLConfig(
        text_config={
            "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"},
            "rope_theta": 1000000.0, "vocab_size": len(tokenizer),
        },
        vision_config={
            "depth": 2, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 16,
        },
        hidden_size=16, vocab_size=len(tokenizer), vision_end_token_id=5, vision_start_token_id=4, vision_token_id=6,
        image_token_id=7, video_token_id=8,
    )  # fmt: skip
    return QwenImagePipeline(
        transformer=QwenImageTransformer2DModel(
            patch_size=2, in_channels=16, out_channels=4, num_layers=2, attention_head_dim=16, num_attention_heads=3,
            joint_attention_dim=16, guidance_embeds=False, axes_dims_rope=(8, 4, 4),
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=AutoencoderKLQwenImage(
            base_dim=24, z_dim=4, dim_mult=[1, 2, 4], num_res_blocks=1, temperal_downsample=[False, True],
            latents_mean=[0.0] * 4, latents_std=[1.0] * 4,
        ),
        text_encoder=Qwen2_5_VLForConditionalGeneration(config), tokenizer=tokenizer,
    )  # fmt: skip


def one_file(name: str, pipe: Any) -> dict[str, Any]:
    """All of a pipeline, or the network that paints, as its publishers keep it."""
    if name in ("sd1", "sd2", "sdxl"):
        states = original.settle_upsamplers(original.unet(pipe.unet)) | original.vae(pipe.vae)
        if name == "sd1":
            return states | original.clip(pipe.text_encoder, "cond_stage_model.transformer.")
        if name == "sd2":
            return states | original.open_clip(pipe.text_encoder, "cond_stage_model.model.", unused=True)
        states |= original.clip(pipe.text_encoder, "conditioner.embedders.0.transformer.")
        return states | original.open_clip(pipe.text_encoder_2, "conditioner.embedders.1.model.")
    if name == "sd3":
        states = original.sd3(pipe.transformer) | original.vae(pipe.vae)
        first = original.clip(pipe.text_encoder, "text_encoders.clip_l.transformer.")
        first = {key: tensor for key, tensor in first.items() if "text_projection" not in key}
        return states | first | original.clip(pipe.text_encoder_2, "text_encoders.clip_g.transformer.")
    network = {
        "flux1": original.flux1, "flux2": original.flux2, "z_image": original.z_image,
        "qwen_image": lambda model: model.state_dict(),
    }[name]  # fmt: skip
    return network(pipe.transformer)


MADE = {
    "sd1": sd1, "sd2": sd2, "sdxl": sdxl, "sd3": sd3, "flux1": flux1, "flux2": flux2_klein, "z_image": z_image,
    "qwen_image": qwen_image,
}  # fmt: skip


def save(states: dict[str, Any], file: Path, metadata: dict[str, str] | None = None) -> Path:
    from safetensors.torch import save_file

    save_file(
        {name: tensor.contiguous().clone() for name, tensor in states.items()}, file, metadata or {"format": "pt"}
    )
    return file
