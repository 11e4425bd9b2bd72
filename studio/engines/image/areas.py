"""Several prompts for one picture: joined by AND, or each for a region of it; mixed where the UNet says what it sees.

The UNet is asked once more at each step for every further prompt, of the same noise, and its answers are mixed before
the guidance is reckoned: outside of its region a prompt has no part in a step at all, whatever the attention does
inside. No layer and no attention processor is touched, so that adaptations and ControlNets work as they do alone.

    joined     negative + sum of weight * (answer - negative)
    regions    base * (1 - sum of shares) + sum of share * answer, the share being weight times mask; where regions
               overlap and their shares come to more than 1, they are brought back to 1
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from studio.catalog.card import Card
from studio.engines.image import conditioning, control_heads
from studio.engines.image.embeddings import Embeddings
from studio.engines.image.img2img import Member
from studio.engines.image.init_image import Cutout
from studio.engines.image.prompt_chunks import PIPELINES
from studio.engines.image.prompt_embeds import takes_weights
from studio.errors import StudioError
from studio.media import masks
from studio.request_parts import Region
from studio.tasks.image.prompt_schedule import joined

Told = tuple[Any, Any]
"""Embeddings of a prompt, and pooled ones or None."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One prompt: what it says from which step on; None where the pipeline itself asks."""

    weight: float
    said: Mapping[int, Told] | None

    def at(self, step: int) -> Told:
        assert self.said is not None
        return self.said[max(each for each in self.said if each <= step)]


@dataclass(frozen=True, slots=True)
class _Area:
    """The prompts of one region; `mask` is None for the whole picture."""

    parts: tuple[_Part, ...]
    weight: float = 1.0
    mask: Image.Image | None = None


def prompts(text: str, member: Member, guidance: float) -> tuple[tuple[str, float], ...]:
    """The prompts that AND joins in a text. Only where the UNet is asked about the negative prompt as well."""
    if not (takes_weights(member.pipe, member.accepts) and conditioning.guides(member.pipe, guidance)):
        return ((text, 1.0),)
    return joined(text)


def shown(regions: Sequence[Region], cutout: Cutout | None) -> list[Image.Image]:
    """The masks of regions, "L", as they lie over what is painted; they are pulled to its shape.

    Args:
        cutout: where only a part of a picture is painted, masks are of all of it.

    Raises:
        StudioError: bad_image, image_too_large, mask_empty.
    """
    found = [masks.read_mask(one.mask) for one in regions]
    if cutout is None or cutout.whole is None:
        return found
    whole = cutout.whole.image.size
    return [mask.resize(whole, Image.Resampling.BILINEAR).crop(cutout.box) for mask in found]


def check(card: Card, files: Path) -> None:
    """Raise StudioError (no_regions) where a model cannot be painted with regions, by its files alone."""
    pipeline, _ = control_heads.read_model(card, files)
    if pipeline and pipeline not in PIPELINES:
        raise StudioError("no_regions", model=card.title)


