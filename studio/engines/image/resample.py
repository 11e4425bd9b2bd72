"""Resampling (Lanczos) as an engine: a picture enlarged without model or files, the same on every machine.

What upscaling falls back on where no model for it is on disk. Needs neither torch nor weights.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PIL import Image

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.base import Context
from studio.engines.image import init_image
from studio.media.image import check_image, decode
from studio.requests import Request, UpscaleRequest
from studio.results import Output

_STRIP = 512
"""Rows of the result that are made between two looks at whether the person cancelled."""
_REACH = 4
"""Rows of the input beside a strip that Lanczos with three lobes reads, and one to spare."""


class ResampleEngine:
    """Behaves like the engine of a model, so that nobody else has to know that there is none."""

    def weights(self, card: Card, files: Path) -> int:
        del card, files
        return 1

    def work(self, card: Card, request: Request) -> int:
        del card
        assert isinstance(request, UpscaleRequest)
        _, width, height = check_image(request.image)
        return width * height * 3 * (2 + 2 * request.scale**2)

    def load(self, card: Card, files: Path, device: Device, report: Callable[[float], None]) -> Resampler:
        del card, files, device, report
        return Resampler()


class Resampler:
    def nbytes(self) -> int:
        return 1

    def close(self) -> None:
        pass

    def run(self, request: UpscaleRequest, context: Context) -> Output:
        """The picture, `scale` times as wide and as high."""
        given, scale = decode(request.image), request.scale
        source = given.image
        result = Image.new(source.mode, (source.width * scale, source.height * scale))
        rows = max(_STRIP // scale, 1)
        strips = -(-source.height // rows)
        for i in range(strips):
            context.check()
            top, bottom = i * rows, min((i + 1) * rows, source.height)
            above, below = max(top - _REACH, 0), min(bottom + _REACH, source.height)
            strip = source.crop((0, above, source.width, below))
            strip = strip.resize((result.width, strip.height * scale), Image.Resampling.LANCZOS)
            first = (top - above) * scale
            result.paste(strip.crop((0, first, result.width, first + (bottom - top) * scale)), (0, top * scale))
            context.step(i + 1, strips)
        return Output(images=(result,), seeds=(0,), notes=init_image.left_out(given, whole=True))
