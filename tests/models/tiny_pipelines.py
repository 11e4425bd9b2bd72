"""Tiny diffusers pipelines of the real classes, with random weights. Nothing is downloaded."""

from __future__ import annotations

from typing import Any

import numpy as np
from tiny import CHAT_TEMPLATE, byte_tokenizer, word_tokenizer

KINDS = (
    "stable_diffusion",
    "latent_consistency",
    "icons",
    "stable_diffusion_xl",
    "z_image",
    "flux2_klein",
    "sana_sprint",
)
"""Pipelines of pictures, each a function below."""


def pixels(output: Any) -> list[bytes]:
    """The pictures of an output, to be compared to the byte."""
    return [picture.tobytes() for picture in output.images]


def near(made: bytes, expected: bytes) -> bool:
    """The same but for rounding: sums are added up in another order where the numbers lie otherwise in memory."""
    apart = np.abs(np.frombuffer(made, np.uint8).astype(int) - np.frombuffer(expected, np.uint8))
    return len(made) == len(expected) and apart.max() <= 1


def _clip(tokenizer: Any, kind: str = "CLIPTextModel", width: int = 32) -> Any:
    import transformers

    config = transformers.CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=4,
        projection_dim=width,
        bos_token_id=3,
        eos_token_id=1,
        pad_token_id=0,
    )
    return getattr(transformers, kind)(config)


def _vae(latents: int = 4, **changes: Any) -> Any:
    from diffusers import AutoencoderKL

    values: dict[str, Any] = {
        "block_out_channels": (16, 32),
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "latent_channels": latents,
        "norm_num_groups": 8,
        "sample_size": 32,
    }
    return AutoencoderKL(**(values | changes))


def _unet(**changes: Any) -> Any:
    from diffusers import UNet2DConditionModel

    values: dict[str, Any] = {
        "block_out_channels": (16, 32),
        "layers_per_block": 1,
        "sample_size": 16,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": 32,
        "norm_num_groups": 8,
        "attention_head_dim": 8,
    }
    return UNet2DConditionModel(**(values | changes))


def _qwen(tokenizer: Any, kind: str, layers: int = 2, width: int = 16) -> Any:
    import transformers

    config = transformers.Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=512,
    )
    return getattr(transformers, kind)(config)


