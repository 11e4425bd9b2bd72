"""Reference pictures: IP-Adapters on a pipeline's UNet for as long as it paints, and what is seen of the pictures.

Between runs the UNet is as it was made: its own attention is put back whatever happens, so that pictures without a
reference are the same to the pixel. The image encoder reads a picture once and is dropped; what it saw is kept for as
long as the next request shows the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.image import control_heads, reference_heads
from studio.engines.image.img2img import Family, Member
from studio.engines.image.reference_heads import PIPELINES, Head
from studio.engines.shared import torch_loading
from studio.errors import StudioError
from studio.media.image import decode_image
from studio.media.masks import read_mask
from studio.request_parts import Reference
from studio.requests import ImageRequest, Request
from studio.tasks.image import control_files, reference_files

_SHARE, _ENCODER = 0.12, 0.6
"""Of a model's memory that an IP-Adapter of it takes, and the image encoder while it reads: by the numbers of weights
that their makers name, 0.10 for XL's and 0.05 for Stable Diffusion 1.5's largest; 0.53 and 0.59 for the encoders."""

_Stamp = tuple[str, int, int]
"""Name, time and size of a file: another file under the same name is another IP-Adapter."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """A reference that counts.

    Attributes:
        blocks: how much each block sees of it, by how their names begin.
        seen: what the image encoder made of its picture: nothing's and its own, one behind the other.
        mask: "L", where it counts; None for everywhere.
    """

    reference: Reference
    blocks: Any
    seen: Any
    mask: Image.Image | None


class References:
    """The IP-Adapters of one model.

    Those of one file are loaded once: then each of their pictures has a place of its own among the attention's inputs.
    """

    def __init__(self, card: Card, family: Family, device: Device) -> None:
        self._card, self._family, self._device = card, family, device
        self._stamps: tuple[_Stamp, ...] = ()
        self._attention: dict[str, Any] = {}
        self._projection: Any = None
        self._seen: dict[tuple[_Stamp, str], Any] = {}
        self._groups: tuple[tuple[_Shown, ...], ...] = ()

    def apply(self, references: tuple[Reference, ...], folders: Sequence[Path]) -> None:
        """Have these ready and no others.

        Raises:
            StudioError: reference_missing, reference_wrong, reference_form, reference_encoder, reference_not_taken,
                reference_use, bad_file, bad_image, mask_empty, broken_model, out_of_memory. None are ready then.
        """
        self._groups = ()
        counted = counting(references)
        if not counted:
            self.clear()
            return
        network = getattr(self._family.pipe, "unet", None)
        config = network.config if network is not None else {}
        heads: dict[_Stamp, Head] = {}
        stamps = []
        for one in counted:
            stamp, file = _stamp(one.model, folders)
            heads[stamp] = head = reference_heads.read_head(one.model, file, folders)
            reference_heads.check_fit(head, one.model, self._card, type(self._family.pipe).__name__, config)
            stamps.append(stamp)
        if tuple(heads) != self._stamps:
            self.clear()
            with torch_loading.loading(self._card, self._device, "diffusers", "transformers"):
                self._attention, self._projection = self._read(list(heads.values()))
            self._stamps = tuple(heads)
        self._look(counted, stamps, heads)
        shown = [
            _Shown(
                one, reference_heads.blocks(config, one.use, self._card), self._seen[stamp, _hash(one.image)],
                read_mask(one.mask) if one.mask else None,
            )
            for one, stamp in zip(counted, stamps, strict=True)
        ]  # fmt: skip
        pairs = list(zip(shown, stamps, strict=True))
        self._groups = tuple(tuple(one for one, of in pairs if of == stamp) for stamp in self._stamps)

    @contextmanager
    def worn(self) -> Iterator[None]:
        """The UNet sees the references that are ready, until the block ends in whatever manner."""
        if not self._groups:
            yield
            return
        network = self._family.pipe.unet
        attention, projection = dict(network.attn_processors), network.encoder_hid_proj
        kind = network.config.encoder_hid_dim_type
        try:
            network.set_attn_processor(dict(self._attention))
            network.encoder_hid_proj = self._projection
            network.config.encoder_hid_dim_type = "ip_image_proj"
            yield
        finally:
            network.encoder_hid_proj = projection  # first: it may hold attention of its own, which would be counted
            network.set_attn_processor(attention)
            network.config.encoder_hid_dim_type = kind

    def arguments(self, size: tuple[int, int], member: Member, guidance: float) -> dict[str, Any]:
        """What a pipeline's call takes of the references; nothing where there are none. Only while they are `worn`."""
        if not self._groups:
            return {}
        import torch

        # as the pipelines decide whether they guide: then they take what nothing looks like as well
        guided = guidance > 1 and member.pipe.unet.config.time_cond_proj_dim is None
        guided = guided and "negative_prompt_embeds" in member.accepts
        seen = [torch.cat([one.seen for one in group], dim=1) for group in self._groups]
        given: dict[str, Any] = {"ip_adapter_image_embeds": [each if guided else each[1:] for each in seen]}
        if any(map(_apart, self._groups)):
            masks = [self._masks(group, size) if _apart(group) else None for group in self._groups]
            given["cross_attention_kwargs"] = {"ip_adapter_masks": masks}
        return given

    def before(self, step: int, steps: int) -> None:
        """Set what counts at this step, from 0: each reference from its start to its end."""
        for name, attention in self._attention.items() if self._groups else ():
            if not hasattr(attention, "scale"):
                continue  # it attends to the painting itself
            scales = [[_weight(one, name, step, steps) for one in group] for group in self._groups]
            attention.scale = [
                each if _apart(group) else each[0] for group, each in zip(self._groups, scales, strict=True)
            ]

    def nbytes(self) -> int:
        """Bytes of the IP-Adapters that are in memory."""
        if self._projection is None:
            return 0
        own = [one for one in self._attention.values() if hasattr(one, "scale")]
        return torch_loading.nbytes(self._projection, *own)

    def clear(self) -> None:
        """Drop them all; they are read again when they are wanted."""
        self._stamps, self._groups = (), ()
        self._attention, self._projection, self._seen = {}, None, {}

    def _read(self, heads: Sequence[Head]) -> tuple[dict[str, Any], Any]:
        """The attention of the UNet with these in it, and what leads pictures there.

        By the parts of `load_ip_adapter` and not by it: it would make the whole UNet one float type, which one in 8
        bits is not, and would give every pipeline an image encoder.
        """
        from diffusers.models.embeddings import MultiIPAdapterImageProjection
        from safetensors.torch import load_file

        network = self._family.pipe.unet
        states = [_parted(load_file(head.file)) for head in heads]
        attention = network._convert_ip_adapter_attn_to_diffusers(states)
        layers = [network._convert_ip_adapter_image_proj_to_diffusers(state["image_proj"]) for state in states]
        where: dict[str, Any] = {"device": str(self._device), "dtype": self._dtype()}
        for one in attention.values():
            if hasattr(one, "scale"):
                one.to(**where).eval()
        return attention, MultiIPAdapterImageProjection(layers).to(**where).eval()

    def _look(self, counted: Sequence[Reference], stamps: Sequence[_Stamp], heads: dict[_Stamp, Head]) -> None:
        """Have what the encoders see of every picture, and of no other; each encoder is read once at most."""
        wanted = {(stamp, _hash(one.image)): one for one, stamp in zip(counted, stamps, strict=True)}
        self._seen = {key: seen for key, seen in self._seen.items() if key in wanted}
        missing = {key: one for key, one in wanted.items() if key not in self._seen}
        for folder in dict.fromkeys(heads[stamp].encoder for stamp, _ in missing):
            with torch_loading.loading(self._card, self._device, "diffusers", "transformers"):
                eye = _Eye(folder, self._device, self._dtype())
            with torch_loading.working(self._card):
                for key, one in missing.items():
                    if heads[key[0]].encoder == folder:
                        self._seen[key] = eye.see(decode_image(one.image), heads[key[0]].parts)

    def _dtype(self) -> Any:
        pipe = self._family.pipe
        return pipe.unet.dtype if pipe.unet.dtype.is_floating_point else pipe.vae.dtype

    def _masks(self, group: Sequence[_Shown], size: tuple[int, int]) -> Any:
        """Where each of a group counts: [1, pictures, height, width]; of a mask of another shape its middle."""
        from diffusers.image_processor import IPAdapterMaskProcessor

        fitted = [
            Image.new("L", size, 255) if one.mask is None else ImageOps.fit(one.mask, size, Image.Resampling.BILINEAR)
            for one in group
        ]
        made = IPAdapterMaskProcessor().preprocess(fitted, height=size[1], width=size[0])
        return made.reshape(1, len(group), *made.shape[-2:])


