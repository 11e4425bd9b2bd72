"""The folder of an audiocraft model, and the model built from it.

    config.json        {"format": "audiocraft", "kind": "musicgen" | "audiogen" | "magnet", …} and, of the configuration
                       that the model was trained with, the parts in LM_PARTS
    model.safetensors  the language model
    codec/             config.json and model.safetensors of its EnCodec: audiocraft's, or one in transformers' layout
    text_encoder/      a T5 in transformers' layout with its tokenizer

`_audiocraft_convert` writes it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.music import audiocraft_shim
from studio.engines.music.audiocraft_shim import Config
from studio.engines.shared import torch_loading
from studio.errors import StudioError
from studio.requests import SoundUse

KINDS = ("musicgen", "audiogen", "magnet")
LM_PARTS = (
    *("lm_model", "transformer_lm", "codebooks_pattern", "attribute_dropout", "classifier_free_guidance"),
    *("conditioners", "fuser", "dataset", "masking", "interleave_stereo_codebooks", "compression_model_n_q"),
)
"""Parts of a training configuration that a language model is built from."""
CODEC_PARTS = ("compression_model", "encodec", "seanet", "rvq", "no_quant", "sample_rate", "channels")
"""The same of a codec."""
CONDITIONERS = ("t5", "lut", "chroma_stem")
_LONGEST = 1 << 20
_CLASS_WINDOW = 19
"""Seconds that the classes want a model to make at once when they are made."""


def weights(card: Card, files: Path) -> int:
    """Bytes of all three parts in memory: the language model in half precision on CUDA, the rest in single."""
    half = "float16" if torch_loading.assumed_kind() == "cuda" else "float32"
    dtypes = {".": half, "codec": "float32", "text_encoder": "float32"}
    return sum(
        torch_loading.stored_bytes(replace(card, options={"dtype": dtypes[part]}), files / part) for part in dtypes
    )


def hears(card: Card) -> tuple[SoundUse, ...]:
    """What the model of a card does with sound, as its folder says; nothing where there is none to look into."""
    try:
        config = read_config(card, Path(card.source.path)) if card.source.kind == "local" else {}
    except (OSError, StudioError):
        config = {}
    if not config or config["kind"] == "magnet":
        return ()
    return ("continue", "follow") if "self_wav" in config.get("conditioners", {}) else ("continue",)


def place(device: Device) -> str:
    """Where audiocraft puts it: it knows processors and CUDA, and no others are tried."""
    return "cuda" if device.kind == "cuda" else "cpu"


def read_config(card: Card, files: Path) -> dict[str, Any]:
    """The model's configuration. Raises StudioError where it is not what this module's docstring says."""
    config = _table(card, files / "config.json")
    if config.get("format") != "audiocraft" or config.get("kind") not in KINDS:
        raise StudioError("broken_model", model=card.title, reason=f"{files.name}/config.json is not audiocraft's")
    for name, table in config.get("conditioners", {}).items():
        if name != "args" and table.get("model") not in CONDITIONERS:
            kinds = ", ".join(CONDITIONERS)
            reason = f"audiocraft 1.3.0 has no conditioner called {table.get('model')}, only {kinds}"
            raise StudioError("broken_model", model=card.title, reason=reason)
    return config


def build(card: Card, files: Path, config: dict[str, Any], device: Device) -> Any:
    """A MusicGen, AudioGen or MAGNeT of audiocraft, ready to generate. Raises what the libraries raise."""
    library = audiocraft_shim.load()
    codec = _codec(card, files / "codec", library, place(device))
    lm = _lm(card, files, config, library, codec, place(device))
    arguments = {"name": card.id, "compression_model": codec, "lm": lm}
    if config["kind"] == "magnet":
        # It keeps a mask for each head of each codebook, all alike: hundreds of megabytes for half a minute.
        lm.attn_mask_per_stage = [mask if mask is None else mask[:, :1].clone() for mask in lm.attn_mask_per_stage]
        return library.magnet.MAGNeT(**arguments)
    made = {"musicgen": library.musicgen.MusicGen, "audiogen": library.audiogen.AudioGen}[config["kind"]]
    window = float(lm.cfg.dataset.segment_duration)
    model = made(**arguments, max_duration=max(window, _CLASS_WINDOW))
    model.max_duration = window
    return model


def _codec(card: Card, files: Path, library: Any, where: str) -> Any:
    config = _table(card, files / "config.json")
    if config.get("model_type") == "encodec":
        from transformers import EncodecModel

        loaded: Any = EncodecModel.from_pretrained(
            files, use_safetensors=True, local_files_only=True, output_loading_info=True
        )
        model, info = loaded
        torch_loading.require_complete(card, info)
        return library.encodec.HFEncodecCompressionModel(model.to(where)).to(where).eval()
    codec = library.builders.get_compression_model(Config.of({**config, "device": where}))
    _fill(card, codec, files / "model.safetensors")
    return codec.eval()


def _lm(card: Card, files: Path, config: dict[str, Any], library: Any, codec: Any, where: str) -> Any:
    from transformers import AutoTokenizer, T5EncoderModel

    settings = Config.of({**config, "device": where, "dtype": "float32" if where == "cpu" else "float16"})
    settings.transformer_lm.update({"weight_init": None, "depthwise_init": None, "zero_bias_init": False})
    for table in settings.conditioners.values():
        if table.get("model") == "chroma_stem":
            table.chroma_stem.update({"cache_path": None, "eval_wavs": None, "match_len_on_eval": True})
    if config["kind"] == "magnet":
        settings.transformer_lm.update({
            "compression_model_framerate": int(codec.frame_rate),
            "segment_duration": settings.dataset.segment_duration,
            "span_len": settings.masking.span_len,
        })  # fmt: skip
    encoder = tokenizer = None
    for name in (table.t5.name for table in settings.conditioners.values() if table.get("model") == "t5"):
        folder = files / "text_encoder"
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        encoder = T5EncoderModel.from_pretrained(folder, use_safetensors=True, local_files_only=True)
        if encoder.config.d_model != library.conditioners.T5Conditioner.MODELS_DIMS.get(name):
            raise StudioError("broken_model", model=card.title, reason=f"its text encoder is not {name}")
    with audiocraft_shim.building(encoder, tokenizer):
        lm = library.builders.get_lm_model(settings)
    _fill(card, lm, files / "model.safetensors")
    lm.cfg = settings
    return lm.eval()


def _fill(card: Card, module: Any, file: Path) -> None:
    """Give a module the weights in a file: all of them, and no others."""
    from safetensors.torch import load_file

    keys = module.load_state_dict(load_file(file), strict=False)
    torch_loading.require_complete(card, {"missing_keys": keys.missing_keys})
    if keys.unexpected_keys:
        reason = f"it has no place for the weights {keys.unexpected_keys[0]}"
        raise StudioError("broken_model", model=card.title, reason=reason)


def _table(card: Card, file: Path) -> dict[str, Any]:
    """A JSON file of at most a megabyte that holds a table."""
    with file.open("rb") as stream:
        data = stream.read(_LONGEST + 1)
    try:
        table = json.loads(data) if len(data) <= _LONGEST else None
    except (ValueError, RecursionError):
        table = None
    if not isinstance(table, dict):
        raise StudioError("broken_model", model=card.title, reason=f"{file.parent.name}/{file.name} holds no table")
    return table
