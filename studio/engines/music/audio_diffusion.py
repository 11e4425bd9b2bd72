"""Text-to-music through diffusers: Stable Audio Open and ACE-Step.

Takes a folder with model_index.json of one of `PIPELINES`, and opens only its *.safetensors. Pieces are made one after
another, each from its own generator on the CPU, so that piece i of a batch is the same as a single one with seed + i.

Read from the card:
    options.dtype, options.ignore_code: see _torch.
    options.offload: "model" keeps only the part that works on the GPU (CUDA); "none" (default).
    options.quantise: see _quantised.
    options.language: of the lyrics, for ACE-Step; default "en", "unknown" leaves it open.
    options.shift: of ACE-Step's time steps; default: the pipeline's own.
    options.continues: true where the pipeline can go on from a sound, as ACE-Step can.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.base import Context
from studio.engines.music import takes
from studio.engines.shared import diffusers_loading, parking, torch_loading
from studio.errors import StudioError
from studio.requests import MusicRequest, Request, SoundUse
from studio.results import Audio, Output

PIPELINES = ("StableAudioPipeline", "AceStepPipeline")
"""Pipeline classes that are loaded; a folder that asks for another one is refused."""


class AudioDiffusionEngine(torch_loading.Casts):
    """Diffusers text-to-music pipelines."""

    def hears(self, card: Card) -> tuple[SoundUse, ...]:
        """ACE-Step paints the rest of a sound; what Stable Audio takes has no strength, and so no use."""
        return ("continue",) if card.options.get("continues") else ()

    def weights(self, card: Card, files: Path) -> int:
        return diffusers_loading.weights(card, files)

    def work(self, card: Card, request: Request) -> int:  # noqa: ARG002
        """Decoding sound takes about 24 MB a second in float32, and Stable Audio always decodes its full length."""
        duration = takes.seconds(request)
        return int(max(duration, 48) * (24 << 20))

    def load(self, card: Card, files: Path, device: Device, report: Callable[[float], None]) -> AudioDiffusionModel:  # noqa: ARG002
        return AudioDiffusionModel(card, diffusers_loading.load(card, files, device, PIPELINES), device)


class AudioDiffusionModel(parking.Parking):
    """A music pipeline in memory, with the scheduler settings that it came with."""

    def __init__(self, card: Card, pipe: Any, device: Device) -> None:
        self._card, self._device = card, device
        self._pipe: Any = pipe
        self._weights: Any = parking.placed(card, device, *diffusers_loading.modules(pipe).values())
        self._own: Any = pipe.scheduler
        self._accepts = inspect.signature(pipe.__call__).parameters

    def nbytes(self) -> int:
        return self._weights.nbytes()

    def close(self) -> None:
        self._pipe = self._weights = self._own = None

    def run(self, request: MusicRequest, context: Context) -> Output:
        kept = takes.heard(request, self._rate(), int(self._pipe.vae.config.audio_channels))
        arguments, notes = self._arguments(request, 0.0 if kept is None else kept.shape[1] / self._rate())
        if kept is not None:
            most = float(self._card.limits.get("max_duration", math.inf))
            if arguments["audio_duration"] > most:
                whole = round(arguments["audio_duration"], 1)
                raise StudioError("out_of_range", field="field.duration", value=whole, low=1, high=most)
            arguments |= self._painted(kept, arguments["audio_duration"])
        with torch_loading.working(self._card):
            output = takes.each_piece(
                request, context, lambda number, seed: self._piece(request, arguments, kept, number, seed, context)
            )
        return replace(output, notes=notes)

    def _piece(
        self, request: MusicRequest, arguments: dict[str, Any], kept: Any, number: int, seed: int, context: Context
    ) -> Audio:
        """One piece; raises Cancelled between steps and leaves the pipeline ready for the next run."""
        import torch

        pipe = self._pipe
        pipe.scheduler = type(self._own).from_config(self._own.config)
        steps = request.steps or 1

        def after_step(step: int, *_: Any) -> None:
            context.step(number * steps + step + 1, request.count * steps)
            context.check()

        torch.manual_seed(seed)  # what is heard is encoded by chance, and takes no generator
        try:
            sound = pipe(
                **arguments,
                generator=torch.Generator("cpu").manual_seed(seed),
                callback=after_step,
                callback_steps=1,
                output_type="pt",
            ).audios[0]
        finally:
            pipe.scheduler = self._own
            pipe.maybe_free_model_hooks()
        samples, rate, before = sound.float().cpu().numpy(), self._rate(), 0
        if kept is not None:
            before = kept.shape[1]
            samples = takes.joined(kept, samples, before, round(takes.JOINT * rate))
        return takes.asked_for(self._card, request, samples, rate, before / rate)

    def _rate(self) -> int:
        return int(self._pipe.vae.config.sampling_rate)

    def _painted(self, kept: Any, duration: float) -> dict[str, Any]:
        """What makes ACE-Step leave the beginning of a sound as it is and paint the rest."""
        import torch

        hop = int(self._pipe.vae.hop_length)
        source = torch.zeros(kept.shape[0], -(-round(duration * self._rate()) // hop) * hop)
        source[:, : kept.shape[1]] = torch.from_numpy(kept)
        return {"task_type": "repaint", "src_audio": source, "repainting_start": kept.shape[1] / self._rate()}

    def _arguments(
        self, request: MusicRequest, kept: float
    ) -> tuple[dict[str, Any], tuple[tuple[str, dict[str, Any]], ...]]:
        """What this pipeline's call takes of the request, and what it does not.

        Args:
            kept: seconds that are there before it begins.
        """
        duration = kept + takes.seconds(request) + takes.overlap(self._card, request)
        guidance = float(request.guidance_scale or 1.0)
        notes: list[str] = []
        arguments: dict[str, Any] = {"prompt": takes.words(request), "num_inference_steps": request.steps}
        if "lyrics" in self._accepts:
            arguments |= {
                "lyrics": request.lyrics,
                "audio_duration": duration,
                "vocal_language": self._card.options.get("language", "en"),
            }
            if "shift" in self._card.options:
                arguments["shift"] = float(self._card.options["shift"])
            if guidance > 1 and getattr(self._pipe.condition_encoder, "null_condition_emb", None) is None:
                guidance = 1.0
                notes.append("no_guidance")
        else:
            longest = self._longest()
            if duration > longest:
                raise StudioError("out_of_range", field="duration", value=duration, low=1, high=round(longest, 1))
            arguments["audio_end_in_s"] = duration
            if request.lyrics:
                notes.append("no_lyrics")
        if request.melody:
            notes.append("no_melody")
        arguments["guidance_scale"] = guidance
        if request.negative_prompt and "negative_prompt" in self._accepts and guidance > 1:
            arguments["negative_prompt"] = request.negative_prompt
        elif request.negative_prompt:
            notes.append("no_negative")
        return arguments, tuple((name, {}) for name in notes)

    def _longest(self) -> float:
        """Seconds that Stable Audio makes at most."""
        pipe = self._pipe
        return pipe.transformer.config.sample_size * pipe.vae.hop_length / pipe.vae.config.sampling_rate