def stable_diffusion(scheduler: Any = None) -> Any:
    from diffusers import PNDMScheduler, StableDiffusionPipeline

    tokenizer = word_tokenizer(kind="bert")
    return StableDiffusionPipeline(
        vae=_vae(),
        text_encoder=_clip(tokenizer),
        tokenizer=tokenizer,
        unet=_unet(),
        scheduler=scheduler or PNDMScheduler(skip_prk_steps=True, beta_schedule="scaled_linear", steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def latent_consistency() -> Any:
    from diffusers import LatentConsistencyModelPipeline, LCMScheduler

    pipe = stable_diffusion()
    parts: Any = pipe.components | {"unet": _unet(time_cond_proj_dim=32), "scheduler": LCMScheduler()}
    return LatentConsistencyModelPipeline(**parts, requires_safety_checker=False)


def icons(scheduler: Any = None) -> Any:
    """Like the starter: BERT reads, eight latent channels, sixteen pixels a cell, velocity on a harsh schedule."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline
    from transformers import BertConfig, BertModel

    tokenizer = word_tokenizer(24, "bert")
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=37,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=64,
        initializer_range=0.5,
        use_attention_mask=True,
    )
    schedule: Any = {
        "beta_start": 0.00085,
        "beta_end": 0.03,
        "beta_schedule": "scaled_linear",
        "prediction_type": "v_prediction",
        "timestep_spacing": "trailing",
        "steps_offset": 1,
    }
    parts: Any = {
        "vae": _vae(
            8,
            block_out_channels=(8, 8, 16, 16, 16),
            down_block_types=("DownEncoderBlock2D",) * 5,
            up_block_types=("UpDecoderBlock2D",) * 5,
            mid_block_add_attention=False,
            sample_size=128,
            scaling_factor=0.8,
        ),
        "text_encoder": BertModel(config, add_pooling_layer=False),
        "tokenizer": tokenizer,
        "unet": _unet(
            in_channels=8,
            out_channels=8,
            sample_size=8,
            down_block_types=("CrossAttnDownBlock2D",) * 2,
            up_block_types=("CrossAttnUpBlock2D",) * 2,
        ),
        "scheduler": scheduler or DDIMScheduler(**schedule, clip_sample=False, set_alpha_to_one=True),
    }
    return StableDiffusionPipeline(**parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False)


def stable_diffusion_xl() -> Any:
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

    tokenizer = word_tokenizer(kind="bert")
    return StableDiffusionXLPipeline(
        vae=_vae(),
        text_encoder=_clip(tokenizer),
        text_encoder_2=_clip(tokenizer, "CLIPTextModelWithProjection"),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=_unet(
            cross_attention_dim=64,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            transformer_layers_per_block=(1, 1),
            projection_class_embeddings_input_dim=6 * 8 + 32,
        ),
        scheduler=EulerDiscreteScheduler(beta_schedule="scaled_linear"),
        add_watermarker=False,
    )


def z_image() -> Any:
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler, ZImagePipeline, ZImageTransformer2DModel

    tokenizer = byte_tokenizer("<|endoftext|>", "<|im_start|>", "<|im_end|>", template=CHAT_TEMPLATE)
    transformer = ZImageTransformer2DModel(
        in_channels=16,
        dim=32,
        n_layers=1,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=16,
        axes_dims=[8, 4, 4],
        axes_lens=[1024, 32, 32],
    )
    torch.nn.init.zeros_(transformer.x_pad_token)  # left as torch.empty by the class
    torch.nn.init.zeros_(transformer.cap_pad_token)
    return ZImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=_vae(16, scaling_factor=0.36, shift_factor=0.12),
        text_encoder=_qwen(tokenizer, "Qwen3Model"),
        tokenizer=tokenizer,
        transformer=transformer,
    )


def flux2_klein() -> Any:
    from diffusers import (
        AutoencoderKLFlux2,
        FlowMatchEulerDiscreteScheduler,
        Flux2KleinPipeline,
        Flux2Transformer2DModel,
    )

    tokenizer = byte_tokenizer("<|endoftext|>", "<|im_start|>", "<|im_end|>", template=CHAT_TEMPLATE)
    return Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=AutoencoderKLFlux2(
            down_block_types=("DownEncoderBlock2D",),
            up_block_types=("UpDecoderBlock2D",),
            block_out_channels=(8,),
            layers_per_block=1,
            latent_channels=1,
            norm_num_groups=1,
            use_quant_conv=False,
            use_post_quant_conv=False,
            sample_size=32,
        ),
        text_encoder=_qwen(tokenizer, "Qwen3ForCausalLM", layers=28),  # the pipeline reads layers 9, 18 and 27
        tokenizer=tokenizer,
        transformer=Flux2Transformer2DModel(
            in_channels=4,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=48,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        ),
        is_distilled=True,
    )


def sana_sprint() -> Any:
    from diffusers import AutoencoderDC, SanaSprintPipeline, SanaTransformer2DModel, SCMScheduler
    from transformers import Gemma2Config, Gemma2Model

    tokenizer = byte_tokenizer("<|endoftext|>")
    tokenizer.padding_side = "right"
    return SanaSprintPipeline(
        tokenizer=tokenizer,
        text_encoder=Gemma2Model(
            Gemma2Config(
                vocab_size=len(tokenizer),
                hidden_size=8,
                intermediate_size=16,
                num_hidden_layers=1,
                num_attention_heads=2,
                num_key_value_heads=2,
                head_dim=8,
            )
        ),
        vae=AutoencoderDC(
            latent_channels=4,
            attention_head_dim=2,
            encoder_block_types=("ResBlock", "EfficientViTBlock"),
            decoder_block_types=("ResBlock", "EfficientViTBlock"),
            encoder_block_out_channels=(8, 8),
            decoder_block_out_channels=(8, 8),
            encoder_qkv_multiscales=((), (5,)),
            decoder_qkv_multiscales=((), (5,)),
            encoder_layers_per_block=(1, 1),
            decoder_layers_per_block=(1, 1),
            downsample_block_type="conv",
            upsample_block_type="interpolate",
            decoder_norm_types="rms_norm",
            decoder_act_fns="silu",
            scaling_factor=0.41,
        ),
        transformer=SanaTransformer2DModel(
            patch_size=1,
            in_channels=4,
            out_channels=4,
            num_layers=1,
            num_attention_heads=2,
            attention_head_dim=4,
            num_cross_attention_heads=2,
            cross_attention_head_dim=4,
            cross_attention_dim=8,
            caption_channels=8,
            sample_size=32,
            qk_norm="rms_norm_across_heads",
            guidance_embeds=True,
        ),
        scheduler=SCMScheduler(),
    )


def _oobleck(latents: int) -> Any:
    from diffusers import AutoencoderOobleck

    return AutoencoderOobleck(
        encoder_hidden_size=2 * latents,
        downsampling_ratios=[2, 4],
        decoder_channels=4,
        decoder_input_channels=latents,
        audio_channels=2,
        channel_multiples=[2, 4],
        sampling_rate=200,
    )


def stable_audio() -> Any:
    from diffusers import (
        EDMDPMSolverMultistepScheduler,
        StableAudioDiTModel,
        StableAudioPipeline,
        StableAudioProjectionModel,
    )
    from transformers import T5Config, T5EncoderModel

    tokenizer = word_tokenizer(25)
    encoder = T5EncoderModel(
        T5Config(vocab_size=len(tokenizer), d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    )
    return StableAudioPipeline(
        vae=_oobleck(4),
        text_encoder=encoder,
        projection_model=StableAudioProjectionModel(16, conditioning_dim=8, min_value=0, max_value=32),
        tokenizer=tokenizer,
        transformer=StableAudioDiTModel(
            sample_size=50,
            in_channels=4,
            num_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            num_key_value_attention_heads=2,
            out_channels=4,
            cross_attention_dim=8,
            time_proj_dim=8,
            global_states_input_dim=16,
            cross_attention_input_dim=8,
        ),
        scheduler=EDMDPMSolverMultistepScheduler(prediction_type="v_prediction"),
    )


def ace_step() -> Any:
    import torch
    from diffusers import AceStepPipeline, AceStepTransformer1DModel, FlowMatchEulerDiscreteScheduler
    from diffusers.pipelines.ace_step import AceStepConditionEncoder

    tokenizer = byte_tokenizer("<|endoftext|>")
    encoder = AceStepConditionEncoder(
        hidden_size=32,
        intermediate_size=32,
        text_hidden_dim=16,
        timbre_hidden_dim=8,
        num_lyric_encoder_hidden_layers=1,
        num_timbre_encoder_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        sliding_window=16,
    )
    encoder.silence_latent.copy_(torch.randn_like(encoder.silence_latent))
    return AceStepPipeline(
        vae=_oobleck(8),
        text_encoder=_qwen(tokenizer, "Qwen3Model"),
        tokenizer=tokenizer,
        transformer=AceStepTransformer1DModel(
            hidden_size=32,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=8,
            in_channels=24,
            audio_acoustic_hidden_dim=8,
            patch_size=2,
            sliding_window=16,
        ),
        condition_encoder=encoder,
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0),
    )
