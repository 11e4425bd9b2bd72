"""Music and sounds with audiocraft: MusicGen with its melody path, AudioGen, MAGNeT.

The package is an extra (`python start.py audiocraft`); a folder in the layout of `_audiocraft_folder` is loaded, and
never a pickle. Pieces are made one after another, each with torch's global generator seeded anew (audiocraft takes no
other), so that piece i of a batch is the same as a single piece with seed + i. What audiocraft keeps in the model
between runs (duration, sampling, progress) is set anew for each piece. Pieces longer than the model's window are
audiocraft's own affair, see `extend_stride`; MAGNeT makes pieces of one length, of which the beginning is kept.
MusicGen and AudioGen go on from a sound, of which they hear the end; a melody model follows its tune too.

Read from the card:
    options.extend_stride: seconds that each window goes on by; default audiocraft's, 18 of 30 and 2 of 10.
    options.decoding_steps: MAGNeT's steps, one number a codebook; default 20 and then 10 each.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.base import Context
from studio.engines.music import audiocraft_folder, audiocraft_shim, takes
from studio.engines.shared import parking, torch_loading
from studio.errors import StudioError
from studio.requests import MusicRequest, Request, SoundUse
from studio.results import Audio, Output

if TYPE_CHECKING:
    import numpy as np

STRIDES = {"musicgen": 18.0, "audiogen": 2.0}
"""Seconds by which audiocraft goes on, window by window."""
_HEARD = 1 / 3
"""Share of a window that is heard of a sound to go on from."""
_FIRST_STEPS, _LATER_STEPS = 20, 10


class AudiocraftEngine:
    """What audiocraft makes from words, and from a melody."""

    def hears(self, card: Card) -> tuple[SoundUse, ...]:
        return audiocraft_folder.hears(card)

    def weights(self, card: Card, files: Path) -> int:
        return audiocraft_folder.weights(card, files)

    def work(self, card: Card, request: Request) -> int:
        """Keys and values of two sequences and the decoded sound: about a twentieth of the weights a second."""
        duration = min(takes.seconds(request), 30.0)
        return int(duration * max(10 << 20, card.parameters // 20)) + (64 << 20)

    def load(self, card: Card, files: Path, device: Device, report: Callable[[float], None]) -> AudiocraftModel:  # noqa: ARG002
        torch_loading.refuse_code(card, files)
        with torch_loading.loading(card, device, "transformers"):
            config = audiocraft_folder.read_config(card, files)
            try:
                audiocraft_shim.load()
            except ImportError as error:
                raise StudioError("no_audiocraft", model=card.title) from error
            with _current(device), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of torch, about how audiocraft is written
                return AudiocraftModel(card, audiocraft_folder.build(card, files, config, device), config, device)


class AudiocraftModel(parking.Parking):
    """A model of audiocraft in memory."""

    def __init__(self, card: Card, model: Any, config: dict[str, Any], device: Device) -> None:
        self._card, self._device = card, device
        self._model: Any = model
        self._kind: str = config["kind"]
        # audiocraft hides the text encoder from its module, so that it is not saved with it
        hidden = [one.__dict__["t5"] for one in self._conditioners() if "t5" in one.__dict__]
        self._weights: Any = parking.Weights(device, model.lm, model.compression_model, *hidden)

    def nbytes(self) -> int:
        return self._weights.nbytes()

    def close(self) -> None:
        self._model = self._weights = None

    def run(self, request: MusicRequest, context: Context) -> Output:
        ignored = {"no_negative": request.negative_prompt, "no_lyrics": request.lyrics, "no_melody": request.melody}
        notes = tuple((name, {}) for name, given in ignored.items() if given)
        follows = request.sound_use == "follow"
        with torch_loading.working(self._card), _current(self._device):
            heard = takes.heard(request, self._model.sample_rate, 1 if follows else self._model.audio_channels)
            make = self._following if follows else self._going_on
            output = takes.each_piece(
                request, context, lambda number, seed: make(request, heard, self._look(request, number, context), seed)
            )
        return replace(output, notes=notes)

    def _following(self, request: MusicRequest, melody: np.ndarray | None, look: _Look, seed: int) -> Audio:
        """A piece with the tune of `melody`, an array (1, frames) at the model's rate; None for words alone."""
        import torch

        model, new = self._model, takes.seconds(request) + takes.overlap(self._card, request)
        look.steps = self._magnet(request, new) if self._kind == "magnet" else self._sampling(request, new)
        words = [takes.words(request)]
        if melody is None:
            return self._made(request, look, seed, lambda: model.generate(words, progress=True))
        rate = model.sample_rate
        tune = torch.from_numpy(melody[:, : math.ceil(max(new, model.max_duration) * rate)])[None]
        return self._made(request, look, seed, lambda: model.generate_with_chroma(words, tune, rate, progress=True))

    def _going_on(self, request: MusicRequest, before: np.ndarray | None, look: _Look, seed: int) -> Audio:
        """A piece that begins with `before`, an array (channels, frames) at the model's rate; None for words alone."""
        import torch

        if before is None:
            return self._following(request, None, look, seed)
        model, rate = self._model, self._model.sample_rate
        hop = round(rate / model.frame_rate)
        frames = max(1, min(int(model.max_duration * _HEARD * model.frame_rate), before.shape[1] // hop))
        again = min(frames * hop, before.shape[1])
        new = takes.seconds(request) + takes.overlap(self._card, request)
        look.steps = self._sampling(request, again / rate + new, frames)
        end, words = torch.from_numpy(before[:, -again:])[None], [takes.words(request)]
        return self._made(
            request, look, seed, lambda: model.generate_continuation(end, rate, words, progress=True), before, again
        )

    def _look(self, request: MusicRequest, number: int, context: Context) -> _Look:
        return _Look(context, number, request.count, exact=self._kind == "magnet")

    def _made(
        self,
        request: MusicRequest,
        look: _Look,
        seed: int,
        generate: Callable[[], Any],
        before: np.ndarray | None = None,
        again: int = 0,
    ) -> Audio:
        """What `generate` makes. Raises Cancelled between steps and leaves the model ready for the next run.

        Args:
            before: what the piece begins with; the last `again` frames of it are what `generate` begins with.
        """
        import torch

        model = self._model
        model.set_custom_progress_callback(look)
        torch.manual_seed(seed)
        try:
            samples = generate()[0].float().cpu().numpy()
        finally:
            model.set_custom_progress_callback(None)
        rate, kept = int(model.sample_rate), 0
        if before is not None:
            kept = before.shape[1]
            samples = takes.joined(before, samples, again, round(takes.JOINT * rate))
        return takes.asked_for(self._card, request, samples, rate, kept / rate)

    def _sampling(self, request: MusicRequest, seconds: float, heard: int = 0) -> list[int]:
        """Set how the next piece is made. Returns the frames that each window adds, where it begins with `heard`."""
        model = self._model
        window, rate = model.max_duration, model.frame_rate
        # half a frame more than is wanted, because audiocraft cuts and a sum of floats may fall short of a whole frame
        frames = (math.ceil(seconds * rate) + 0.5) / rate
        seconds = frames if seconds > window else min(frames, window)
        stride = min(float(self._card.options.get("extend_stride", STRIDES[self._kind])), window * 0.9)
        model.set_generation_params(
            use_sampling=(request.temperature or 0) > 0,
            top_k=min(request.top_k or 0, model.lm.card),
            temperature=float(request.temperature or 1),
            duration=seconds,
            cfg_coef=max(1.0, float(request.guidance_scale or 1)),
            extend_stride=stride,
        )
        return windows(seconds, window, stride, rate, heard)

    def _magnet(self, request: MusicRequest, seconds: float) -> list[int]:
        """Set how the next piece is made. Returns the steps of each codebook."""
        model = self._model
        span = model.lm.span_len  # it leaves out what is no whole span, and a loop is exact
        whole = int(model.duration * model.frame_rate) // span * span / model.frame_rate
        longest = whole if request.loop else model.duration
        if seconds > longest:
            high = math.floor(longest * 10) / 10
            raise StudioError("out_of_range", field="duration", value=seconds, low=1, high=high)
        count = model.compression_model.num_codebooks
        steps = [int(one) for one in self._card.options.get("decoding_steps", ())]
        steps = steps if len(steps) == count else [_FIRST_STEPS, *[_LATER_STEPS] * (count - 1)]
        top_k = min(request.top_k or 0, model.lm.card)
        model.set_generation_params(
            use_sampling=(request.temperature or 0) > 0,
            top_k=top_k,
            top_p=0.0 if top_k else 0.9,
            temperature=float(request.temperature or 1),
            max_cfg_coef=max(1.0, float(request.guidance_scale or 1)),
            decoding_steps=steps,
        )
        return steps

    def _conditioners(self) -> list[Any]:
        return list(self._model.lm.condition_provider.conditioners.values())


class _Look:
    """What audiocraft calls after each step: tells how far a request is, and stops it.

    Attributes:
        steps: of each run that the piece takes; those of windows without the few that a window has more than frames.
    """

    def __init__(self, context: Context, number: int, count: int, exact: bool) -> None:
        self.steps: list[int] = []
        self._context, self._number, self._count, self._exact = context, number, count, exact
        self._done = 0

    def __call__(self, _: int, planned: int) -> None:
        if not self._done and not self._exact:
            more = planned - self.steps[0]
            self.steps = [new + more for new in self.steps]
        self._done += 1
        total = sum(self.steps)
        self._context.step(self._number * total + self._done, self._count * total)
        self._context.check()


def windows(seconds: float, window: float, stride: float, rate: float, heard: int = 0) -> list[int]:
    """Frames that audiocraft adds in each of its runs; each begins with the end of the one before.

    Args:
        heard: frames that the first run begins with.
    """
    total, step = int(seconds * rate), int(rate * stride)
    if seconds <= window:
        return [total - heard]
    added: list[int] = []
    offset = 0
    while offset + heard < total:
        length = int(min(seconds - offset / rate, window) * rate)
        added.append(length - heard)
        heard = length - step
        offset += step
    return added


@contextmanager
def _current(device: Device) -> Iterator[None]:
    """audiocraft names no card, so ours is the current one."""
    if device.kind != "cuda":
        yield
        return
    import torch

    with torch.cuda.device(device.index):
        yield
