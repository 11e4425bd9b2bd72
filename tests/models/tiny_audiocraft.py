"""Tiny models of audiocraft's own classes, written down in the files in which audiocraft publishes its models."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from tiny import word_tokenizer

RATE, FRAME_RATE, WINDOW, CODEBOOKS = 3200, 50, 2, 4
CODEC = {
    "compression_model": "encodec",
    "sample_rate": RATE,
    "channels": 1,
    "encodec": {
        "autoencoder": "seanet",
        "quantizer": "rvq",
        "sample_rate": "${sample_rate}",
        "channels": "${channels}",
        "causal": False,
        "renormalize": False,
    },
    "seanet": {
        "dimension": 16,
        "channels": "${channels}",
        "n_filters": 4,
        "n_residual_layers": 1,
        "ratios": [8, 8],
        "lstm": 1,
        "norm": "weight_norm",
        "encoder": {},
        "decoder": {"trim_right_ratio": 1.0},
    },
    "rvq": {"n_q": CODEBOOKS, "bins": 32, "q_dropout": False, "kmeans_init": False},
    "optim": {"lr": 0.1},
}
T5 = {"model": "t5", "t5": {"name": "t5-small", "finetune": False, "normalize_text": False, "word_dropout": 0.2}}
CHROMA = {
    "model": "chroma_stem",
    "chroma_stem": {
        "sample_rate": "${sample_rate}",
        "n_chroma": 12,
        "radix2_exp": 9,
        "argmax": True,
        "cache_path": "/of/somebody",
        "eval_wavs": None,
        "n_eval_wavs": 4,
        "match_len_on_eval": False,
    },
}


def language_model(kind: str) -> dict[str, Any]:
    """A configuration: "musicgen", "melody", "stereo", "audiogen" or "magnet"."""
    melody, magnet, stereo = kind == "melody", kind == "magnet", kind == "stereo"
    return {
        "solver": "musicgen" if melody or stereo else kind,
        "sample_rate": RATE,
        "lm_model": "transformer_lm_magnet" if magnet else "transformer_lm",
        "transformer_lm": {
            "n_q": CODEBOOKS * (2 if stereo else 1),
            "card": 32,
            "dim": 32,
            "num_heads": 2,
            "num_layers": 2,
            "hidden_scale": 2,
            "causal": not magnet,
            "custom": False,
            "memory_efficient": True,  # as in all that are published
            "norm_first": True,
            "bias_proj": False,
            "weight_init": "gaussian",
            "depthwise_init": "current",
            "zero_bias_init": True,
            **({"subcodes_context": 5} if magnet else {}),
        },
        "codebooks_pattern": {
            "modeling": "parallel" if magnet else "delay",
            "delay": {
                "delays": [0, 0, 1, 1, 2, 2, 3, 3] if stereo else [0, 1, 2, 3],
                "flatten_first": 0,
                "empty_initial": 0,
            },
        },
        "attribute_dropout": {"text": {"description": 0.1}},
        "classifier_free_guidance": {"training_dropout": 0.1, "inference_coef": 3.0},
        "conditioners": {
            "args": {"merge_text_conditions_p": 0.25, "drop_desc_p": 0.5},
            "description": T5,
            **({"self_wav": CHROMA} if melody else {}),
        },
        "fuser": {
            "cross_attention_pos_emb": False,
            "cross_attention_pos_emb_scale": 1,
            "sum": [],
            "prepend": ["self_wav", "description"] if melody else [],
            "cross": [] if melody else ["description"],
            "input_interpolate": [],
        },
        "dataset": {"segment_duration": WINDOW, "train": {"num_samples": 5}},
        "masking": {"span_len": 3},
        "interleave_stereo_codebooks": {"use": stereo, "per_timestep": False},
        "compression_model_n_q": None,
        "device": "cuda",
        "dtype": "float16",
        "logging": {"folder": "${nowhere.to.be.found}"},
    }


def save_text_encoder(folder: Path) -> None:
    """A whole T5 as it is published, decoder and all; as wide as audiocraft knows t5-small to be."""
    from transformers import T5Config, T5ForConditionalGeneration

    tokenizer = word_tokenizer()
    sizes = {"d_model": 512, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}
    T5ForConditionalGeneration(T5Config(vocab_size=len(tokenizer), **sizes)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def save_codec(folder: Path) -> None:
    """An EnCodec in transformers' layout, for models that only name theirs."""
    from transformers import EncodecConfig, EncodecModel

    codec = EncodecModel(
        EncodecConfig(
            audio_channels=1,
            sampling_rate=RATE,
            upsampling_ratios=[8, 8],
            num_filters=4,
            hidden_size=16,
            codebook_size=32,
            codebook_dim=16,
            num_lstm_layers=1,
            target_bandwidths=[CODEBOOKS * FRAME_RATE * 5 / 1000],
            normalize=False,
            chunk_length_s=None,
            use_causal_conv=False,
        )
    )
    for layer in codec.quantizer.layers:  # all zeros in an untrained codec
        layer.codebook.embed.normal_()
    codec.save_pretrained(folder)


def publish(folder: Path, kind: str, text_encoder: Path) -> None:
    """state_dict.bin and compression_state_dict.bin of a model with random weights."""
    import torch
    import yaml
    from transformers import AutoTokenizer, T5EncoderModel

    from studio.engines.music import audiocraft_shim
    from studio.engines.music.audiocraft_convert import resolved
    from studio.engines.music.audiocraft_shim import Config

    torch.manual_seed(0)
    builders = audiocraft_shim.load().builders
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, about how audiocraft is written
        codec = builders.get_compression_model(Config.of({**resolved(CODEC, CODEC), "device": "cpu"}))
    settings = language_model(kind)
    built = {name: part for name, part in settings.items() if name != "logging"}
    built = Config.of({**resolved(built, settings), "device": "cpu", "dtype": "float32"})
    if kind == "magnet":
        built.transformer_lm.update(compression_model_framerate=FRAME_RATE, segment_duration=WINDOW, span_len=3)
    for table in built.conditioners.values():
        if "chroma_stem" in table:
            table.chroma_stem.cache_path = None
    tokenizer = AutoTokenizer.from_pretrained(text_encoder)
    with audiocraft_shim.building(T5EncoderModel.from_pretrained(text_encoder), tokenizer):
        lm = builders.get_lm_model(built)
    folder.mkdir(parents=True, exist_ok=True)
    for name, model, config in (("state_dict", lm, settings), ("compression_state_dict", codec, CODEC)):
        package = {"best_state": model.state_dict(), "xp.cfg": yaml.safe_dump(config), "version": "1.3.0"}
        torch.save(package, folder / f"{name}.bin")
