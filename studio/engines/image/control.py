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
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.image import control_heads, control_hooks, control_shapes
from studio.engines.image.control_heads import ADAPTER, CELL, PIPELINES, UNION, Z_IMAGE, Head
from studio.engines.image.img2img import Family, Member
from studio.engines.shared import depth, torch_loading
from studio.errors import StudioError
from studio.media.control_maps import control_map
from studio.media.image import decode_image
from studio.request_parts import Control
from studio.requests import ImageRequest, Request
from studio.tasks.image import control_files

_SHARE = 0.36
"""Of a model's memory that a ControlNet of it takes: 0.34 for Stable Diffusion 1.5, 0.36 for XL, by their weights."""

_Stamp = tuple[str, int, int]
"""Name, time and size of a file: another file under the same name is another ControlNet."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A control that counts, its picture decoded, and its ControlNet or adapter in memory.

    Attributes:
        mode: the kind of map that a Union ControlNet is given; None for others.
    """

    control: Control
    picture: Image.Image
    network: Any
    kind: str
    mode: int | None


class Controls:
    """The ControlNets and adapters of one model."""

    def __init__(self, card: Card, family: Family, device: Device) -> None:
        self._card, self._family, self._device = card, family, device
        self._networks: dict[_Stamp, Any] = {}
        self._bytes: dict[_Stamp, int] = {}
        self._wanted: tuple[_Wanted, ...] = ()
        self._members: dict[str, Member] = {}
        self._before: list[tuple[_Stamp, int | None]] = []
        self._folders: Sequence[Path] = ()
        self._maps: dict[tuple[int, tuple[int, int]], Image.Image] = {}
        self._features: list[list[Any]] = []
        self._done = 0

    def apply(self, controls: tuple[Control, ...], folders: Sequence[Path]) -> None:
        """Have these before the pipelines and no others.

        Raises:
            StudioError: control_missing, control_wrong, control_form, control_mode, control_not_taken,
                control_several, bad_file, bad_image, broken_model, out_of_memory. No ControlNet is before the
                pipelines then.
        """
        counted = counting(controls)
        ways = PIPELINES.get(type(self._family.pipe).__name__)
        if len(counted) > 1 and ways is not None and not ways.several:
            raise StudioError("control_several", model=self._card.title)
        self._wanted, self._folders = (), folders
        self._maps.clear()
        self._features = []
        stamps = [_stamp(one.model, folders) for one in counted]
        heads = [control_heads.read_head(one.model, _place(one.model, folders)) for one in counted]
        modes = [
            control_heads.mode_of(head, one.model, one.preprocessor) for head, one in zip(heads, counted, strict=True)
        ]
        before = list(zip(stamps, modes, strict=True))
        if before != self._before:  # pipelines hold theirs in memory
            self._members.clear()
        self._before = before
        self._networks = {stamp: network for stamp, network in self._networks.items() if stamp in stamps}
        for stamp, head in zip(stamps, heads, strict=True):
            if stamp not in self._networks:
                self._networks[stamp] = self._load(stamp[0], head)
                self._bytes[stamp] = torch_loading.nbytes(self._networks[stamp])
        self._wanted = tuple(
            _Wanted(one, decode_image(one.image), self._networks[stamp], head.kind, mode)
            for one, stamp, head, mode in zip(counted, stamps, heads, modes, strict=True)
        )

    def member(self, over: bool, masked: bool = False) -> Member | None:
        """The pipeline with the ControlNets before it, for what `Family.member` takes; None where there are none.

        Raises:
            StudioError: control_over, where the model has none for painting over pictures.
        """
        if not self._nets:
            return None
        kind = "words" if not over else "mask" if masked else "image"
        if kind not in self._members:
            self._members[kind] = self._make(kind)
        return self._members[kind]

    def arguments(self, size: tuple[int, int], member: Member) -> dict[str, Any]:
        """What a pipeline's call takes of the controls; nothing where there are none.

        What adapters make of their maps at this size is from then on what `steering` adds.
        """
        self._features = [control_hooks.features(each.network, self._map(each, size)) for each in self._adapters]
        if not self._nets:
            return {}
        controls = [each.control for each in self._nets]
        given: dict[str, list[Any]] = {
            "control_image" if "control_image" in member.accepts else "image": [
                self._map(each, size) for each in self._nets
            ],
            "controlnet_conditioning_scale": [float(one.weight) for one in controls],
        }
        if "control_guidance_start" in member.accepts:
            given["control_guidance_start"] = [float(one.start) for one in controls]
            given["control_guidance_end"] = [float(one.end) for one in controls]
        if "control_mode" in member.accepts and (self._listed or self._nets[0].mode is not None):
            given["control_mode"] = [-1 if each.mode is None else each.mode for each in self._nets]
        return given if self._listed else {name: one[0] for name, one in given.items()}

    @contextmanager
    def steering(self, seed: int, member: Member) -> Iterator[None]:
        """With all that steers and that `member`'s pipeline does not do by itself.

        The dice of the whole process are thrown by `seed`: Stable Diffusion 3 takes the maps' latents by them.
        """
        if not self._wanted:
            yield
            return
        import torch

        def clock() -> tuple[int, int]:
            return self._done, max(getattr(member.pipe, "num_timesteps", None) or 1, self._done + 1)

        self._done = 0
        with ExitStack() as stack:
            stack.enter_context(torch.random.fork_rng([self._device.index or 0] if self._device.kind == "cuda" else []))
            torch.manual_seed(seed)
            if self._adapters:
                adapted = [each.control for each in self._adapters]
                stack.enter_context(
                    control_hooks.adapted(denoiser(member.pipe), adapted, lambda: self._features, clock)
                )
            if self._nets and "control_guidance_start" not in member.accepts:
                networks, controls = zip(*((each.network, each.control) for each in self._nets), strict=True)
                stack.enter_context(control_hooks.timed(networks, controls, clock))
            yield

    @contextmanager
    def resting(self) -> Iterator[None]:
        """As if there were none: for what is painted of a part, where a map of the whole would hold it to nonsense."""
        wanted, self._wanted = self._wanted, ()
        try:
            yield
        finally:
            self._wanted = wanted

    def done(self, steps: int) -> None:
        """Told that so many steps of the pass are done."""
        self._done = steps

    @property
    def _nets(self) -> list[_Wanted]:
        return [each for each in self._wanted if each.kind != ADAPTER]

    @property
    def _adapters(self) -> list[_Wanted]:
        return [each for each in self._wanted if each.kind == ADAPTER]

    @property
    def _listed(self) -> bool:
        """Whether pipelines hold the ControlNets as a list: several, or one that only a list gives what it takes."""
        return len(self._nets) > 1 or any(each.kind == UNION for each in self._nets)

    def _map(self, wanted: _Wanted, size: tuple[int, int]) -> Image.Image:
        """The map of a control; made once a run and size, since a batch is painted from the same."""
        key = self._wanted.index(wanted), size
        if key not in self._maps:
            control = wanted.control
            self._maps[key] = control_map(
                wanted.picture, control.preprocessor, size, control.fit, depth.estimator(self._folders)
            )
        return self._maps[key]

    def nbytes(self) -> int:
        """Bytes of the ControlNets that are in memory."""
        return sum(self._bytes[stamp] for stamp in self._networks)

    def clear(self) -> None:
        """Drop them all; they are read again when they are wanted."""
        self._networks, self._wanted = {}, ()
        self._members.clear()

    def renew(self) -> None:
        """Make the pipelines anew when they are next wanted: those that there are hold parts that the model has not."""
        self._members.clear()

    def _load(self, name: str, head: Head) -> Any:
        pipe = self._family.pipe
        painter = denoiser(pipe)
        network = {**painter.config, CELL: getattr(pipe, "vae_scale_factor", 0)}
        control_heads.check_fit(head, name, self._card, type(pipe).__name__, network)
        with torch_loading.loading(self._card, self._device, "diffusers"):
            dtype = painter.dtype if painter.dtype.is_floating_point else pipe.vae.dtype
            return _read(head, painter.config, dtype).to(str(self._device)).eval()

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
        networks: Any = [
            control_hooks.as_one(one.network, one.mode or 0) if one.kind == UNION else one.network for one in self._nets
        ]
        networks = networks if self._listed else networks[0]
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
        StudioError: control_missing, control_wrong, control_form, control_mode, control_not_taken, control_over,
            control_several, bad_file.
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
        control_heads.mode_of(head, one.model, one.preprocessor)
    if pipeline and len(counted) > 1 and not PIPELINES[pipeline].several:
        raise StudioError("control_several", model=card.title)
    if pipeline and (request.image or request.hires_scale > 1) and not PIPELINES[pipeline].image:
        raise StudioError("control_over", model=card.title)


