"""Decoders of one's own (VAEs) in the place of a model's: whether they fit, by headers; put in, and taken out again.

Read are AutoencoderKL, in a folder of diffusers or in one file, by its makers' names (`first_stage_model.`, or bare)
and by those of diffusers. Of a file the shapes tell the sizes. The scale of its latents stands in no shape: it is known
from the folder's configuration, from what the header says it was made for (modelspec.architecture), or where the name
of the file says SDXL; else it is taken to be the model's.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.image.img2img import Family
from studio.engines.image.single_file import beside, configs, loading
from studio.engines.image.single_file import shapes as read
from studio.engines.shared import torch_loading
from studio.errors import StudioError
from studio.requests import Request
from studio.store.disk.families import VAE_PREFIXES, Shapes, bare
from studio.store.disk.weights import read_weights
from studio.store.safetensors import header
from studio.tasks.image import control_files, vae_files

KIND = "AutoencoderKL"
_WORK = 335_000_000
"""Bytes: the decoder of Stable Diffusion, XL and FLUX.1 has 83.7 to 83.8 million numbers, in float32."""
_SCALES: tuple[tuple[str, float], ...] = (
    ("stable-diffusion-xl", 0.13025), ("stable-diffusion-v3", 1.5305), ("stable-diffusion-3", 1.5305),
    ("stable-diffusion-v1", 0.18215), ("stable-diffusion-v2", 0.18215), ("flux-1", 0.3611),
)  # fmt: skip
"""What modelspec.architecture begins with, and what latents of that family are multiplied by."""

_Stamp = tuple[str, int, int]
"""Name, time and size of a file: another file under the same name is another decoder."""


@dataclass(frozen=True, slots=True)
class Head:
    """A decoder.

    Attributes:
        place: its file, or its folder.
        config: of a folder its configuration, of a file what its header says.
    """

    place: Path
    config: Mapping[str, Any]


class Decoders:
    """The decoder of one model, and the one that is in its place."""

    def __init__(self, card: Card, family: Family, device: Device) -> None:
        self._card, self._family, self._device = card, family, device
        self._own: Any = getattr(family.pipe, "vae", None)
        self._other: Any = None
        self._stamp: _Stamp | None = None

    def apply(self, name: str, folders: Sequence[Path]) -> bool:
        """Decode by this one, "" for the model's own. Returns whether it is another one than before.

        Raises:
            StudioError: vae_missing, vae_wrong, vae_form, vae_not_taken, bad_file, out_of_memory. The model then has
                its own.
        """
        stamp = _stamp(name, folders) if name else None
        if stamp == self._stamp:
            return False
        self.clear()
        if stamp is not None:
            other = self._load(name, folders)
            self._put(other)
            self._other, self._stamp = other, stamp
        return True

    def nbytes(self) -> int:
        """Bytes of the one that is in the place of the model's own."""
        return 0 if self._other is None else torch_loading.nbytes(self._other)

    def clear(self) -> None:
        """The model has its own again, and the other is dropped."""
        if self._stamp is not None:
            self._put(self._own)
        self._other = self._stamp = None

    def _put(self, vae: Any) -> None:
        pipe = self._family.pipe
        hooked = bool(getattr(pipe, "_all_hooks", None))  # parts that are on the device one at a time
        if hooked:
            pipe.remove_all_hooks()
        self._family.exchange_vae(vae)
        if hooked:
            pipe.enable_model_cpu_offload(gpu_id=self._device.index)

    def _load(self, name: str, folders: Sequence[Path]) -> Any:
        own = self._own
        head = read_head(name, _place(name, folders))
        if type(own).__name__ != KIND:
            raise StudioError("vae_not_taken", model=self._card.title)
        check_fit(head, name, self._card, own.config)
        hooked = bool(getattr(self._family.pipe, "_all_hooks", None))
        with torch_loading.loading(self._card, self._device, "diffusers"):
            vae = _read(head, own.config, own.dtype)
            if vae is None or any(one.is_meta for one in vae.parameters()):
                raise StudioError("bad_file", path=head.place.name, reason="not all of a VAE is in it")
            torch_loading.side_by_side(self._device, vae)
            return vae.to("cpu" if hooked else str(self._device)).eval().requires_grad_(False)