class _Eye:
    """An image encoder in memory."""

    def __init__(self, folder: Path, device: Device, dtype: Any) -> None:
        from transformers import CLIPImageProcessorPil, CLIPVisionModelWithProjection

        self._network: Any = CLIPVisionModelWithProjection.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, local_files_only=True, trust_remote_code=False
        )
        self._network.to(str(device)).eval()
        side = self._network.config.image_size
        self._prepare: Any = CLIPImageProcessorPil(size=side, crop_size=side)

    def see(self, picture: Image.Image, parts: bool) -> Any:
        """What nothing looks like, and the picture: [2, 1, width], or [2, 1, parts, width]."""
        import torch

        network = self._network
        with torch.no_grad():
            pixels = self._prepare(picture, return_tensors="pt").pixel_values.to(network.device, network.dtype)
            if parts:
                both = [network(each, output_hidden_states=True) for each in (torch.zeros_like(pixels), pixels)]
                return torch.stack([each.hidden_states[-2] for each in both])
            whole = network(pixels).image_embeds
            return torch.stack([torch.zeros_like(whole), whole])


def counting(references: tuple[Reference, ...]) -> tuple[Reference, ...]:
    """Those that count for something."""
    return tuple(one for one in references if one.weight > 0)


def check(card: Card, files: Path, request: ImageRequest, folders: Sequence[Path]) -> None:
    """Refuse, from headers alone, references that a model cannot be shown.

    Raises:
        StudioError: reference_missing, reference_wrong, reference_form, reference_encoder, reference_not_taken,
            reference_use, bad_file.
    """
    counted = counting(request.references)
    if not counted:
        return
    pipeline, network = control_heads.read_model(card, files)
    if pipeline and pipeline not in PIPELINES:
        raise StudioError("reference_not_taken", model=card.title)
    for one in counted:
        head = reference_heads.read_head(one.model, _stamp(one.model, folders)[1], folders)
        if network:
            reference_heads.check_fit(head, one.model, card, pipeline, network)
            reference_heads.blocks(network, one.use, card)


