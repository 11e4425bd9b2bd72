"""Loading a diffusers folder, for the engines of pictures and of sound.

Knows which parts may come from where; nothing of what a pipeline makes.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.shared import processors, quantise, torch_loading
from studio.errors import StudioError
from studio.tasks.image.schedulers import fits

_LIBRARIES = ("diffusers", "transformers", "stable_diffusion", "stable_audio", "ace_step", None, False)
"""Where parts may come from: the two libraries, and folders of diffusers' own pipelines."""

_OPTIONAL = ("safety_checker", "feature_extractor", "image_encoder")


def read_index(card: Card, files: Path, allowed: tuple[str, ...]) -> dict[str, Any]:
    """The folder's model_index.json.

    Raises:
        StudioError: it is missing or damaged, its pipeline is not among `allowed`, or a part is code of its own.
    """
    try:
        index = json.loads((files / "model_index.json").read_text(encoding="utf-8"))
        name = index["_class_name"]
        parts = [value for key, value in index.items() if isinstance(value, list) and key[0] != "_"]
    except FileNotFoundError:
        raise StudioError("missing_files", model=card.title, file="model_index.json") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        raise StudioError("broken_model", model=card.title, reason="model_index.json is damaged") from None
    if not isinstance(name, str) or any(len(part) == 2 and part[0] not in _LIBRARIES for part in parts):
        raise StudioError("custom_code", model=card.title, file="model_index.json")
    if name not in allowed:
        raise StudioError("broken_model", model=card.title, reason=f"{name} is not a pipeline that the studio runs")
    return index


def load(card: Card, files: Path, device: Device, allowed: tuple[str, ...]) -> Any:
    """The pipeline in `files`, from safetensors only, in memory: whoever uses it puts it on its device.

    Raises:
        StudioError: the folder is not what the card says.
    """
    torch_loading.refuse_code(card, files)
    index = read_index(card, files, allowed)
    with torch_loading.loading(card, device, "transformers", "diffusers"):
        import diffusers

        dtype = torch_loading.dtype_for(card, files, device)
        absent: dict[str, Any] = {part: None for part in _OPTIONAL if part in index and not (files / part).is_dir()}
        absent |= {part: None for part, named in index.items() if named == [None, None]}  # the library misses them
        variant = {"variant": name} if (name := torch_loading.variant(card, files)) else {}
        if index.get("text_encoder") == ["transformers", "BertModel"]:
            absent["text_encoder"] = _bert(files / "text_encoder", dtype=dtype, **variant)
        if index.get("processor") == ["transformers", "Qwen2VLProcessor"]:
            import transformers

            kind = processors.still(transformers.Qwen2VLProcessor)  # no film ever goes in
            absent["processor"] = kind.from_pretrained(files / "processor", local_files_only=True)
        with _unasked():
            pipe: Any = getattr(diffusers, index["_class_name"]).from_pretrained(
                files, dtype=dtype, use_safetensors=True, local_files_only=True, **variant, **absent,
                **straight(card, device),
            )  # fmt: skip
        return settled(card, pipe, device)


def straight(card: Card, device: Device) -> dict[str, Any]:
    """Arguments of diffusers' from_pretrained with which every part is read to the device and not into memory first."""
    elsewhere = card.options.get("offload") == "model" or quantise.wanted_bits(card)
    wanted = card.options.get("straight") and str(device) == "cuda:0" and not elsewhere  # it knows no other card
    return {"device_map": "cuda"} if wanted else {}


def settled(card: Card, pipe: Any, device: Device) -> Any:
    """The pipeline as its card wants it: quiet, in fewer bits, its parts kept off the device."""
    pipe.set_progress_bar_config(disable=True)
    offloaded = card.options.get("offload") == "model" and device.kind == "cuda"
    for name, part in modules(pipe).items():
        if name not in quantise.DECODERS:
            quantise.quantise(card, part, Device("cpu") if offloaded else device)
    torch_loading.side_by_side(device, *modules(pipe).values())
    if offloaded:
        pipe.enable_model_cpu_offload(gpu_id=device.index)
    return pipe


def _bert(folder: Path, **how: Any) -> Any:
    """A BERT that reads prompts: without its pooler, which nothing asks for and some files lack.

    Prompts are padded, and a BERT tells the padding by a mask alone: pipelines hand it over where the config says so.
    """
    from transformers import BertModel

    model: Any = BertModel.from_pretrained(
        folder, add_pooling_layer=False, use_safetensors=True, local_files_only=True, **how
    )
    if not hasattr(model.config, "use_attention_mask"):
        model.config.use_attention_mask = True
    return model


@contextmanager
def _unasked() -> Iterator[None]:
    """Without the remark that another reader than CLIP takes the prompts of a Stable Diffusion."""
    log = logging.getLogger("diffusers.pipelines.pipeline_utils")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def weights(card: Card, files: Path) -> int:
    """Bytes of the weights on the device: of the largest part where only that one is there at a time."""
    if card.options.get("offload") == "model" and torch_loading.assumed_kind() == "cuda":
        parts = [torch_loading.stored_bytes(card, part) for part in files.glob("*/") if any(part.glob("*.safetensors"))]
        return max(parts, default=card.memory_bytes)
    return torch_loading.stored_bytes(card, files)


def samples(files: Path, scheduler: str) -> bool:
    """Whether the pipeline in `files` can be run with the sampler of this name; True where they do not tell."""
    try:
        config = json.loads((files / "scheduler" / "scheduler_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # whoever loads it says so
        return True
    return not isinstance(config, dict) or fits(scheduler, config)


def modules(pipe: Any) -> dict[str, Any]:
    """The parts of a pipeline that have weights, by name."""
    import torch

    return {name: part for name, part in pipe.components.items() if isinstance(part, torch.nn.Module)}
