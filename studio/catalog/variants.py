"""The same model in less memory: fewer bits a weight, or only the part that works on the card.

A variant is written into the id, ``sd-turbo@int8``, so that whatever carries a model's id carries it too. Its card is
derived from the model's: the same files, other options for the engine, other figures. The table of engines says which
of them an engine can do; here stands where they pay.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from studio.catalog.card import DEMO, VARIANT, Card
from studio.catalog.engines import ENGINES, Variant
from studio.errors import StudioError
from studio.i18n import LANGUAGES, text
from studio.requests import TASKS

if TYPE_CHECKING:
    from studio.devices.device import Device

INT8: Variant = "int8"
INT4: Variant = "int4"
OFFLOAD: Variant = "offload"
OFFLOAD_INT8: Variant = "offload-int8"
NAMES: tuple[Variant, ...] = (OFFLOAD, INT8, INT4, OFFLOAD_INT8)
"""In the order in which they are offered: what changes the result least comes first."""

_OPTIONS: dict[str, dict[str, Any]] = {
    INT8: {"quantise": "int8", "offload": "none"},
    INT4: {"quantise": "int4", "offload": "none"},
    OFFLOAD: {"offload": "model"},
    OFFLOAD_INT8: {"quantise": "int8", "offload": "model"},
}
_BYTES = {"int8": 1.02, "int4": 0.56}
"""Bytes of a quantised weight, with its share of the scales."""
_DEVICES = {INT8: ("cpu", "cuda"), INT4: ("cuda",), OFFLOAD: ("cuda",), OFFLOAD_INT8: ("cuda",)}
"""Where each works: the kernels for 4 bits are CUDA's, and parts can only be kept off a card that is one."""
_LARGE = 2_000_000_000
"""Parameters above which a model is large, where its engine's share of linear layers depends on that."""
_LARGEST_PART = 0.7
"""Share of a pipeline's weights in its largest part."""
_JOINT = " · "
_WORDS = {"4-bit": "int4", "8-bit": "int8", "16-bit": "bits16", "pictures": "pictures"}
"""What stands in brackets behind the names of two models that have the same."""


def of(card: Card) -> tuple[Variant, ...]:
    """The variants that a model has, on whatever device: none of what its own table asks for already."""
    if card.starter or card.variant or card.options.get("quantise") or _packed(card):
        return ()
    known, apart = ENGINES[card.engine].variants, card.options.get("offload") == "model"
    return tuple(name for name in NAMES if name in known and not (apart and name == OFFLOAD))


def _packed(card: Card) -> bool:
    """Its weights are in fewer bits as they lie in the file."""
    return any(name.lower().endswith(".gguf") for name in (card.source.path, *card.source.files))


def on(card: Card, device: Device) -> tuple[Variant, ...]:
    """The variants of a model that work on a device."""
    if device.kind == "cpu" and not ENGINES[card.engine].quantised_on_cpu:
        return ()
    return tuple(name for name in of(card) if device.kind in _DEVICES[name])


def require(card: Card, model: Card, device: Device) -> None:
    """Raise StudioError where a card is a variant of `model` that does not work on the device."""
    if card.variant and card.variant not in (here := on(model, device)):
        listed = ", ".join(f"{card.base}{VARIANT}{name}" for name in here) or "–"
        raise StudioError("variant_not_here", model=card.title, device=device.name, variants=listed)


def derived(card: Card, name: str) -> Card:
    """The card of a variant: the same files, its own title and summary, and what it takes by our estimate."""
    title = f"{card.title}{_JOINT}{text(f'variant.{name}')}"
    memory = _memory(card, name)
    return replace(
        card,
        id=f"{card.id}{VARIANT}{name}",
        title=title,
        memory_bytes=memory,
        least_memory=memory,
        summary={language: text(f"variant.{name}.help", language) for language in LANGUAGES},
        options={**card.options, **_OPTIONS[name]},
        starter=False,
    )


def title(card: Card, language: str) -> str:
    """What a model is called in the reader's language."""
    return called(card.id, card.title, language)


def called(id: str, title: str, language: str) -> str:
    """The same from what a recipe tells. Names are the same in all languages; what describes behind them is not."""
    base, _, variant = id.partition(VARIANT)
    if variant in NAMES:
        whole, word = title.rpartition(_JOINT)[0] or title, text(f"variant.{variant}", language)
        return f"{called(base, whole, language)}{_JOINT}{word}"
    task = base.removeprefix(DEMO)
    if base.startswith(DEMO) and task in TASKS and title == text(f"models.demo_{task}"):
        return text(f"models.demo_{task}", language)
    whole, _, word = title.removesuffix(")").rpartition(" (")
    if not title.endswith(")") or word not in _WORDS:
        return title
    return text("variant.described", language, title=whole, word=text(f"variant.{_WORDS[word]}", language))


def name(card: Card, language: str) -> str:
    """What is special about a variant, in a word."""
    return text(f"variant.{card.variant}", language)


def _memory(card: Card, variant: str) -> int:
    """What a variant takes, from what its model takes. The files' own headers say it exactly once they are here."""
    whole = card.memory_bytes
    width = 4 if whole >= 3.5 * card.parameters > 0 else 2
    weights = min(card.parameters * width or card.disk_bytes or whole, whole)
    facts = ENGINES[card.engine]
    share = (facts.linear_large if card.parameters > _LARGE else 0) or facts.linear
    options, kept = _OPTIONS[variant], 1.0
    if bits := options.get("quantise"):
        kept = 1 - share * (1 - _BYTES[bits] / width)
    if options["offload"] == "model":
        kept *= _LARGEST_PART
    memory = int(whole - weights * (1 - kept))
    # the least of a large painter is what it takes in parts: nothing else makes it run in so little
    return min(memory, card.least_memory) if options["offload"] == "model" and card.least_memory else memory