def work(card: Card, request: Request) -> int:
    """Bytes that what steers a request takes: of ControlNets by their usual share of a model, of what tells depth."""
    counted = counting(getattr(request, "controls", ()))
    deep = any(one.preprocessor == "depth" for one in counted)
    return round(len({one.model for one in counted}) * card.memory_bytes * _SHARE) + deep * depth.USUAL_BYTES


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
    if head.kind != "ControlNetModel":
        return _built(head, kind, config, dtype)
    with tempfile.TemporaryDirectory(prefix="atelier-") as made:
        written = {"_class_name": head.kind, **config}
        (Path(made) / control_files.CONFIG).write_text(json.dumps(written), encoding="utf-8")
        return kind.from_single_file(str(head.place), config=made, local_files_only=True, dtype=dtype)


def _built(head: Head, kind: Any, config: dict[str, Any], dtype: Any) -> Any:
    """The network of a single file whose configuration is known; diffusers would ask the hub for it."""
    import torch
    from safetensors.torch import load_file

    states = load_file(head.place)
    if head.kind == ADAPTER:
        named = control_shapes.adapter_names(list(states))
        states = {named[name]: tensor for name, tensor in states.items()}
    if head.kind == Z_IMAGE:
        config, states = control_shapes.settled(config, states)
    with torch.device("meta"):
        made = kind(**config)
    made.load_state_dict(states, assign=True)
    return made.to(dtype)


def _place(name: str, folders: Sequence[Path]) -> Path:
    if (place := control_files.find(name, folders)) is None:
        raise StudioError("control_missing", name=name)
    return place


def _stamp(name: str, folders: Sequence[Path]) -> _Stamp:
    if (found := control_files.stamp(name, _place(name, folders))) is None:
        raise StudioError("control_missing", name=name)
    return found
