"""Details of a finished picture: found by a detector, each cut out, painted at full resolution, and put back.

Detectors are transformers' own classes, read from safetensors; they work on the processor, where one of a few million
weights takes a fraction of a step, and stay until a picture names others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.image import init_image
from studio.engines.image.init_image import Cutout, Source
from studio.engines.image.passes import Pass, pass_of
from studio.engines.shared import torch_loading
from studio.errors import StudioError
from studio.media import masks
from studio.request_parts import Detail
from studio.requests import ImageRequest, Request
from studio.tasks.image import detector_files
from studio.tasks.image.size import shaped

MOST = 12
"""Things of one picture that one detector has painted again."""
_USUAL = 130_000_000
_SAME = 0.5  # share of two boxes that lie on each other, from which they show the same thing
_GROWN = 0.12  # of a box's sides, added to each: the soft edge then lies beside the thing and not on it
_WANTED = (("face", "hand", "head"), ("person",))
"""What is painted again where a detector knows such things beside others: the first of these that it knows."""


_Stamp = tuple[str, int]
"""Folder of a detector, and the time of its weights: others in the same folder are another detector."""


class Detectors:
    """The detectors of one model's pictures."""

    def __init__(self, card: Card, device: Device) -> None:
        self._card, self._device = card, device
        self._loaded: dict[_Stamp, tuple[Any, Any]] = {}
        self._stamps: dict[str, _Stamp] = {}

    def apply(self, details: Sequence[Detail], folders: Sequence[Path]) -> None:
        """Have the detectors of these in memory and no others.

        Raises:
            StudioError: no_detector, detector_form, bad_file, broken_model.
        """
        stamps = {one.detector: _stamp(one.detector, folders) for one in details}
        self._loaded = {stamp: pair for stamp, pair in self._loaded.items() if stamp in stamps.values()}
        for name, stamp in stamps.items():
            if stamp not in self._loaded:
                self._loaded[stamp] = self._load(name, Path(stamp[0]))
        self._stamps = stamps

    def boxes(self, picture: Image.Image, detail: Detail) -> list[masks.Box]:
        """Where in the picture there is what a detector finds, the surest first but at most MOST."""
        import torch

        model, processor = self._loaded[self._stamps[detail.detector]]
        given = processor(images=picture, return_tensors="pt")
        with torch.inference_mode():
            answer = model(**{name: value.to(model.dtype) for name, value in given.items() if name == "pixel_values"})
        size = [(picture.height, picture.width)]
        (found,) = processor.post_process_object_detection(answer, threshold=detail.confidence, target_sizes=size)
        wanted = _wanted(model.config.id2label)
        scored = sorted(
            (
                (float(score), tuple(float(side) for side in box))
                for score, label, box in zip(found["scores"], found["labels"], found["boxes"], strict=True)
                if int(label) in wanted
            ),
            reverse=True,
        )
        kept: list[masks.Box] = []
        for _, box in scored:
            inside = _inside(box, picture.size)
            if inside is not None and all(_shared(inside, other) < _SAME for other in kept) and len(kept) < MOST:
                kept.append(inside)
        return kept

    def nbytes(self) -> int:
        """Bytes of the detectors that are in memory."""
        return torch_loading.nbytes(*[model for model, _ in self._loaded.values()])

    def clear(self) -> None:
        """Drop them all; they are read again when they are wanted."""
        self._loaded.clear()

    def _load(self, name: str, place: Path) -> tuple[Any, Any]:
        import transformers

        detector_files.check(name, place)
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        with torch_loading.loading(self._card, self._device, "transformers"):
            kind: Any = transformers.AutoModelForObjectDetection
            model = kind.from_pretrained(place, use_safetensors=True, **options)
            processor: Any = transformers.AutoImageProcessor.from_pretrained(place, backend="pil", **options)
        return model.float().eval(), processor


def work(request: Request) -> int:
    """Bytes that the detectors of a request take, as the usual ones are."""
    return len({one.detector for one in getattr(request, "details", ())}) * _USUAL


def repainted(
    detectors: Detectors,
    request: ImageRequest,
    picture: Image.Image,
    card: Card,
    paint: Callable[[ImageRequest, Pass, Cutout, int], Image.Image],
) -> Image.Image:
    """The picture with what the request's detectors find in it painted again, one after another.

    Args:
        paint: what paints a cutout in one pass, by a request and the how-manieth it is.
    """
    place = 0
    for detail in request.details:
        asked = replace(request, prompt=detail.prompt, prompts=(), regions=()) if detail.prompt else request
        for box in detectors.boxes(picture, detail):
            found, one = cut(request, detail, picture, box, card)
            picture = found.put_back(paint(asked, one, found, place))
            place += 1
    return picture


def cut(request: ImageRequest, detail: Detail, picture: Image.Image, box: masks.Box, card: Card) -> tuple[Cutout, Pass]:
    """What is painted of a picture for one box, and how."""
    mask = Image.new("L", picture.size)
    mask.paste(255, box)
    around = masks.marked_box(mask, request.mask_padding) or box
    size = shaped((around[2] - around[0]) / (around[3] - around[1]), card)
    found = init_image.cut(Source(picture, mask, float(request.mask_blur)), around, size)
    return found, pass_of(size, request.steps or 1, detail.strength)


def _wanted(labels: dict[int, str]) -> set[int]:
    """Numbers of the labels whose things are painted again; all of a detector that knows nothing of these."""
    for names in _WANTED:
        if found := {number for number, label in labels.items() if any(name in label.casefold() for name in names)}:
            return found
    return set(labels)


def _inside(box: Sequence[float], size: tuple[int, int]) -> masks.Box | None:
    """A box a little larger and within the picture; None where nothing of it is, or its numbers are none."""
    if not all(map(math.isfinite, box)):
        return None
    wide, high = (box[2] - box[0]) * _GROWN, (box[3] - box[1]) * _GROWN
    left, top = max(math.floor(box[0] - wide), 0), max(math.floor(box[1] - high), 0)
    right, bottom = min(math.ceil(box[2] + wide), size[0]), min(math.ceil(box[3] + high), size[1])
    return (left, top, right, bottom) if right - left >= 2 and bottom - top >= 2 else None


def _shared(one: masks.Box, other: masks.Box) -> float:
    """What two boxes have in common, by all that they cover."""
    across, down = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    both = max(across, 0) * max(down, 0)
    each = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return both / (sum(each) - both)


def _stamp(name: str, folders: Sequence[Path]) -> _Stamp:
    place = detector_files.find(name, folders)
    if place is None:
        raise StudioError("detector_missing", name=name)
    file = detector_files.weights(place)
    return str(place), file.stat().st_mtime_ns if file is not None else 0
