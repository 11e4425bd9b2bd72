"""What a checkpoint's pipeline is made of beside its own networks: tokenizers, and parts that the file lacks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.catalog.card import Card
from studio.engines.image.single_file import configs, shapes
from studio.engines.image.single_file.tokenizer import clip_tokenizer
from studio.errors import StudioError
from studio.store.disk import families
from studio.store.disk.weights import Weights, read_weights
from studio.store.gguf import NotLong, read_header
from studio.store.safetensors import header

_T5 = ("T5EncoderModel",)


def tensors(file: Path) -> dict[str, tuple[int, ...]]:
    """Name -> shape of a file's tensors. Raises ValueError or OSError where it is damaged."""
    if file.suffix.lower() == ".gguf":
        return dict(read_header(file, NotLong(), tensors=True).shapes)
    return {name: tuple(entry["shape"]) for name, entry in header(file).items()}


def listed(card: Card) -> tuple[str, ...]:
    """The files of readers of prompts that a card names."""
    given = card.options.get("text_encoders", ())
    return tuple(str(one) for one in given) if isinstance(given, list | tuple) else ()


def given(card: Card, found: Weights, rest: Path | None, folder: Path, there: set[str], dtype: Any) -> dict[str, Any]:
    """What the checkpoint's pipeline is made of beside its own networks: tokenizers, and parts that it lacks."""
    shared = configs.family(found.family)
    made: dict[str, Any] = {}
    files = {
        reader.family: Path(one) for one in listed(card) if (reader := read_weights(Path(one))).kind == "text_encoder"
    }
    for part in ("text_encoder", "text_encoder_2", "text_encoder_3"):
        if part not in shared:
            continue
        kind = shared[part]["architectures"][0]
        words = part.replace("text_encoder", "tokenizer")
        if part not in there:
            made[part] = _reader(card, found, part, kind, files, rest, dtype)
        if kind in _T5:
            made[words] = _t5_words(card, rest, words) if part in there or made[part] is not None else None
        else:
            made[words] = clip_tokenizer(shared["pads"][words])
    if named := card.options.get("vae"):
        made["vae"] = _decoder(found, Path(str(named)), folder, dtype)
    elif "vae" not in there:
        made["vae"] = _from_rest(card, rest, "vae", "diffusers", "AutoencoderKL", dtype)
    for optional in ("safety_checker", "feature_extractor", "image_encoder"):
        if found.family in ("sd1", "sd2") or (found.family != "sdxl" and optional != "safety_checker"):
            made[optional] = None
    return made


def _reader(
    card: Card, found: Weights, part: str, kind: str, files: Mapping[str, Path], rest: Path | None, dtype: Any
) -> Any:
    """A reader of prompts that the checkpoint lacks."""
    import torch
    import transformers
    from safetensors.torch import load_file

    large = found.family == "sd3" and part == "text_encoder_2"
    wanted = (
        "t5" if kind in _T5 else "clip-g" if large or (found.family, part) == ("sdxl", "text_encoder_2") else "clip-l"
    )
    if wanted not in files:
        if found.family == "sd3" and wanted == "t5" and (rest is None or not (rest / part).is_dir()):
            return None  # it paints without, and reads long prompts less well
        return _from_rest(card, rest, part, "transformers", kind, dtype)
    file = files[wanted]
    config = {**configs.family(found.family)[part], **(shapes.t5 if wanted == "t5" else shapes.clip)(tensors(file))}
    model_class: Any = getattr(transformers, kind)
    with torch.device("meta"):
        model = model_class(model_class.config_class(**config))
    states = {name: tensor.to(dtype) for name, tensor in load_file(file).items()}
    if "encoder.embed_tokens.weight" not in states and "shared.weight" in states:
        states["encoder.embed_tokens.weight"] = states["shared.weight"]
    if not any(name.startswith("text_model.") for name in model.state_dict()):
        states = {name.removeprefix("text_model."): tensor for name, tensor in states.items()}
    if "text_projection.weight" in model.state_dict() and "text_projection.weight" not in states:
        states["text_projection.weight"] = torch.eye(config["hidden_size"], dtype=dtype)
    model.load_state_dict(states, strict=False, assign=True)
    return _buffers(model).eval()


def _buffers(model: Any) -> Any:
    """The numbers of positions, which are in no file: made again where they were only thought of."""
    import torch

    for module in model.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            if buffer.is_meta and name == "position_ids":
                module.register_buffer(name, torch.arange(buffer.shape[-1]).expand(buffer.shape), persistent=False)
    return model


def _decoder(found: Weights, file: Path, folder: Path, dtype: Any) -> Any:
    """A picture decoder that lies beside the checkpoint."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    inner = tensors(file)
    front = next((one for one in families.VAE_PREFIXES if one + "decoder.conv_in.weight" in inner), "")
    if not inner or read_weights(file).kind != "vae":
        raise StudioError("not_a_checkpoint", file=file.name, kind=f"disk.kind.{read_weights(file).kind}")
    shared = configs.family(found.family)["vae"]
    (folder / "vae").mkdir(exist_ok=True)
    config = {**shared, **shapes.vae(families.bare(inner, front))}
    (folder / "vae" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return AutoencoderKL.from_single_file(
        str(file), config=str(folder), subfolder="vae", local_files_only=True, dtype=dtype
    )


def _from_rest(card: Card, rest: Path | None, part: str, library: str, kind: str, dtype: Any) -> Any:
    import diffusers
    import transformers

    if rest is None or not (rest / part).is_dir():
        raise missing(card, part)
    found: Any = getattr({"diffusers": diffusers, "transformers": transformers}[library], kind)
    return found.from_pretrained(rest / part, dtype=dtype, use_safetensors=True, local_files_only=True)


def _t5_words(card: Card, rest: Path | None, part: str) -> Any:
    from transformers import AutoTokenizer

    for name in (part, "tokenizer_3", "tokenizer_2"):
        if rest is not None and (rest / name).is_dir():
            return AutoTokenizer.from_pretrained(rest / name, local_files_only=True)
    raise missing(card, part)


def missing(card: Card, part: str) -> StudioError:
    return StudioError("missing_part", model=card.title, part=f"disk.part.{part.rstrip('_23')}")
