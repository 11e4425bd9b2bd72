"""The inside of a pipeline: how its noise becomes a picture, where each word looks, and the space of its autoencoder.

Looks only, as the previews do: what is computed for a picture is what a run computes, so that it has the same pixels.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from studio.catalog.card import Card
from studio.engines.base import Context
from studio.engines.image import previews, translation
from studio.engines.shared import torch_loading
from studio.errors import StudioError
from studio.requests import ImageRequest
from studio.results import Output, PaintedStep, PaintedWord, Painting
from studio.tasks.image.prompt_weights import plain

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

_TOGETHER = 8
"""Latents that a GPU decodes at once. A processor takes them one by one, for which it needs half the time: what is
computed between two layers then stays in its cache."""


def painting(
    card: Card, pipe: Any, family: Any, glossary: Mapping[str, str], request: ImageRequest, context: Context,
    run: Callable[[ImageRequest, Context], Output],
) -> Painting:  # fmt: skip
    """`studio.engines.inside.ShowsPainting` for a pipeline with a UNet that looks at words, and plain latents.

    The prompt is read without weights, so that each of its words is a word of what is shown.
    """
    unet, tokenizer = getattr(pipe, "unet", None), getattr(pipe, "tokenizer", None)
    if unet is None or tokenizer is None or not tokenizer.is_fast or not _plain_space(pipe.vae):
        raise StudioError("not_open_none", model=card.title)
    asked = translation.translate_request(replace(request, prompt=plain(request.prompt), count=1), glossary)[0]
    if not request.guidance_scale:
        asked = replace(asked, prompt="", guidance_scale=1.0)
    steps, looks = Steps(), Attention(unet)
    with steps.watching(family), looks.watching():
        output = run(asked, context)
    with torch_loading.working(card):
        import torch

        seen = torch.cat([*steps.noisy, *steps.estimates])
        pictures = _decoded(pipe, seen, context)
    count = len(steps.noisy)
    return Painting(
        output.images[0],
        tuple(map(PaintedStep, steps.times, pictures[:count], pictures[count:])),
        looks.maps(count),
        words(tokenizer, asked.prompt),
    )


class Steps:
    """What a scheduler is given at each step, and what clean latents are expected from there."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.noisy: list[Any] = []
        self.estimates: list[Any] = []

    @contextmanager
    def watching(self, family: Any) -> Iterator[None]:
        """Watch the schedulers that a family hands out meanwhile."""
        make = family.scheduler

        def watched(name: str) -> Any:
            scheduler = make(name)
            expected, step = previews.watch(scheduler), scheduler.step

            def followed(said: Any, time: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
                self.times.append(float(time))
                self.noisy.append(sample[:1].clone())
                result = step(said, time, sample, *args, **kwargs)
                self.estimates.append(expected(sample)[:1].clone())
                return result

            scheduler.step = followed
            return scheduler

        family.scheduler = watched
        try:
            yield
        finally:
            del family.scheduler  # its own method again


class Attention:
    """Where the places of a picture look: the weights of a UNet's cross-attention, computed beside it from the same
    queries and keys. Where a prompt is guided against another, those of the prompt."""

    def __init__(self, unet: Any) -> None:
        self._layers = [part for name, part in unet.named_modules() if name.endswith("attn2")]
        self._seen: list[list[Any]] = [[] for _ in self._layers]

    @contextmanager
    def watching(self) -> Iterator[None]:
        with ExitStack() as stack:
            for layer, seen in zip(self._layers, self._seen, strict=True):
                hook = layer.register_forward_pre_hook(self._look(seen), with_kwargs=True)
                stack.callback(hook.remove)
            yield

    @staticmethod
    def _look(seen: list[Any]) -> Callable[..., None]:
        def look(layer: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            hidden = given[0] if given else named["hidden_states"]
            text: Any = named.get("encoder_hidden_states", given[1] if len(given) > 1 else None)
            text = text[-1:] if not layer.norm_cross else layer.norm_encoder_hidden_states(text[-1:])
            query, key = layer.to_q(hidden[-1:]), layer.to_k(text)
            odds = layer.get_attention_scores(layer.head_to_batch_dim(query), layer.head_to_batch_dim(key))
            seen.append(odds.float().mean(dim=0).T)  # tokens, places

        return look

    def maps(self, steps: int) -> np.ndarray:
        """(steps, tokens, height, width): the mean over all layers, at the size of the finest."""
        import torch
        from torch.nn.functional import interpolate

        finest = max(round(seen[0].shape[-1] ** 0.5) for seen in self._seen)
        with torch.inference_mode():
            shown = []
            for seen in self._seen:
                side = round(seen[0].shape[-1] ** 0.5)
                if side * side != seen[0].shape[-1]:
                    continue  # a picture that is no square has its own sides there
                each = torch.stack(seen[:steps]).unflatten(-1, (side, side))
                shown.append(interpolate(each, size=(finest, finest), mode="bilinear", align_corners=False))
            return torch.stack(shown).mean(dim=0).cpu().numpy()


def words(tokenizer: Any, prompt: str) -> tuple[PaintedWord, ...]:
    """The words of a prompt, as parted by spaces, with the places of their tokens."""
    read = tokenizer(
        prompt, padding="max_length", truncation=True, max_length=tokenizer.model_max_length,
        return_offsets_mapping=True,
    )["offset_mapping"]  # fmt: skip
    found = []
    for word in re.finditer(r"\S+", prompt):
        places = [
            at for at, (begin, end) in enumerate(read) if begin < end and begin < word.end() and end > word.start()
        ]
        if places:
            found.append(PaintedWord(word[0], tuple(places)))
    return tuple(found)


def encode(card: Card, pipe: Any, pictures: Sequence[Image.Image], context: Context) -> np.ndarray:
    """`studio.engines.inside.KnowsSpace.encode`: the middle of the distribution that the encoder gives for each."""
    vae = _space(card, pipe)
    context.check()
    with torch_loading.working(card):
        pixels = pipe.image_processor.preprocess(list(pictures)).to(vae.device, vae.dtype)
        latents = vae.encode(pixels).latent_dist.mode()
        return ((latents - _shift(vae)) * vae.config.scaling_factor).float().cpu().numpy()


def decode(card: Card, pipe: Any, latents: np.ndarray, context: Context) -> tuple[Image.Image, ...]:
    """`studio.engines.inside.KnowsSpace.decode`."""
    vae = _space(card, pipe)
    with torch_loading.working(card):
        import torch

        return tuple(_decoded(pipe, torch.from_numpy(latents).to(vae.device), context))


def _decoded(pipe: Any, latents: Any, context: Context) -> list[Image.Image]:
    found = []
    for part in latents.split(_TOGETHER if latents.device.type != "cpu" else 1):
        context.check()
        scaled = part.to(pipe.vae.dtype) / pipe.vae.config.scaling_factor + _shift(pipe.vae)
        pixels = pipe.vae.decode(scaled, return_dict=False)[0]
        found += pipe.image_processor.postprocess(pixels, output_type="pil")
    return found


def _space(card: Card, pipe: Any) -> Any:
    vae = getattr(pipe, "vae", None)
    if not _plain_space(vae):
        raise StudioError("not_open_none", model=card.title)
    return vae


def _plain_space(vae: Any) -> bool:
    """Whether latents lie as pixels do, and come as a distribution."""
    return type(vae).__name__ == "AutoencoderKL"


def _shift(vae: Any) -> float:
    return vae.config.get("shift_factor") or 0.0