def work(card: Card, request: Request) -> int:
    """Bytes that the IP-Adapters of a request take, by the shares of a model that they and an encoder usually are."""
    used = {one.model for one in counting(getattr(request, "references", ()))}
    return round(card.memory_bytes * (_SHARE * len(used) + _ENCODER)) if used else 0


def _apart(group: Sequence[_Shown]) -> bool:
    """Whether the pictures of a group have weights and places of their own: several, or one with a mask."""
    return len(group) > 1 or group[0].mask is not None


def _weight(one: _Shown, name: str, step: int, steps: int) -> float:
    """How much of a reference the attention of this name sees at a step; by the rule that ControlNets go by."""
    told = one.reference
    if step / steps < told.start or (step + 1) / steps > told.end:
        return 0.0
    seen = (share for front, share in one.blocks.items() if name.startswith(front))
    return float(told.weight) * next(seen, 0.0)


def _parted(tensors: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A file's tensors as diffusers takes them: what leads pictures in, and the attention."""
    fronts = ("image_proj", "ip_adapter")
    return {
        front: {name[len(front) + 1 :]: tensor for name, tensor in tensors.items() if name.startswith(front + ".")}
        for front in fronts
    }


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _stamp(name: str, folders: Sequence[Path]) -> tuple[_Stamp, Path]:
    file = reference_files.find(name, folders)
    if file is None or (found := control_files.stamp(name, file)) is None:
        raise StudioError("reference_missing", name=name)
    return found, file
