"""ControlNets on a pipeline: loaded when they are first wanted, put before pipelines of the same modules, given maps.

Nothing of the model is held twice. What a request does not name is dropped before it runs, so that no more ControlNets
are in memory than the last picture was painted with. One that counts for nothing (a weight of 0) is not there at all:
the pixels are those of the picture without it.
"""

from __future__ import annotations

import inspect
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.image import control_heads
from studio.engines.image.control_heads import PIPELINES, Head
from studio.engines.image.img2img import Family, Member
from studio.engines.shared import torch_loading
from studio.errors import StudioError
from studio.media.control_maps import control_map
from studio.media.image import decode_image
from studio.requests import Control, ImageRequest, Request
from studio.tasks.image import control_files

_SHARE = 0.36
"""Of a model's memory that a ControlNet of it takes: 0.34 for Stable Diffusion 1.5, 0.36 for XL, by their weights."""

_Stamp = tuple[str, int, int]
"""Name, time and size of a file: another file under the same name is another ControlNet."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A control that counts, its picture decoded, and its ControlNet in memory."""

    control: Control
    picture: Image.Image
    network: Any


class Controls:
    """The ControlNets of one model."""

    def __init__(self, card: Card, family: Family, device: Device) -> None:
        self._card, self._family, self._device = card, family, device
        self._networks: dict[_Stamp, Any] = {}
        self._wanted: tuple[_Wanted, ...] = ()
        self._members: dict[str, Member] = {}
        self._before: list[_Stamp] = []

    def apply(self, controls: tuple[Control, ...], folders: Sequence[Path]) -> None:
        """Have these before the pipelines and no others.

        Raises:
            StudioError: control_missing, control_wrong, control_form, control_not_taken, control_several, bad_file,
                bad_image, broken_model, out_of_memory. No ControlNet is before the pipelines then.
        """
        counted = counting(controls)
        ways = PIPELINES.get(type(self._family.pipe).__name__)
        if len(counted) > 1 and ways is not None and not ways.several:
            raise StudioError("control_several", model=self._card.title)
        self._wanted = ()
        stamps = [_stamp(one.model, folders) for one in counted]
        if stamps != self._before:  # pipelines hold theirs in memory
            self._members.clear()
        self._before = stamps
        self._networks = {stamp: network for stamp, network in self._networks.items() if stamp in stamps}
        for stamp in dict.fromkeys(stamps):
            if stamp not in self._networks:
                self._networks[stamp] = self._load(stamp[0], folders)
        self._wanted = tuple(
            _Wanted(one, decode_image(one.image), self._networks[stamp])
            for one, stamp in zip(counted, stamps, strict=True)
        )

    def member(self, over: bool, masked: bool = False) -> Member | None:
        """The pipeline with the ControlNets before it, for what `Family.member` takes; None where there are none.

        Raises:
            StudioError: control_over, where the model has none for painting over pictures.
        """
        if not self._wanted:
            return None
        kind = "words" if not over else "mask" if masked else "image"
        if kind not in self._members:
            self._members[kind] = self._make(kind)
        return self._members[kind]

    def arguments(self, size: tuple[int, int], member: Member) -> dict[str, Any]:
        """What a pipeline's call takes of the controls; nothing where there are none."""
        if not self._wanted:
            return {}
        controls = [each.control for each in self._wanted]
        maps = [control_map(each.picture, each.control.preprocessor, size, each.control.fit) for each in self._wanted]
        given: dict[str, list[Any]] = {
            "control_image" if "control_image" in member.accepts else "image": maps,
            "controlnet_conditioning_scale": [float(one.weight) for one in controls],
            "control_guidance_start": [float(one.start) for one in controls],
            "control_guidance_end": [float(one.end) for one in controls],
        }
        return given if len(controls) > 1 else {name: one[0] for name, one in given.items()}

    @contextmanager
    def chance(self, seed: int) -> Iterator[None]:
        """With the dice of the whole process thrown by `seed`: Stable Diffusion 3 takes the maps' latents by them."""
        if not self._wanted:
            yield
            return
        import torch

        with torch.random.fork_rng([self._device.index or 0] if self._device.kind == "cuda" else []):
            torch.manual_seed(seed)
            yield

    @contextmanager
    def resting(self) -> Iterator[None]:
        """As if there were none: for what is painted of a part, where a map of the whole would hold it to nonsense."""
        wanted, self._wanted = self._wanted, ()
        try:
            yield
        finally:
            self._wanted = wanted

    def nbytes(self) -> int:
        """Bytes of the ControlNets that are in memory."""
        return torch_loading.nbytes(*self._networks.values())

    def clear(self) -> None:
        """Drop them all; they are read again when they are wanted."""
        self._networks, self._wanted = {}, ()
        self._members.clear()

    def _load(self, name: str, folders: Sequence[Path]) -> Any:
        pipe = self._family.pipe
        painter = denoiser(pipe)
        head = control_heads.read_head(name, _place(name, folders))
        control_heads.check_fit(head, name, self._card, type(pipe).__name__, painter.config)
        with torch_loading.loading(self._card, self._device, "diffusers"):
            dtype = painter.dtype if painter.dtype.is_floating_point else pipe.vae.dtype
            network = _read(head, painter.config, dtype)
            return network.to(str(self._device)).eval()

    def _make(self, kind: str) -> Member:
        import diffusers

        pipe = self._family.pipe
        ways = PIPELINES[type(pipe).__name__]
        # the inpainting pipelines with a UNet know four channels and nine
        by_hand = kind == "mask" and (not ways.mask or pipe.unet.config.in_channels not in (4, 9))
        name = {"words": ways.words, "image": ways.image, "mask": ways.image if by_hand else ways.mask}[kind]
        if not name:
            raise StudioError("control_over", model=self._card.title)
        made: Any = getattr(diffusers, name)
        networks: Any = [each.network for each in self._wanted]
        networks = networks if len(networks) > 1 else networks[0]
        takes = inspect.signature(made.__init__).parameters
        given = {key: value for key, value in {**pipe.config, **pipe.components}.items() if key in takes}
        if "requires_safety_checker" in takes:
            given["requires_safety_checker"] = False
        with torch_loading.loading(self._card, self._device, "diffusers"):
            sister = made(**given, controlnet=networks)
        sister.set_progress_bar_config(disable=True)
        return Member(sister, inspect.signature(sister.__call__).parameters, by_hand)


