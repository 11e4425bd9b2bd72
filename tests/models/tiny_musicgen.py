"""A MusicGen so small that a test can build it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny import word_tokenizer


def save_musicgen(folder: Path, channels: int = 1, melody: bool = False) -> None:
    """A MusicGen with random weights: 800 samples and 50 tokens a second. `melody`: the one that follows a tune."""
    import torch
    import transformers
    from transformers.models.musicgen.configuration_musicgen import MusicgenDecoderConfig
    from transformers.models.musicgen_melody.configuration_musicgen_melody import MusicgenMelodyDecoderConfig

    tokenizer = word_tokenizer()
    encoder = transformers.T5Config(vocab_size=len(tokenizer), d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    codec = transformers.EncodecConfig(
        audio_channels=1,
        sampling_rate=800,
        upsampling_ratios=[4, 4],
        num_filters=4,
        hidden_size=16,
        codebook_size=32,
        codebook_dim=16,
        num_lstm_layers=1,
        target_bandwidths=[1.0],
        normalize=False,
        chunk_length_s=None,
        use_causal_conv=False,
    )
    decoder = (MusicgenMelodyDecoderConfig if melody else MusicgenDecoderConfig)(
        vocab_size=32,
        num_codebooks=4 * channels,
        hidden_size=16,
        ffn_dim=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        pad_token_id=32,
        bos_token_id=32,
        max_position_embeddings=64,
        initializer_factor=0.3,  # the usual one makes all tokens equally likely, whatever is heard
        audio_channels=channels,
    )
    parts: Any = {"text_encoder": encoder.to_dict(), "audio_encoder": codec.to_dict(), "decoder": decoder.to_dict()}
    if melody:
        model: Any = transformers.MusicgenMelodyForConditionalGeneration(
            transformers.MusicgenMelodyConfig(**parts, chroma_length=8, initializer_factor=0.3)
        )
    else:
        model = transformers.MusicgenForConditionalGeneration(transformers.MusicgenConfig(**parts))
    with torch.no_grad():
        for name, value in model.audio_encoder.encoder.named_parameters():
            if "bias" in name:  # an untrained encoder says hardly more than its biases
                value.zero_()
        for layer in model.audio_encoder.quantizer.layers:  # all zeros in an untrained codec
            layer.codebook.embed.normal_(std=0.02)
    model.generation_config.decoder_start_token_id = 32
    model.generation_config.pad_token_id = 32
    model.generation_config.bos_token_id = 32
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
