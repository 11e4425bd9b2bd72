"""Text-to-image through diffusers.

Takes a folder with model_index.json whose pipeline class is one of `PIPELINES`, and opens only its *.safetensors.
Pictures are made one after another, each from its own generator on the CPU, so that picture i of a batch is the same
as a single picture with seed + i, on every device. Knows nothing of files: pictures are returned, not written.

Read from the card:
    options.dtype, options.ignore_code: see _torch.
    options.variant: "fp16" where the weights are named so; found out by itself where there are no others.
    options.preview: "vae" decodes the latents twice a second at most; "none" (default). Only where that is cheap.
    options.offload: "model" keeps only the part that works on the GPU (CUDA); "none" (default).
    options.tile_above: pixels above which the picture is decoded in tiles; default 2,400,000.
    options.max_sequence_length: tokens of the prompt, where the pipeline takes it.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from studio.catalog import Card
from studio.engines import _pipeline, _torch
from studio.engines.base import Context, Device
from studio.errors import Cancelled, StudioError
from studio.schedulers import OWN, SCHEDULERS
from studio.types import ImageRequest, Output, Request

PIPELINES = (
    "StableDiffusionPipeline",
    "StableDiffusionXLPipeline",
    "LatentConsistencyModelPipeline",
    "StableDiffusion3Pipeline",
    "PixArtSigmaPipeline",
    "ZImagePipeline",
    "Flux2KleinPipeline",
    "SanaPipeline",
    "SanaSprintPipeline",
)
"""Pipeline classes that are loaded; a folder that asks for another one is refused."""

_PLAIN_LATENTS = ("StableDiffusionPipeline", "StableDiffusionXLPipeline", "LatentConsistencyModelPipeline")
_PREVIEW_SECONDS = 0.5


class DiffusionEngine:
    """Diffusers text-to-image pipelines."""

    def weights(self, card: Card, files: Path) -> int:
        return _pipeline.weights(card, files)

    def work(self, card: Card, request: Request) -> int:  # noqa: ARG002
        """About 3 kB a pixel, which is what decoding a picture in float32 takes, and a little to start with."""
        if not isinstance(request, ImageRequest):
            return 64 << 20
        return (request.width or 0) * (request.height or 0) * 3000 + (64 << 20)

    def load(self, card: Card, files: Path, device: Device, report: Callable[[float], None]) -> DiffusionModel:  # noqa: ARG002
        return DiffusionModel(card, _pipeline.load(card, files, device, PIPELINES), device)


class DiffusionModel:
    """A pipeline in memory, with the scheduler settings that it came with."""

    def __init__(self, card: Card, pipe: Any, device: Device) -> None:
        self._card, self._device = card, device
        self._pipe: Any = pipe
        self._own: Any = pipe.scheduler
        self._accepts = inspect.signature(pipe.__call__).parameters

    def nbytes(self) -> int:
        return _pipeline.nbytes(self._pipe)

    def close(self) -> None:
        self._pipe = self._own = None
        _torch.release(self._device)

    def run(self, request: ImageRequest, context: Context) -> Output:
        arguments = self._arguments(request)
        pictures: list[Image.Image] = []
        seeds: list[int] = []
        finish = "stop"
        began = time.perf_counter()
        with _torch.working(self._card):
            notes = self._notes(request)
            self._tile(request)
            for number in range(request.count):
                seed = (request.seed or 0) + number
                try:
                    context.check()
                    pictures.append(self._picture(request, arguments, seed, number, context))
                except Cancelled:
                    if not pictures:
                        raise
                    finish = "cancelled"
                    break
                seeds.append(seed)
        steps = request.count * (request.steps or 1)
        stats = {"seconds": time.perf_counter() - began, "steps": float(steps)}
        return Output(images=tuple(pictures), seeds=tuple(seeds), finish=finish, stats=stats, notes=tuple(notes))

    def _picture(
        self, request: ImageRequest, arguments: dict[str, Any], seed: int, number: int, context: Context
    ) -> Image.Image:
        """One picture; raises Cancelled between steps and leaves the pipeline ready for the next run."""
        import numpy as np
        import torch

        pipe = self._pipe
        pipe.scheduler = self._scheduler(request.scheduler)
        shown = time.monotonic()

        def after_step(_: Any, step: int, __: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            nonlocal shown
            per_picture = getattr(pipe, "num_timesteps", None) or request.steps or 1
            context.step(number * per_picture + step + 1, request.count * per_picture)
            context.check()
            if time.monotonic() - shown >= _PREVIEW_SECONDS and step + 1 < per_picture and self._previews():
                context.preview(self._decode(tensors["latents"]))
                shown = time.monotonic()
            return tensors

        try:
            result = pipe(
                **arguments,
                generator=torch.Generator("cpu").manual_seed(seed),
                callback_on_step_end=after_step,
                output_type="np",
            ).images[0]
        finally:
            pipe.scheduler = self._own
            pipe.maybe_free_model_hooks()
        if not np.isfinite(result).all():
            raise StudioError("bad_output", model=self._card.title, reason="not numbers")
        if not result.any():
            raise StudioError("bad_output", model=self._card.title, reason="a black picture")
        return Image.fromarray((result * 255).round().astype("uint8"), "RGB")

    def _arguments(self, request: ImageRequest) -> dict[str, Any]:
        """What this pipeline's call takes of the request."""
        wanted: dict[str, Any] = {
            "prompt": request.prompt,
            "width": request.width,
            "height": request.height,
            "num_inference_steps": request.steps,
            "guidance_scale": request.guidance_scale,
        }
        if request.negative_prompt:
            wanted["negative_prompt"] = request.negative_prompt
        if "max_sequence_length" in self._card.options:
            wanted["max_sequence_length"] = self._card.options["max_sequence_length"]
        if "intermediate_timesteps" in self._accepts and request.steps != 2:
            wanted["intermediate_timesteps"] = None  # Sana-Sprint has one for two steps only
        if "use_resolution_binning" in self._accepts:
            wanted["use_resolution_binning"] = False  # the size is what was asked for
        return {name: value for name, value in wanted.items() if name in self._accepts}

    def _scheduler(self, name: str) -> Any:
        """A fresh scheduler: they keep state, and a step that was stopped must not reach into the next run."""
        import diffusers

        config = self._own.config
        if name in ("", OWN):
            return type(self._own).from_config(config)
        names = list(SCHEDULERS) if "beta_schedule" in config else []
        if name not in names:
            raise StudioError("not_a_choice", field="field.scheduler", value=name, choices=", ".join([OWN, *names]))
        kind, changes = SCHEDULERS[name]
        return getattr(diffusers, kind).from_config(config, **changes)

    def _notes(self, request: ImageRequest) -> list[tuple[str, dict[str, Any]]]:
        notes: list[tuple[str, dict[str, Any]]] = []
        guided = "guidance_scale" not in self._accepts or (request.guidance_scale or 0) > 1
        if request.negative_prompt and not (guided and "negative_prompt" in self._accepts):
            notes.append(("no_negative", {}))
        if (request.guidance_scale or 0) > 1 and getattr(self._pipe.config, "is_distilled", False):
            notes.append(("no_guidance", {}))
        if excess := self._excess(request.prompt):
            notes.append(("prompt_cut", {"count": excess}))
        return notes

    def _excess(self, prompt: str) -> int:
        """Tokens of the prompt that the model will not see."""
        tokenizer = getattr(self._pipe, "tokenizer", None)
        if tokenizer is None:
            return 0
        parameter = self._accepts.get("max_sequence_length")
        limit = self._card.options.get("max_sequence_length") or (parameter.default if parameter else None)
        limit = limit if isinstance(limit, int) else tokenizer.model_max_length
        return max(0, len(tokenizer(prompt, verbose=False).input_ids) - limit)

    def _tile(self, request: ImageRequest) -> None:
        """Decode big pictures in tiles, others whole: tiles need less memory and can leave faint seams."""
        vae = self._pipe.vae
        big = (request.width or 0) * (request.height or 0) > self._card.options.get("tile_above", 2_400_000)
        if big and hasattr(vae, "enable_tiling"):
            vae.enable_tiling()
        elif hasattr(vae, "disable_tiling"):
            vae.disable_tiling()

    def _previews(self) -> bool:
        wanted = self._card.options.get("preview") == "vae"
        return wanted and type(self._pipe).__name__ in _PLAIN_LATENTS

    def _decode(self, latents: Any) -> Image.Image:
        """The latents of this moment as a picture. Draws no random numbers and changes nothing."""
        vae = self._pipe.vae
        scaled = latents.to(vae.dtype) / vae.config.scaling_factor + (getattr(vae.config, "shift_factor", None) or 0.0)
        return self._pipe.image_processor.postprocess(vae.decode(scaled, return_dict=False)[0], output_type="pil")[0]
