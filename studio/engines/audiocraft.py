"""Music and sounds with audiocraft: MusicGen with its melody path, AudioGen, MAGNeT.

The package is an extra (`python start.py audiocraft`); a folder in the layout of `_audiocraft_folder` is loaded, and
never a pickle. Pieces are made one after another, each with torch's global generator seeded anew (audiocraft takes no
other), so that piece i of a batch is the same as a single piece with seed + i. What audiocraft keeps in the model
between runs (duration, sampling, progress) is set anew for each piece. Pieces longer than the model's window are
audiocraft's own affair, see `extend_stride`; MAGNeT makes pieces of one length, of which the beginning is kept.

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

from studio.catalog import Card
from studio.engines import _audio, _audiocraft, _torch
from studio.engines import _audiocraft_folder as _folder
from studio.engines.base import Context, Device
from studio.errors import StudioError
from studio.requests import MusicRequest, Request
from studio.types import Audio, Output

if TYPE_CHECKING:
    import numpy as np

STRIDES = {"musicgen": 18.0, "audiogen": 2.0}
"""Seconds by which audiocraft goes on, window by window."""
_FIRST_STEPS, _LATER_STEPS = 20, 10


class AudiocraftEngine:
    """What audiocraft makes from words, and from a melody."""

    def weights(self, card: Card, files: Path) -> int:
        return _folder.weights(card, files)

    def work(self, card: Card, request: Request) -> int:
        """Keys and values of two sequences and the decoded sound: about a twentieth of the weights a second."""
        duration = min(_audio.seconds(request), 30.0) if isinstance(request, MusicRequest) else 0.0
        return int(duration * max(10 << 20, card.parameters // 20)) + (64 << 20)

    def load(self, card: Card, files: Path, device: Device, report: Callable[[float], None]) -> AudiocraftModel:  # noqa: ARG002
        _torch.refuse_code(card, files)
        with _torch.loading(card, device, "transformers"):
            config = _folder.read_config(card, files)
            try:
                _audiocraft.load()
            except ImportError as error:
                raise StudioError("no_audiocraft", model=card.title) from error
            with _current(device), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of torch, about how audiocraft is written
                return AudiocraftModel(card, _folder.build(card, files, config, device), config, device)


class AudiocraftModel:
    """A model of audiocraft in memory."""

    def __init__(self, card: Card, model: Any, config: dict[str, Any], device: Device) -> None:
        self._card, self._device = card, device
        self._model: Any = model
        self._kind: str = config["kind"]
        self._hears_melodies = "self_wav" in model.lm.condition_provider.conditioners

    def nbytes(self) -> int:
        # audiocraft hides the text encoder from its module, so that it is not saved with it
        hidden = [one.__dict__["t5"] for one in self._conditioners() if "t5" in one.__dict__]
        return _torch.nbytes(self._model.lm, self._model.compression_model, *hidden)

    def close(self) -> None:
        self._model = None
        _torch.release(self._device)

    def run(self, request: MusicRequest, context: Context) -> Output:
        return self.compose(request, context)

    def compose(
        self, request: MusicRequest, context: Context, melody: np.ndarray | None = None, rate: int = 0
    ) -> Output:
        """Answer a request.

        Args:
            melody: mono sound that the pieces follow, shape (frames,), float32; None for words alone. Best without
                drums and bass, because it is not separated from them.
            rate: its frames a second.
        """
        ignored = {"no_negative": request.negative_prompt, "no_lyrics": request.lyrics, "no_melody": request.melody}
        if melody is not None and not self._hears_melodies:
            ignored["no_melody"] = "sound"
            melody = None
        notes = tuple((name, {}) for name, given in ignored.items() if given)
        heard = None if melody is None else resampled(melody, rate, self._model.sample_rate)
        with _torch.working(self._card), _current(self._device):
            output = _audio.each_piece(
                request, context, lambda number, seed: self._piece(request, heard, number, seed, context)
            )
        return replace(output, notes=notes)

    def _piece(
        self, request: MusicRequest, heard: np.ndarray | None, number: int, seed: int, context: Context
    ) -> Audio:
        """One piece; raises Cancelled between steps and leaves the model ready for the next run."""
        import torch

        model = self._model
        longer = _audio.seconds(request) + _audio.overlap(self._card, request)
        steps = self._magnet(request, longer) if self._kind == "magnet" else self._sampling(request, longer)
        done = 0

        def look(_: int, planned: int) -> None:
            nonlocal done
            if not done and self._kind != "magnet":  # a window takes a few steps more than it has frames
                steps[:] = [new + planned - steps[0] for new in steps]
            done += 1
            context.step(number * sum(steps) + done, request.count * sum(steps))
            context.check()

        model.set_custom_progress_callback(look)
        torch.manual_seed(seed)
        words = [_audio.words(request)]
        try:
            if heard is None:
                sound = model.generate(words, progress=True)[0]
            else:
                followed = torch.from_numpy(heard)[None, None]
                sound = model.generate_with_chroma(words, followed, model.sample_rate, progress=True)[0]
        finally:
            model.set_custom_progress_callback(None)
        return _audio.asked_for(self._card, request, sound.float().cpu().numpy(), model.sample_rate)

    def _sampling(self, request: MusicRequest, seconds: float) -> list[int]:
        """Set how the next piece is made. Returns the frames that each window adds."""
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
        return windows(seconds, window, stride, rate)

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


def windows(seconds: float, window: float, stride: float, rate: float) -> list[int]:
    """Frames that audiocraft generates in each of its runs; all but the first begin with the end of the one before."""
    total, step = int(seconds * rate), int(rate * stride)
    if seconds <= window:
        return [total]
    added: list[int] = []
    heard = offset = 0
    while offset + heard < total:
        length = int(min(seconds - offset / rate, window) * rate)
        added.append(length - heard)
        heard = length - step
        offset += step
    return added


def resampled(sound: np.ndarray, old: int, new: int) -> np.ndarray:
    """Mono sound at another rate, by its spectrum: what lies above the new rate's highest frequency is left out."""
    import numpy as np

    frames = max(1, round(len(sound) * new / old))
    spectrum = np.fft.rfft(sound)[: frames // 2 + 1]
    return (np.fft.irfft(spectrum, frames) * (frames / len(sound))).astype(np.float32)


@contextmanager
def _current(device: Device) -> Iterator[None]:
    """audiocraft names no card, so ours is the current one."""
    if device.kind != "cuda":
        yield
        return
    import torch

    with torch.cuda.device(device.index):
        yield
