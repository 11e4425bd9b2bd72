"""Text-to-music with MusicGen through transformers.

Takes a folder with config.json, a tokenizer and *.safetensors of `MusicgenForConditionalGeneration`, or of its melody
form. Pieces are made one after another, each with torch's global generator seeded anew (`generate` takes no other), so
that piece i of a batch is the same as a single piece with seed + i. A piece longer than the model was trained for is
made window by window: each hears the last third of the one before and goes on; from somebody's own sound likewise.
Melody models follow a sound instead, make one window, and are tested before they are trusted (melody_features).

Read from the card:
    options.dtype, options.ignore_code: see _torch. options.quantise: see _quantised.
    options.window: seconds that the model makes at once; default 30.
    options.melody: true for a model that follows a melody instead of going on from a sound.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.base import Context, Worth
from studio.engines.music import melody_features, takes
from studio.engines.music.compiled import Compiled
from studio.engines.music.streaming import Listened
from studio.engines.shared import parking, torch_loading
from studio.engines.shared.text_stream import after_each_token
from studio.errors import StudioError
from studio.requests import MusicRequest, Request, SoundUse
from studio.results import Audio, Output

_HEARD = 1 / 3
"""Share of a window that is the end of the one before."""


class MusicgenEngine(torch_loading.Casts):
    """MusicGen, mono and stereo, and its melody form."""

    def hears(self, card: Card) -> tuple[SoundUse, ...]:
        return ("follow",) if card.options.get("melody") else ("continue",)

    def weights(self, card: Card, files: Path) -> int:
        return torch_loading.stored_bytes(card, files)

    def work(self, card: Card, request: Request) -> int:
        """Keys and values of two sequences and the decoded sound: about a twentieth of the weights a second."""
        asked = takes.seconds(request)
        duration = min(asked, float(card.options.get("window", 30)))
        return int(duration * max(10 << 20, card.parameters // 20)) + (64 << 20)

    def load(self, card: Card, files: Path, device: Device, report: Callable[[float], None]) -> MusicgenModel:  # noqa: ARG002
        torch_loading.refuse_code(card, files)
        with torch_loading.loading(card, device, "transformers"):
            import transformers

            dtype = torch_loading.dtype_for(card, files, device)
            config = transformers.AutoConfig.from_pretrained(files, local_files_only=True, trust_remote_code=False)
            melody = bool(card.options.get("melody"))
            if config.model_type != ("musicgen_melody" if melody else "musicgen"):
                wanted = "MusicGen melody" if melody else "MusicGen"
                raise StudioError("broken_model", model=card.title, reason=f"{config.model_type} is not {wanted}")
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                files, local_files_only=True, trust_remote_code=False
            )
            kind: Any = transformers.MusicgenForConditionalGeneration
            if melody:
                kind = transformers.MusicgenMelodyForConditionalGeneration
            model = torch_loading.pretrained(kind, card, files, device, dtype)
            loaded = MusicgenModel(card, model, tokenizer, device)
            if melody:
                melody_features.require_heard(card, model, tokenizer)
            return loaded


class MusicgenModel(parking.Parking):
    """A MusicGen in memory."""

    def __init__(self, card: Card, model: Any, tokenizer: Any, device: Device) -> None:
        self._card, self._device = card, device
        self._model: Any = model
        self._weights: Any = parking.placed(card, device, model)
        self._tokenizer: Any = tokenizer
        self._frame_rate: int = model.config.audio_encoder.frame_rate
        self._rate: int = model.config.audio_encoder.sampling_rate
        self._codebooks: int = model.config.decoder.num_codebooks
        self._window = float(card.options.get("window", 30))
        self._hop: int = self._rate // self._frame_rate
        self._melody = bool(card.options.get("melody"))
        self._faster: Any = Compiled(model, device)

    def hasten(self, worth: Worth) -> None:
        self._faster.worth = worth

    def _forget(self) -> None:
        self._faster.drop()

    def nbytes(self) -> int:
        return self._weights.nbytes()

    def close(self) -> None:
        self._model = self._weights = self._tokenizer = self._faster = None

    def run(self, request: MusicRequest, context: Context) -> Output:
        ignored = {"no_negative": request.negative_prompt, "no_lyrics": request.lyrics, "no_melody": request.melody}
        notes = tuple((name, {}) for name, given in ignored.items() if given)
        with torch_loading.working(self._card):
            given, heard = self._inputs(request), self._heard_of(request)

            def make() -> Output:
                return takes.each_piece(
                    request, context, lambda number, seed: self._piece(request, given, heard, number, seed, context)
                )

            # a piece that begins with a sound has another prompt at every window
            output = self._faster.made(not self._melody and not heard.shape[1], make)
        return replace(output, notes=notes)

    def _piece(
        self, request: MusicRequest, given: dict[str, Any], heard: Any, number: int, seed: int, context: Context
    ) -> Audio:
        """One piece; `given` and `heard` are what all pieces of a request have in common."""
        import torch

        new = takes.seconds(request) + takes.overlap(self._card, request)
        if self._melody and new > self._window:
            raise StudioError("out_of_range", field="field.duration", value=new, low=1, high=self._window)
        whole, kept = heard, heard.shape[1]
        # the codebooks are generated shifted against each other, so the last frame is whole that many tokens later
        windows = _windows(new, self._window, kept / self._rate)
        tokens = [math.ceil(part * self._frame_rate) + self._codebooks - 1 for part in windows]
        done = 0

        def told() -> None:
            nonlocal done
            done += 1
            context.step(number * sum(tokens) + done, request.count * sum(tokens))
            context.check()

        torch.manual_seed(seed)
        for count in tokens:
            end = whole[:, whole.shape[1] - self._heard(whole.shape[1]) :]
            made = self._window_of(given, end, count, context, told)
            whole = takes.joined(whole, made, end.shape[1], round(takes.JOINT * self._rate))
        samples = whole[:, : kept + round(new * self._rate)]
        return takes.asked_for(self._card, request, samples, self._rate, kept / self._rate)

    def _heard_of(self, request: MusicRequest) -> Any:
        """The sound that every piece begins with, (channels, frames); no frames where there is none."""
        import numpy as np

        channels: int = self._model.config.decoder.audio_channels
        sound = None if self._melody else takes.heard(request, self._rate, channels)
        return np.zeros((channels, 0), np.float32) if sound is None else sound

    def _inputs(self, request: MusicRequest) -> dict[str, Any]:
        """What every window of a piece is generated from: its words, how tokens are drawn, a melody."""
        given: dict[str, Any] = {"do_sample": False, "guidance_scale": max(1.0, float(request.guidance_scale or 1.0))}
        if (request.temperature or 0) > 0:
            drawn = {"do_sample": True, "temperature": float(request.temperature or 1), "top_k": request.top_k or 0}
            given |= drawn
        words = self._tokenizer([takes.words(request)], padding=True, return_tensors="pt").to(self._model.device)
        given |= {"input_ids": words.input_ids, "attention_mask": words.attention_mask}
        if self._melody and (melody := takes.heard(request, self._rate, 1)) is not None:
            given["input_features"] = self._cast(melody_features.chroma(melody[0], self._model))
        return given

    def _window_of(
        self, given: dict[str, Any], end: Any, count: int, context: Context, told: Callable[[], None]
    ) -> Any:
        """So many more tokens as sound: the `end` of what there is as the codec writes it, and what follows.

        Args:
            end: (channels, frames); no frames for a piece that begins.
        """
        import torch

        live = Listened(self._model, context, -(-end.shape[1] // self._hop)) if context.previews else None

        def look(tokens: Any) -> bool:
            if live is not None:
                live.look(tokens)
            told()
            return False

        heard: dict[str, Any] = {"input_values": self._cast(torch.from_numpy(end)[None])} if end.size else {}
        heard["stopping_criteria"] = after_each_token(look)
        heard |= self._faster.arguments(given, count) if not end.size else {}
        began = time.perf_counter()
        sound = self._model.generate(**given, **heard, max_new_tokens=count)[0]
        self._faster.timed(time.perf_counter() - began, count)
        if live is not None:
            live.finish()
        return sound.float().cpu().numpy()

    def _heard(self, frames: int) -> int:
        """How much of the end of so many frames the next window hears: whole frames of the codec, at least one."""
        most = round(self._window * _HEARD * self._frame_rate)
        return min(frames, max(1, min(most, frames // self._hop)) * self._hop)

    def _cast(self, value: Any) -> Any:
        return value.to(self._model.device, self._model.dtype)


def _windows(seconds: float, window: float, kept: float = 0.0) -> list[float]:
    """Seconds that each run adds: what a window has room for behind what it hears of the piece so far.

    Args:
        kept: seconds that are there already.
    """
    found: list[float] = []
    while seconds > 1e-9:
        found.append(min(seconds, window - min(kept, window * _HEARD)))
        seconds, kept = seconds - found[-1], kept + found[-1]
    return found
