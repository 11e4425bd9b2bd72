"""Latents by hand: starting noise between two seeds, and the part of a picture that must stay as it is."""

from __future__ import annotations

import math
from typing import Any

from PIL import Image

PLAIN = (
    "StableDiffusionPipeline",
    "StableDiffusionXLPipeline",
    "LatentConsistencyModelPipeline",
    "StableDiffusion3Pipeline",
    "PixArtSigmaPipeline",
    "SanaPipeline",
    "SanaSprintPipeline",
    "ZImagePipeline",
)
"""Pipelines whose latents lie as pixels do, (1, channels, height, width), and may be given from outside."""

_FLOAT32 = ("SanaPipeline", "SanaSprintPipeline", "ZImagePipeline")
"""Those of them that draw their noise in float32, whatever their weights are in."""


def between(pipe: Any, size: tuple[int, int], generator: Any, other: Any, share: float) -> Any:
    """Starting noise that is `share` of the way from what `generator` draws to what `other` draws.

    The first is drawn as the pipeline itself would, so that a share of 0 is the picture of its seed, and `generator`
    is left where the pipeline goes on with it. Along the great circle: a straight line would have less noise midway.
    """
    import torch

    denoiser = pipe.unet if getattr(pipe, "unet", None) is not None else pipe.transformer
    width, height = (side // pipe.vae_scale_factor for side in size)
    shape = (1, denoiser.config.in_channels, height, width)
    encoders = (getattr(pipe, "text_encoder_2", None), pipe.text_encoder, denoiser)
    dtype = next(part.dtype for part in encoders if part is not None)
    dtype = torch.float32 if type(pipe).__name__ in _FLOAT32 else dtype
    first, second = (torch.randn(shape, generator=one, dtype=dtype) for one in (generator, other))
    return _slerp(first, second, share).to(pipe._execution_device)


def _slerp(first: Any, second: Any, share: float) -> Any:
    a, b = first.double(), second.double()
    cosine = float((a * b).sum() / (a.norm() * b.norm()))
    angle = math.acos(max(-1.0, min(1.0, cosine)))
    if share == 0 or angle < 1e-4:
        return first
    mixed = (math.sin((1 - share) * angle) * a + math.sin(share * angle) * b) / math.sin(angle)
    return mixed.to(first.dtype)


class Kept:
    """Holds the latents outside a mask to those of a picture, noised as far as each step is.

    For models whose inpainting pipeline does not take their number of channels: image-to-image, and this after each
    step, is what it would do.
    """

    def __init__(self, pipe: Any, image: Image.Image, mask: Image.Image, seed: int) -> None:
        import torch

        vae, self._pipe = pipe.vae, pipe
        pixels = pipe.image_processor.preprocess(image).to(pipe._execution_device, vae.dtype)
        self._clean = vae.encode(pixels).latent_dist.mode() * vae.config.scaling_factor
        marked = torch.tensor(list(mask.tobytes()), dtype=torch.float32).view(1, 1, mask.height, mask.width)
        # A cell is painted where any of its pixels is: a thin stroke must not fall between two cells.
        self._mask = torch.nn.functional.adaptive_max_pool2d(marked / 255, self._clean.shape[-2:]).to(self._clean)
        noise = torch.randn(self._clean.shape, generator=torch.Generator("cpu").manual_seed(seed))
        self._noise = noise.to(self._clean)

    def after_step(self, step: int, latents: Any) -> Any:
        """The latents after this step of the pipeline's own loop, with what is kept put back."""
        scheduler = self._pipe.scheduler
        times = scheduler.timesteps[-self._pipe.num_timesteps :]
        known = self._clean
        if step + 1 < len(times):
            known = scheduler.add_noise(known, self._noise, times[step + 1 : step + 2])
        return (1 - self._mask) * known.to(latents) + self._mask * latents
