"""Tiny captioning models of the real classes, with random weights. Nothing is downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny import byte_tokenizer

SIDE = {"height": 32, "width": 32}
TEMPLATE = (
    "{% for m in messages %}User:{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}IMAGE{% else %}{{ c['text'] }}{% endif %}{% endfor %}\n{% endfor %}Assistant:"
)
VISION = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
TEXT = {**VISION, "initializer_range": 0.5}


def blip(folder: Path) -> None:
    from transformers import BertTokenizerFast, BlipConfig, BlipForConditionalGeneration, BlipProcessor
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "a", "photo", "of", "red", "heart", "cat", "##s"]
    tokenizer = BertTokenizerFast(vocab={word: index for index, word in enumerate(words)})
    text = {"vocab_size": len(words), "bos_token_id": 5, "pad_token_id": 0, "eos_token_id": 3, "sep_token_id": 3}
    config = BlipConfig(
        text_config={**TEXT, **text, "projection_dim": 16, "encoder_hidden_size": 16, "max_position_embeddings": 64},
        vision_config={**VISION, "image_size": 32, "patch_size": 16, "projection_dim": 16},
        projection_dim=16,
    )
    BlipForConditionalGeneration(config).save_pretrained(folder)
    BlipProcessor(BlipImageProcessorPil(size=SIDE), tokenizer).save_pretrained(folder)


def vision_encoder_decoder(folder: Path) -> None:
    from transformers import GPT2Config, VisionEncoderDecoderConfig, VisionEncoderDecoderModel, ViTConfig
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    tokenizer = byte_tokenizer("<|endoftext|>")
    decoder = GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=16,
        n_layer=1,
        n_head=2,
        n_positions=64,
        bos_token_id=0,
        eos_token_id=0,
        add_cross_attention=True,
        is_decoder=True,
        initializer_range=0.5,
    )
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(
        ViTConfig(**VISION, image_size=32, patch_size=16), decoder, decoder_start_token_id=0, pad_token_id=0
    )
    model: Any = VisionEncoderDecoderModel(config=config)
    model.generation_config.update(decoder_start_token_id=0, pad_token_id=0, eos_token_id=0)
    model.save_pretrained(folder)
    ViTImageProcessorPil(size=SIDE).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def florence(folder: Path) -> None:
    from transformers import BartConfig, Florence2Config, Florence2ForConditionalGeneration, Florence2Processor
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    tokenizer = byte_tokenizer("</s>", "<s>", "<image>", bos="<s>", extra_special_tokens={"image_token": "<image>"})
    config = Florence2Config(
        text_config=BartConfig(
            vocab_size=len(tokenizer),
            d_model=16,
            encoder_layers=1,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=16,
            decoder_ffn_dim=16,
            max_position_embeddings=256,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=0,
            decoder_start_token_id=1,
            forced_eos_token_id=None,
            init_std=0.5,
        ).to_dict(),
        vision_config={
            "depths": (1,),
            "patch_size": (7,),
            "patch_stride": (8,),
            "patch_padding": (3,),
            "patch_prenorm": (False,),
            "embed_dim": (16,),
            "num_heads": (2,),
            "num_groups": (2,),
            "window_size": 4,
            "projection_dim": 16,
        },
        image_token_id=2,
    )
    model: Any = Florence2ForConditionalGeneration(config)
    model.generation_config.update(decoder_start_token_id=1, pad_token_id=0, eos_token_id=0, forced_eos_token_id=None)
    model.save_pretrained(folder)
    pictures = CLIPImageProcessorPil(size=SIDE, crop_size=SIDE, image_seq_length=17)
    Florence2Processor(pictures, tokenizer).save_pretrained(folder)


def smolvlm(folder: Path) -> None:
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration, Idefics3Processor, LlamaConfig
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

    marks = ("<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>")
    tokenizer = byte_tokenizer("<|endoftext|>", *marks)
    text = LlamaConfig(**TEXT, num_key_value_heads=2, vocab_size=len(tokenizer), eos_token_id=0, pad_token_id=0)
    config = Idefics3Config(
        image_token_id=2,
        text_config=text.to_dict(),
        vision_config={**VISION, "image_size": 32, "patch_size": 8},
        scale_factor=2,
        pad_token_id=0,
        tie_word_embeddings=False,
    )
    Idefics3ForConditionalGeneration(config).save_pretrained(folder)
    pictures = Idefics3ImageProcessorPil(
        size={"longest_edge": 32}, max_image_size={"longest_edge": 32}, do_image_splitting=False
    )
    template = TEMPLATE.replace("IMAGE", "<image>")
    Idefics3Processor(pictures, tokenizer, image_seq_len=4, chat_template=template).save_pretrained(folder)


def qwen_vl(folder: Path) -> None:
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    marks = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    template = TEMPLATE.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>")
    tokenizer = byte_tokenizer("<|endoftext|>", *marks, template=template)
    rope = {"rope_type": "default", "mrope_section": [2, 1, 1], "rope_theta": 10000.0}
    config = Qwen3VLConfig(
        text_config={
            **TEXT,
            "num_key_value_heads": 2,
            "head_dim": 8,
            "vocab_size": len(tokenizer),
            "rope_scaling": rope,
            "rope_parameters": rope,
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "patch_size": 4,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "out_hidden_size": 16,
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0],
        },
        image_token_id=3,
        video_token_id=4,
        vision_start_token_id=1,
        vision_end_token_id=2,
    )
    Qwen3VLForConditionalGeneration(config).save_pretrained(folder)
    Qwen2VLImageProcessorPil(
        patch_size=4, merge_size=2, temporal_patch_size=2, size={"shortest_edge": 256, "longest_edge": 1024}
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
