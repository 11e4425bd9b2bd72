"""A pipeline and its sisters for painting over pictures: made on first use, of the same modules, with no copy.

Knows which arguments each takes, and makes their schedulers. Runs nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from studio.catalog.card import Card
from studio.errors import StudioError
from studio.tasks.image.schedulers import OWN, SCHEDULERS, fits


@dataclass(frozen=True, slots=True)
class Member:
    """One pipeline of the family.

    Attributes:
        accepts: the arguments of its call.
        by_hand: it paints all of a picture, so that what a mask leaves out has to be put back after each step.
    """

    pipe: Any
    accepts: Container[str]
    by_hand: bool = False


class Family:
    """The pipeline that was loaded, and those that are made from it."""

    def __init__(self, card: Card, pipe: Any) -> None:
        self._card = card
        self._own: Any = pipe.scheduler
        self._members: dict[str, Member | None] = {"words": _member(pipe)}

    @property
    def pipe(self) -> Any:
        """The pipeline that paints from words."""
        return self.member(over=False).pipe

    def paints_over(self) -> bool:
        """Whether it can start from a picture and go as far from it as it is told."""
        found = self._find("image")
        return found is not None and "strength" in found.accepts

    def member(self, over: bool, masked: bool = False) -> Member:
        """The pipeline for painting from nothing, over a picture, or over what a mask shows of it.

        Raises:
            StudioError: no_image_input, where the model cannot start from a picture.
        """
        found = self._find("words" if not over else "mask" if masked else "image")
        if found is None:
            raise StudioError("no_image_input", model=self._card.title)
        return found

    def knows(self, scheduler: str) -> bool:
        """Whether the model can be painted with by the scheduler of this name. Its own goes with every model."""
        return fits(scheduler, self._own.config)

    def scheduler(self, name: str) -> Any:
        """A fresh scheduler: they keep state, and a step that was stopped must not reach into the next run.

        The model's own where it does not know the name: settings come from pictures that other models made.
        """
        import diffusers

        config = self._own.config
        if self._means_own(name):
            return type(self._own).from_config(config)
        kind, changes = SCHEDULERS[name]
        return getattr(diffusers, kind).from_config(config, **changes)

    def most_steps(self, name: str) -> int | None:
        """How many steps this scheduler can take: those that were distilled know no more than they were taught."""
        chosen = self._own if self._means_own(name) else self.scheduler(name)
        return chosen.config.get("original_inference_steps")

    def _means_own(self, name: str) -> bool:
        return name in ("", OWN) or not self.knows(name)

    def restore(self) -> None:
        """Every member has its own scheduler again, and parts that are kept elsewhere go back there."""
        for member in self._members.values():
            if member is not None:
                member.pipe.scheduler = self._own
        self.pipe.maybe_free_model_hooks()

    def exchange_vae(self, vae: Any) -> None:
        """Have every member decode by `vae`, and those that are made later."""
        for member in self._members.values():
            if member is not None:
                member.pipe.vae = vae

    def _find(self, kind: str) -> Member | None:
        if kind not in self._members:
            self._members[kind] = self._make(kind)
        return self._members[kind]

    def _make(self, kind: str) -> Member | None:
        from diffusers.pipelines.auto_pipeline import AutoPipelineForImage2Image, AutoPipelineForInpainting

        unet = getattr(self.pipe, "unet", None)
        if kind == "mask" and unet is not None and unet.config.in_channels != 4:
            return self._by_hand()  # the inpainting pipelines with a UNet know no other number
        auto: Any = AutoPipelineForInpainting if kind == "mask" else AutoPipelineForImage2Image
        try:
            sister = auto.from_pipe(self.pipe)
        except ValueError:  # it has none
            return self._find("image") if kind == "mask" else None
        sister.set_progress_bar_config(disable=True)
        return _member(sister)

    def _by_hand(self) -> Member | None:
        over = self._find("image")
        return over and Member(over.pipe, over.accepts, by_hand=True)


def _member(pipe: Any) -> Member:
    return Member(pipe, inspect.signature(pipe.__call__).parameters)