def counting(controls: tuple[Control, ...]) -> tuple[Control, ...]:
    """Those that count for something."""
    return tuple(one for one in controls if one.weight > 0)


def denoiser(pipe: Any) -> Any:
    """The network of a pipeline that paints."""
    return pipe.unet if getattr(pipe, "unet", None) is not None else pipe.transformer


def check(card: Card, files: Path, request: ImageRequest, folders: Sequence[Path]) -> None:
    """Refuse, from headers alone, controls that a model cannot be painted with.

    Raises:
        StudioError: control_missing, control_wrong, control_form, control_not_taken, control_over, control_several,
            bad_file.
    """
    counted = counting(request.controls)
    if not counted:
        return
    pipeline, network = control_heads.read_model(card, files)
    if pipeline and pipeline not in PIPELINES:
        raise StudioError("control_not_taken", model=card.title)
    for one in counted:
        head = control_heads.read_head(one.model, _place(one.model, folders))
        if network:
            control_heads.check_fit(head, one.model, card, pipeline, network)
    if pipeline and len(counted) > 1 and not PIPELINES[pipeline].several:
        raise StudioError("control_several", model=card.title)
    if pipeline and (request.image or request.hires_scale > 1) and not PIPELINES[pipeline].image:
        raise StudioError("control_over", model=card.title)


def work(card: Card, request: Request) -> int:
    """Bytes that the ControlNets of a request take, by the share of a model that they usually are."""
    return round(len({one.model for one in counting(getattr(request, "controls", ()))}) * card.memory_bytes * _SHARE)


def _read(head: Head, network: Any, dtype: Any) -> Any:
    import diffusers

    kind: Any = getattr(diffusers, head.kind)
    if head.whole:
        weights = control_files.weights(head.place)
        stem = "" if weights is None else weights.stem.partition(".")[2]
        return kind.from_pretrained(
            head.place, dtype=dtype, use_safetensors=True, local_files_only=True, **({"variant": stem} if stem else {})
        )
    config = control_heads.whole_config(head, network, inspect.signature(kind.__init__).parameters)
    with tempfile.TemporaryDirectory(prefix="atelier-") as made:
        written = {"_class_name": head.kind, **config}
        (Path(made) / control_files.CONFIG).write_text(json.dumps(written), encoding="utf-8")
        return kind.from_single_file(str(head.place), config=made, local_files_only=True, dtype=dtype)


def _place(name: str, folders: Sequence[Path]) -> Path:
    if (place := control_files.find(name, folders)) is None:
        raise StudioError("control_missing", name=name)
    return place


def _stamp(name: str, folders: Sequence[Path]) -> _Stamp:
    try:
        file = control_files.weights(_place(name, folders))
        if file is not None:
            found = file.stat()
            return name, found.st_mtime_ns, found.st_size
    except OSError:
        pass
    raise StudioError("control_missing", name=name)
