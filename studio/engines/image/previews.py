"""Pictures of the work in progress: what the model expects to end at, decoded now and then.

Looks only: the scheduler's results pass through unchanged and no random number is drawn, so that the final pixels are
the same with and without. Decoding is timed, and comes no more often than leaves its share of the run below a bound.

Read from the card:
    options.preview: "vae" decodes with the model's own decoder, unless it is offloaded; "taesd" with the small one in
        files/preview, where it is there; "none" (default).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from PIL import Image

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.base import Context
from studio.engines.shared import torch_loading

EVERY = 0.5
"""Least seconds between two previews."""

SHARE = 0.12
"""Of the time since the run began, how much may have gone into previews."""


class Previews:
    """The decoder of a pipeline's previews, and what it has cost so far.

    Args:
        clock: seconds, as time.perf_counter.
    """

    def __init__(
        self, card: Card, pipe: Any, files: Path, device: Device, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._pipe, self._clock = pipe, clock
        self._kind = card.options.get("preview", "none")
        if self._kind == "vae" and card.options.get("offload") == "model":
            self._kind = "none"  # fetching the decoder would send the denoiser away, at every preview
        self._small: Any = None
        self._cost = 0.0
        if self._kind == "taesd" and (files / "preview").is_dir():
            with torch_loading.loading(card, device, "diffusers"):
                from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

                small: Any = AutoencoderTiny.from_pretrained(
                    files / "preview", dtype=pipe.vae.dtype, use_safetensors=True, local_files_only=True
                )
                self._small = small

    @property
    def possible(self) -> bool:
        """Whether there is a decoder to show anything with."""
        return self._kind == "vae" or self._small is not None

    def modules(self) -> list[Any]:
        """What it has of its own that has weights."""
        return [] if self._small is None else [self._small]

    def begin(self) -> None:
        """A run begins; what the decoder cost in the last one is remembered."""
        self._began = self._shown = self._clock()
        self._spent = 0.0

    def show(self, latents: Any, context: Context, number: int) -> None:
        """Decode and hand over these latents of a picture, if it is time for it and the decoder reads them."""
        now = self._clock()
        due = now - self._shown >= EVERY and self._spent + self._cost <= SHARE * (now - self._began)
        if not (due and self._reads(latents)):
            return
        context.preview(self._decode(latents), number)
        self._shown = self._clock()
        self._cost = self._shown - now
        self._spent += self._cost

    def _reads(self, latents: Any) -> bool:
        """Only latents that lie as pixels do, in as many channels as the decoder has."""
        decoder = self._small if self._kind == "taesd" else self._pipe.vae if self._kind == "vae" else None
        channels = getattr(decoder.config, "latent_channels", None) if decoder is not None else None
        return latents.ndim == 4 and latents.shape[1] == channels

    def _decode(self, latents: Any) -> Image.Image:
        decoder = self._small if self._small is not None else self._pipe.vae
        latents = latents[:1].to(decoder.dtype)
        if decoder is not self._small:
            latents = latents / decoder.config.scaling_factor + (getattr(decoder.config, "shift_factor", None) or 0.0)
        pixels = decoder.decode(latents, return_dict=False)[0]
        return self._pipe.image_processor.postprocess(pixels, output_type="pil")[0]


def watch(scheduler: Any) -> Callable[[Any], Any]:
    """Follow a scheduler's steps.

    Returns:
        A function of the latents of this moment: the clean ones that the model expects them to become, where the
        scheduler tells, else those given. They show a picture where the others show noise.
    """
    step, last = scheduler.step, {}

    @wraps(step)
    def followed(model_output: Any, timestep: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
        result = step(model_output, timestep, sample, *args, **kwargs)
        last.update(result=result, said=model_output, sample=sample, timestep=timestep)
        return result

    scheduler.step = followed

    def expected(latents: Any) -> Any:
        config, name = scheduler.config, type(scheduler).__name__
        if not last:
            return latents
        if name.startswith("FlowMatchEuler") and scheduler.step_index:
            return last["sample"] - scheduler.sigmas[scheduler.step_index - 1] * last["said"]
        if name in _TELLS and isinstance(last["result"], tuple) and len(last["result"]) > 1:
            return last["result"][1]
        if name in ("PNDMScheduler", "TCDScheduler"):
            return _clean(scheduler, last["said"], int(last["timestep"]), last["sample"])
        clean = config.predict_x0 if name == "UniPCMultistepScheduler" else "++" in str(config.get("algorithm_type"))
        if clean:
            return next((found for found in reversed(scheduler.model_outputs) if found is not None), latents)
        return latents

    return expected


def _clean(scheduler: Any, said: Any, timestep: int, sample: Any) -> Any:
    """The clean latents by what the model said of noisy ones: noise, velocity (Salimans and Ho 2022) or themselves."""
    signal = scheduler.alphas_cumprod[timestep] ** 0.5
    noise = (1 - scheduler.alphas_cumprod[timestep]) ** 0.5
    kind = scheduler.config.prediction_type
    if kind == "epsilon":
        return (sample - noise * said) / signal
    return signal * sample - noise * said if kind == "v_prediction" else said


_TELLS = (
    "DDIMScheduler",
    "DDPMScheduler",
    "EulerDiscreteScheduler",
    "EulerAncestralDiscreteScheduler",
    "HeunDiscreteScheduler",
    "LCMScheduler",
)
"""Schedulers whose step also returns the clean latents that it expects."""
