"""Provenance: the recipe of what a job made, with the hashes of all that had a part in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.text import watermark
from studio.jobs.context import Plan
from studio.recipes import explicit_label, inspect, origins, recipe
from studio.recipes.explicit_label import UNMARKED, Marking
from studio.requests import Request
from studio.results import Output
from studio.store import Store
from studio.tasks.image import (
    control_files,
    detector_files,
    embedding_files,
    lora_files,
    reference_files,
    refiner_files,
    vae_files,
)
from studio.tasks.table import rules


def recipes(
    store: Store,
    plan: Plan,
    output: Output,
    adapters: tuple[Path, ...],
    device: Device,
    seconds: float,
    marking: Marking = UNMARKED,
) -> Callable[[Card], dict[str, Any]]:
    """The recipe of an output for each of the models that made it.

    Args:
        adapters: folders of LoRA files, IP-Adapters and ControlNets.
        marking: how what is made is marked.

    Raises:
        StudioError: a file that had a part in it cannot be read.
    """
    request, keep = plan.request, plan.keep
    asked = (request, *plan.requests)
    loras, controlnets = lora_files.hashes(asked, adapters), control_files.hashes(asked, adapters)
    ipadapters, vaes = reference_files.hashes(asked, adapters), vae_files.hashes(asked, adapters)
    refiners, detectors = refiner_files.hashes(asked, adapters), detector_files.hashes(asked, adapters)
    embeddings = _embeddings(asked, output, adapters)

    def made_with(card: Card) -> dict[str, Any]:
        made = recipe.make_recipe(
            request, card, revision=store.revision(card), model_hash=store.model_hash(card),
            device=str(device), hardware=device.hardware, finish=output.finish, seconds=seconds,
            adapters=loras, controlnets=controlnets, ipadapters=ipadapters, embeddings=embeddings, vaes=vaes,
            refiners=refiners, detectors=detectors, producer=marking.producer,
            explicit_label=marking.label if request.task in explicit_label.TASKS else "",
        )  # fmt: skip
        if marking.watermark and watermark.carried(card.engine, request.task, made["parameters"]):
            made["watermark"] = watermark.NAME
        return origins.attached(made, (keep and keep.origin) or origin(request))

    return made_with


def origin(request: Request) -> dict[str, Any] | None:
    """How the picture or sound was made that something else is made of; None where it does not say."""
    return inspect.origin(_began_with(request))


def _embeddings(requests: Iterable[Request | None], output: Output, adapters: tuple[Path, ...]) -> dict[str, str]:
    """Hashes of the embeddings that had a part in an output: those that its notes say were left out had none."""
    left = {one for code, told in output.notes if code in embedding_files.UNREAD for one in told["names"].split(", ")}
    return embedding_files.hashes(requests, adapters, left)


def _began_with(request: Request) -> bytes:
    """The picture or sound that something else was made of, empty for none."""
    image = getattr(request, "image", None)  # without one, its first file may be one that only steers it
    if edited := getattr(request, "pictures", ()):
        return edited[0]
    return next(iter(rules(request).sources(request)), b"") if image is None else image
