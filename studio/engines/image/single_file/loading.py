"""Loading a checkpoint of one file, through diffusers' single-file loaders, from this machine alone.

The file is a whole model, or only the network that paints. What it lacks comes from three places, in this order: files
that the card names (a decoder, readers of prompts), the folder of the whole model (`rest`: a part of the card, or a
pipeline that is on the disk), and the list of CLIP's words that comes with the studio.

Read from the card:
    options.vae: the file of a picture decoder, in place of the checkpoint's own.
    options.text_encoders: files of readers of prompts.
    options.rest: a folder in diffusers' layout that has what the checkpoint lacks.
    options.prediction: "epsilon" or "v_prediction", where the file does not say what it was taught.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.image.single_file import beside, configs
from studio.engines.image.single_file.tokenizer import clip_tokenizer
from studio.engines.shared import torch_loading
from studio.errors import StudioError
from studio.store.disk.weights import Weights, read_weights
from studio.store.safetensors import FLOATS, header

REST = "rest"
"""The part of a card that is the folder of the whole model without what the checkpoint has."""
_PREDICTIONS = ("epsilon", "v_prediction")


def checkpoint(card: Card, files: Path) -> Path | None:
    """The one file that is the model; None where the model is a folder in diffusers' layout.

    Args:
        files: what the store gave: the file, or a folder with what it lacks.
    """
    own = Path(card.source.path) if card.source.kind == "local" and card.source.path else files
    if own.is_file():
        return own
    if card.source.kind != "local" and len(card.source.files) == 1 and (files / card.source.files[0]).is_file():
        return files / card.source.files[0]
    return None


def rest_of(card: Card, files: Path) -> Path | None:
    """The folder that has what the checkpoint lacks; None where there is none."""
    if files.is_dir() and (files / REST).is_dir():
        return files / REST
    named = card.options.get("rest")
    return Path(named) if isinstance(named, str) and named and Path(named).is_dir() else None


def scheduler_config(card: Card, files: Path) -> Mapping[str, Any]:
    """The sampler's configuration of a checkpoint of our families; empty where the folder beside it has it."""
    file = checkpoint(card, files)
    found = read_weights(file) if file else None
    known = found is not None and found.family in configs.OURS
    return configs.scheduler(found, _prediction(card)) if known and found else {}


@cache
def _words() -> Any:
    return clip_tokenizer()


def chunked(card: Card, files: Path) -> Any | None:
    """The tokenizer of a checkpoint that reads prompts of any length in pieces; None for another one."""
    file = checkpoint(card, files)
    return _words() if file and read_weights(file).family in ("sd1", "sd2", "sdxl") else None


def nbytes(card: Card, file: Path, rest: Path | None) -> int:
    """Bytes in memory of a checkpoint and of what comes from elsewhere."""
    if file.suffix.lower() == ".gguf":
        total = file.stat().st_size
    else:
        table = header(file)
        width = 2 if _dtype(card, read_weights(file), torch_loading.assumed_kind()) != "float32" else 4
        total = sum(torch_loading.numbers(entry) * width for entry in table.values())
    named = [card.options.get("vae"), *beside.listed(card)]
    total += sum(Path(one).stat().st_size for one in named if isinstance(one, str) and Path(one).is_file())
    if rest is not None:
        parts = (one for one in rest.iterdir() if one.is_dir() and one.name not in ("unet", "transformer"))
        total += sum(file.stat().st_size for part in parts for file in part.glob("*.safetensors"))
    return total


def load(card: Card, file: Path, rest: Path | None, device: Device, allowed: tuple[str, ...]) -> Any:
    """The pipeline of a checkpoint, in memory.

    Raises:
        StudioError: it is no checkpoint that the studio runs, or a part is missing.
    """
    found = read_weights(file)
    refuse(card, found, file)
    with torch_loading.loading(card, device, "transformers", "diffusers"):
        import torch

        dtype = getattr(torch, _dtype(card, found, device.kind))
        if found.family in configs.OURS:
            pipe = _ours(card, found, file, rest, dtype)
        else:
            pipe = _in_folder(card, found, file, rest, dtype)
        if type(pipe).__name__ not in allowed:
            raise StudioError("broken_model", model=card.title, reason=f"{type(pipe).__name__} is not run here")
        _complete(card, pipe)
        return pipe