def check(card: Card, files: Path, name: str, folders: Sequence[Path]) -> None:
    """Refuse, from headers alone, a decoder that a model's latents are not made for.

    Raises:
        StudioError: vae_missing, vae_wrong, vae_form, vae_not_taken, bad_file.
    """
    if not name:
        return
    head = read_head(name, _place(name, folders))
    own = read_own(card, files)
    if own:
        if own.get("_class_name", KIND) != KIND:
            raise StudioError("vae_not_taken", model=card.title)
        check_fit(head, name, card, own)


def work(request: Request) -> int:
    """Bytes that the decoder of a request takes beside the model's own."""
    return _WORK if getattr(request, "vae", "") else 0


def read_head(name: str, place: Path) -> Head:
    """What lies at `place`.

    Raises:
        StudioError: bad_file, vae_form (a decoder of a kind that is not read here).
    """
    return _of_folder(name, place) if place.is_dir() else _of_file(name, place)


def read_own(card: Card, files: Path) -> Mapping[str, Any]:
    """The configuration of a model's own decoder; empty where its files do not tell. Whoever loads it says why."""
    try:
        rest: Path | None = files
        if (file := loading.checkpoint(card, files)) is not None:
            found = read_weights(file)
            if found.family in configs.OURS:
                parts = configs.networks(found, beside.tensors(file))
                return parts.get("vae") or configs.family(found.family)["vae"]
            rest = loading.rest_of(card, files)
        return json.loads((rest / "vae" / "config.json").read_text(encoding="utf-8")) if rest is not None else {}
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError):
        return {}


def check_fit(head: Head, name: str, card: Card, own: Mapping[str, Any]) -> None:
    """Raise StudioError where the latents of a decoder are not those of the model: vae_wrong."""
    given, wanted = _latents(head.config), _latents(own)
    pairs = list(zip(given, wanted, strict=True))
    if any(
        one is not None and other is not None and not math.isclose(one, other, rel_tol=0.01) for one, other in pairs
    ):
        raise StudioError("vae_wrong", name=name, model=card.title, given=_shown(given), wanted=_shown(wanted))


def _latents(config: Mapping[str, Any]) -> tuple[float | None, ...]:
    """Channels, pixels a side of one latent, and scale; None for what is not told."""
    levels = config.get("block_out_channels")
    channels, scale = config.get("latent_channels"), config.get("scaling_factor")
    return (channels or None, 2.0 ** (len(levels) - 1) if levels else None, scale or None)


def _shown(latents: tuple[float | None, ...]) -> str:
    """ "4 × 1/8 × 1/8, 0.18215": channels, sides against those of the picture, scale."""
    channels, pixels, scale = latents
    shape = f"{channels or '?'} × 1/{pixels or 0:g} × 1/{pixels or 0:g}"
    return f"{shape}, {scale:g}" if scale else shape


def _of_folder(name: str, place: Path) -> Head:
    try:
        config = json.loads((place / control_files.CONFIG).read_text(encoding="utf-8"))
        kind = str(config.get("_class_name", KIND))
    except (OSError, ValueError, AttributeError, RecursionError):
        raise StudioError("bad_file", path=name, reason="config.json is damaged") from None
    if kind != KIND:
        raise StudioError("vae_form", name=name, form=kind[:60])
    return Head(place, config)


def _of_file(name: str, place: Path) -> Head:
    try:
        shapes = beside.tensors(place)
        scale = _scale(place)
        inner = _inner(shapes)
        if "decoder.mid.block_1.norm1.weight" in inner:
            return Head(place, read.vae(inner) | scale)
        if "decoder.mid_block.resnets.0.norm1.weight" in inner and len(inner["decoder.conv_in.weight"]) == 4:
            return Head(place, _of_diffusers(inner) | scale)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        raise StudioError("bad_file", path=place.name, reason="not a VAE's safetensors file") from None
    tiny = any("decoder.layers." in one or one.startswith("decoder.1.") for one in shapes)
    raise StudioError("vae_form", name=name, form="TAESD" if tiny else "?")


