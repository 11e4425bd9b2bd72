"""Tiny pipelines that edit by instruction, of the real classes and in the published layouts, with random weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tiny import CHAT_TEMPLATE, byte_tokenizer, word_tokenizer
from tiny_pipelines import _clip, _vae, flux2_klein

KINDS = ("flux2_klein", "flux_kontext", "qwen_image_edit", "qwen_image_edit_plus")
_MARKS = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")


def make(kind: str) -> Any:
    """The pipeline of this name."""
    return flux2_klein() if kind == "flux2_klein" else globals()[kind]()


@contextmanager
def small() -> Iterator[None]:
    """With pictures read at 32 pixels a side and not at the megapixel at which the published models read them."""
    from diffusers.pipelines.flux import pipeline_flux_kontext as kontext
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit as edit
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as plus

    side, dimensions, sizes = 32, edit.calculate_dimensions, kontext.PREFERRED_KONTEXT_RESOLUTIONS
    areas = plus.VAE_IMAGE_SIZE, plus.CONDITION_IMAGE_SIZE
    edit.calculate_dimensions = lambda area, ratio: dimensions(min(area, 64 * 64), ratio)
    kontext.PREFERRED_KONTEXT_RESOLUTIONS = [(side, side), (2 * side, side), (side, 2 * side)]
    plus.VAE_IMAGE_SIZE = plus.CONDITION_IMAGE_SIZE = 64 * 64
    try:
        yield
    finally:
        edit.calculate_dimensions, kontext.PREFERRED_KONTEXT_RESOLUTIONS = dimensions, sizes
        plus.VAE_IMAGE_SIZE, plus.CONDITION_IMAGE_SIZE = areas


def flux_kontext() -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxKontextPipeline, FluxTransformer2DModel
    from transformers import T5Config, T5EncoderModel

    words, pieces = word_tokenizer(kind="bert"), word_tokenizer(512)
    return FluxKontextPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=_vae(4, scaling_factor=0.36, shift_factor=0.12, use_quant_conv=False, use_post_quant_conv=False),
        text_encoder=_clip(words),
        tokenizer=words,
        text_encoder_2=T5EncoderModel(
            T5Config(vocab_size=len(pieces), d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
        ),
        tokenizer_2=pieces,
        transformer=FluxTransformer2DModel(
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=16,
            pooled_projection_dim=32,
            guidance_embeds=True,
            axes_dims_rope=(4, 4, 8),
        ),
    )


def qwen_image_edit() -> Any:
    from diffusers import QwenImageEditPipeline

    return QwenImageEditPipeline(**_qwen_parts())


def qwen_image_edit_plus() -> Any:
    from diffusers import QwenImageEditPlusPipeline

    return QwenImageEditPlusPipeline(**_qwen_parts())


def _qwen_parts() -> dict[str, Any]:
    from diffusers import AutoencoderKLQwenImage, FlowMatchEulerDiscreteScheduler, QwenImageTransformer2DModel
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2VLProcessor
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    from studio.engines.shared import processors

    tokenizer = byte_tokenizer("<|endoftext|>", "<|im_start|>", "<|im_end|>", *_MARKS, template=CHAT_TEMPLATE)
    start, end, image, video = tokenizer.convert_tokens_to_ids(list(_MARKS))
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "initializer_range": 0.5,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]},
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": 16,
            "fullatt_block_indexes": [0],
        },
        vision_start_token_id=start,
        vision_end_token_id=end,
        image_token_id=image,
        video_token_id=video,
    )
    kind = processors.still(Qwen2VLProcessor)
    kind.__name__ = "Qwen2VLProcessor"  # what model_index.json names
    kind.__module__ = Qwen2VLProcessor.__module__
    return {
        "scheduler": FlowMatchEulerDiscreteScheduler(),
        "vae": AutoencoderKLQwenImage(
            base_dim=8,
            z_dim=4,
            dim_mult=[1, 2],
            num_res_blocks=1,
            temperal_downsample=[False],
            latents_mean=[0.0] * 4,
            latents_std=[1.0] * 4,
        ),
        "text_encoder": Qwen2_5_VLForConditionalGeneration(config),
        "tokenizer": tokenizer,
        "processor": kind(Qwen2VLImageProcessorPil(min_pixels=28 * 28), tokenizer),
        "transformer": QwenImageTransformer2DModel(
            in_channels=16,
            out_channels=4,
            num_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=16,
            axes_dims_rope=(4, 6, 6),
        ),
    }