def refuse(card: Card, found: Weights, file: Path) -> None:
    """Raise StudioError where a file is no checkpoint that can be painted with, and say what it is."""
    if found.reason == "pickle":
        raise StudioError("unsafe_file", file=file.name)
    if found.reason == "packed":
        raise StudioError("packed_weights", model=card.title)
    if found.reason or found.kind not in ("checkpoint", "denoiser"):
        raise StudioError("not_a_checkpoint", file=file.name, kind=f"disk.kind.{found.reason or found.kind}")
    runs = found.family in configs.OURS or found.family in configs.PIPELINES
    variants = ("inpaint", "edit", "depth", "edm", "x4-upscaler", "fill", "control", "diffusers")
    if not runs or found.variant in variants or (found.family == "flux2" and found.variant == "dev"):
        raise StudioError("family_not_run", model=card.title, family=" ".join((found.family, found.variant)).strip())


def _ours(card: Card, found: Weights, file: Path, rest: Path | None, dtype: Any) -> Any:
    """A checkpoint of a family whose configurations come with the studio."""
    import diffusers

    parts = configs.networks(found, beside.tensors(file))
    with tempfile.TemporaryDirectory(prefix="atelier-") as made:
        folder = Path(made)
        configs.write(folder, found, parts, _prediction(card))
        given = beside.given(card, found, rest, folder, set(parts), dtype)
        kind: Any = getattr(diffusers, configs.family(found.family)["pipeline"])
        if file.suffix.lower() == ".gguf":
            given |= {"transformer": _gguf(found, file, str(folder), dtype)}
            scheduler: Any = getattr(diffusers, configs.scheduler(found)["_class_name"])
            return kind(**given, scheduler=scheduler.from_pretrained(folder, subfolder="scheduler"))
        return kind.from_single_file(str(file), config=str(folder), local_files_only=True, dtype=dtype, **given)


def _in_folder(card: Card, found: Weights, file: Path, rest: Path | None, dtype: Any) -> Any:
    """A network that paints, in the folder of the whole model."""
    import diffusers

    name = configs.PIPELINES[found.family]
    if rest is None or not (rest / "transformer" / "config.json").is_file():
        raise beside.missing(card, "rest")
    if file.suffix.lower() == ".gguf":
        network = _gguf(found, file, str(rest), dtype)
    else:
        network = _kind(found).from_single_file(
            str(file), config=str(rest), subfolder="transformer", local_files_only=True, dtype=dtype
        )
    given: dict[str, Any] = {"transformer": network}
    kind: Any = getattr(diffusers, name)
    return kind.from_pretrained(rest, dtype=dtype, use_safetensors=True, local_files_only=True, **given)


def _gguf(found: Weights, file: Path, config: str, dtype: Any) -> Any:
    """The network that paints, its weights as packed as they are in the file."""
    from diffusers.quantizers.quantization_config import GGUFQuantizationConfig

    return _kind(found).from_single_file(
        str(file), config=config, subfolder="transformer", local_files_only=True, dtype=dtype,
        quantization_config=GGUFQuantizationConfig(compute_dtype=dtype),
    )  # fmt: skip


def _kind(found: Weights) -> Any:
    import diffusers

    names = {
        "z-image": "ZImageTransformer2DModel", "flux2": "Flux2Transformer2DModel", "sd3": "SD3Transformer2DModel",
        "qwen-image": "QwenImageTransformer2DModel", "flux1": "FluxTransformer2DModel",
    }  # fmt: skip
    return getattr(diffusers, names[found.family])


def _complete(card: Card, pipe: Any) -> None:
    """Raise StudioError where a network asked for weights that no file had."""
    import torch

    for part, module in pipe.components.items():
        if isinstance(module, torch.nn.Module):
            module.eval()  # the library leaves a T5 out of a single file as if it were to be trained: with dropout
            lacking = next((name for name, one in module.named_parameters() if one.is_meta), "")
            if lacking:
                raise StudioError("broken_model", model=card.title, reason=f"weights are missing: {part}.{lacking}")


def _dtype(card: Card, found: Weights, kind: str) -> str:
    """The float type to compute in. Weights of 8 bits and packed ones were made from 16, which they become here."""
    plain = FLOATS.get(found.dtype) or ("float16" if found.family in ("sd1", "sd2", "sdxl") else "bfloat16")
    return torch_loading.compute_dtype(card, plain, kind)


def _prediction(card: Card) -> str:
    wanted = card.options.get("prediction", "")
    if wanted and wanted not in _PREDICTIONS:
        raise StudioError("not_a_choice", field="prediction", value=str(wanted), choices=", ".join(_PREDICTIONS))
    return str(wanted)