def _inner(shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """The decoder's own tensors, by the names that they have alone."""
    front = next((one for one in VAE_PREFIXES if one + "decoder.conv_in.weight" in shapes), "")
    return bare(shapes, front)


def _scale(place: Path) -> dict[str, float]:
    """The scale of its latents, as far as a file tells."""
    told = str((header(place, whole=True).get("__metadata__") or {}).get("modelspec.architecture", "")).casefold()
    if told:
        return next(({"scaling_factor": scale} for front, scale in _SCALES if told.startswith(front)), {})
    return {"scaling_factor": 0.13025} if "sdxl" in place.stem.casefold() else {}


def _of_diffusers(shapes: Shapes) -> dict[str, Any]:
    """A decoder by the names of diffusers, as `single_file.shapes.vae` reads one by its makers'."""
    levels = read.count_blocks(shapes, r"decoder\.up_blocks\.(\d+)\.")
    widths = [shapes[f"decoder.up_blocks.{level}.resnets.0.conv1.weight"][0] for level in reversed(range(levels))]
    return {
        "in_channels": 3,
        "out_channels": 3,
        "block_out_channels": widths,
        "layers_per_block": read.count_blocks(shapes, r"decoder\.up_blocks\.0\.resnets\.(\d+)\.") - 1,
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
        "latent_channels": shapes["decoder.conv_in.weight"][1],
        "use_quant_conv": "quant_conv.weight" in shapes,
        "use_post_quant_conv": "post_quant_conv.weight" in shapes,
        "mid_block_add_attention": any(one.startswith("decoder.mid_block.attentions.0.") for one in shapes),
    }


def _read(head: Head, own: Mapping[str, Any], dtype: Any) -> Any:
    """The decoder in memory; None, or with weights that are none, where the file lacks some."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    if head.place.is_dir():
        weights = control_files.weights(head.place)
        stem = "" if weights is None else weights.stem.partition(".")[2]
        return AutoencoderKL.from_pretrained(
            head.place, dtype=dtype, use_safetensors=True, local_files_only=True, **({"variant": stem} if stem else {})
        )
    # what no shape tells (norm groups, scale and shift of the latents) is that of the decoder whose place it takes
    config = {**{key: value for key, value in own.items() if not key.startswith("_")}, **head.config}
    if "decoder.mid.block_1.norm1.weight" not in _inner(beside.tensors(head.place)):
        return _filled(AutoencoderKL, config, head.place, dtype)
    with tempfile.TemporaryDirectory(prefix="atelier-") as made:
        (Path(made) / control_files.CONFIG).write_text(json.dumps({"_class_name": KIND, **config}), encoding="utf-8")
        return AutoencoderKL.from_single_file(str(head.place), config=made, local_files_only=True, dtype=dtype)


def _filled(kind: Any, config: Mapping[str, Any], file: Path, dtype: Any) -> Any:
    """A decoder by the names of diffusers, of which older files have others in its attention."""
    import torch
    from safetensors.torch import load_file

    states = load_file(file)
    front = next((one for one in VAE_PREFIXES if one + "decoder.conv_in.weight" in states), "")
    with torch.device("meta"):
        vae = kind.from_config({"_class_name": KIND, **config})
    given = {_renamed(name[len(front) :]): one for name, one in states.items() if name.startswith(front)}
    wanted = vae.state_dict()
    if any(name not in given or _flat(given[name].shape) != _flat(one.shape) for name, one in wanted.items()):
        return None
    vae.load_state_dict({name: given[name].reshape(one.shape).to(dtype) for name, one in wanted.items()}, assign=True)
    return vae


_OLD = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def _renamed(name: str) -> str:
    parts = name.split(".")
    if len(parts) > 2 and "attentions" in parts and parts[-2] in _OLD:
        parts[-2] = _OLD[parts[-2]]
    return ".".join(parts)


def _flat(shape: Sequence[int]) -> tuple[int, ...]:
    """A matrix and a convolution of one pixel are the same numbers."""
    return tuple(shape[:-2]) if len(shape) == 4 and tuple(shape[-2:]) == (1, 1) else tuple(shape)


def _place(name: str, folders: Sequence[Path]) -> Path:
    if (place := vae_files.find(name, folders)) is None:
        raise StudioError("vae_missing", name=name)
    return place


def _stamp(name: str, folders: Sequence[Path]) -> _Stamp:
    if (found := control_files.stamp(name, _place(name, folders))) is None:
        raise StudioError("vae_missing", name=name)
    return found