class Areas:
    """The prompts of one pass beside the one that the pipeline is given.

    Args:
        joined: of the whole picture, the pipeline's own first. regions: weight, mask and prompts of each.
        read: what the pipeline's readers say of a prompt.
    """

    def __init__(
        self,
        joined: Sequence[tuple[str, float]],
        regions: Sequence[tuple[float, Image.Image, Sequence[tuple[str, float]]]],
        read: Callable[[str], Mapping[int, Told]],
    ) -> None:
        own = _Part(joined[0][1], None)
        self._base = _Area((own, *(_Part(weight, read(text)) for text, weight in joined[1:])))
        self._regions = tuple(
            _Area(tuple(_Part(weight, read(text)) for text, weight in parts), share, mask)
            for share, mask, parts in regions
        )
        self._step = 0

    @property
    def none(self) -> bool:
        """There is only the pipeline's own prompt, with nothing to be added to it."""
        return not self._regions and len(self._base.parts) == 1 and self._base.parts[0].weight == 1.0

    def before(self, done: int, steps: int, planned: int) -> None:
        """Go on to the prompts that count when `done` of `steps` steps are done."""
        self._step = done * planned // max(steps, 1)

    @contextmanager
    def mixed(self, unet: Any) -> Iterator[None]:
        """With the UNet's answers mixed, which is as it was afterwards, whatever happens."""
        if self.none:
            yield
            return
        own, hooked = unet.forward, "forward" in vars(unet)
        unet.forward = functools.wraps(own)(functools.partial(self._answer, own))
        try:
            yield
        finally:
            if hooked:  # accelerate moves parts to their device by a forward of its own
                unet.forward = own
            else:
                del unet.forward

    def _answer(self, own: Callable[..., Any], sample: Any, timestep: Any, *args: Any, **more: Any) -> Any:
        import torch

        of_one = _last(more)  # before the first question: the UNet empties some of the lists that it is given
        answer = own(sample, timestep, *args, **more)[0]
        negative, base = (answer[:1], answer[1:]) if len(answer) == 2 else (answer, answer)

        def ask(told: Told) -> Any:
            given = {**_last(of_one), "encoder_hidden_states": told[0].to(answer.dtype)}
            if told[1] is not None and (added := given.get("added_cond_kwargs")) is not None:
                given["added_cond_kwargs"] = {**added, "text_embeds": told[1].to(answer.dtype)}
            return own(sample[-1:], timestep, *args, **given)[0]

        def mean(area: _Area) -> Any:
            if len(area.parts) == 1 and area.parts[0].weight == 1.0:
                return base if area.parts[0].said is None else ask(area.parts[0].at(self._step))
            pulls = [
                part.weight * ((base if part.said is None else ask(part.at(self._step))) - negative)
                for part in area.parts
            ]
            return negative + sum(pulls[1:], pulls[0])

        whole = mean(self._base)
        if self._regions:
            shares = self._shares(tuple(answer.shape[-2:]), answer)
            # sums of shares and not differences: where a share is 1 the answer is that of its prompt to the last bit
            mixed = whole * (1 - sum(shares[1:], shares[0]))
            for share, area in zip(shares, self._regions, strict=True):
                mixed = mixed + share * mean(area)
            whole = mixed
        return (torch.cat([negative, whole]) if len(answer) == 2 else whole,)

    def _shares(self, size: tuple[int, int], like: Any) -> list[Any]:
        """How much of each place is each region's, at the size of the latents (height, width)."""
        import numpy as np
        import torch

        found = []
        for area in self._regions:
            assert area.mask is not None
            small = area.mask.resize((size[1], size[0]), Image.Resampling.BOX)
            found.append(torch.from_numpy(np.asarray(small, np.float32) / 255 * area.weight))
        over = torch.stack(found).sum(0).clamp(min=1.0)
        return [(share / over).to(like.device, like.dtype)[None, None] for share in found]


def areas(
    member: Member,
    base: Sequence[tuple[str, float]],
    regions: Sequence[Region],
    shown: Sequence[Image.Image],
    guidance: float,
    skip: int,
    steps: int,
    begun: int,
    embeddings: Embeddings,
) -> Areas:
    """The prompts of one pass, for a pipeline with a UNet.

    Args:
        base: the prompts of the picture, as `prompts` gives them. shown: masks of the regions.
    """

    def read(text: str) -> Mapping[int, Told]:
        return conditioning.read(member.pipe, member.accepts, text, skip, steps, begun, embeddings)

    counted = [(one, mask) for one, mask in zip(regions, shown, strict=True) if one.weight > 0]
    return Areas(base, [(one.weight, mask, prompts(one.prompt, member, guidance)) for one, mask in counted], read)


def _last(value: Any) -> Any:
    """The same with only the last of each batch: the half that is asked about the prompt. Lists are new ones."""
    if isinstance(value, dict):
        return {name: _last(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_last(one) for one in value)
    return value[-1:] if getattr(value, "ndim", 0) else value
