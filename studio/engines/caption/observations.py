"""Findings of the bundled captioner, before it says them: how sure it is, and which words it may use.

The encoder looks once; its findings go to the decoder as they are, so nothing is computed twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from studio.engines.caption import lexicon
from studio.results import Output


@dataclass(frozen=True, slots=True)
class Observer:
    """A captioner whose encoder tells what it found."""

    encoder: Any
    names: Sequence[Sequence[str]] | None

    def look(self, pixels: Any, language: str) -> Seen:
        """What is in these pictures. To be called where nothing is learnt."""
        import torch
        from transformers.modeling_outputs import BaseModelOutput

        with torch.no_grad():
            found = self.encoder.look(pixels)
            return Seen(found, BaseModelOutput(self.encoder.told(found)), self.names, language)


@dataclass(frozen=True, slots=True)
class Seen:
    """Findings of some pictures; `states` is what the decoder reads of them."""

    found: Any
    states: Any
    names: Sequence[Sequence[str]] | None
    language: str

    def nothing(self) -> bool:
        """Whether there is one picture, and it is one of no thing: nothing need be said of it."""
        return len(self.found.strange) == 1 and bool(self.found.strange[0])

    def held(self, tokenizer: Any, ends: set[int], others: Any) -> Any:
        """Logits processors that keep each caption to whole words, followed by `others`."""
        from transformers import LogitsProcessorList

        if self.names is None:
            return others
        said = [lexicon.phrases(self.names, things, self.language) for things in self.found.things.tolist()]
        own = lexicon.held(tokenizer, [lexicon.Lexicon(phrases) for phrases in said], ends)
        return LogitsProcessorList([own, *(others or [])])

    def told(self, number: int, output: Output) -> Output:
        """A picture's output with its confidence, and a note where that is low or there is no thing in it."""
        from studio.engines.caption.networks.observer import STRANGERS

        confidence = round(float(self.found.confidence[number]), 3)
        strange = int(self.found.strange[number])
        stats = {**output.stats, "confidence": 0.0 if strange else confidence}
        if strange:
            note = (f"caption_{STRANGERS[strange - 1]}", {})
            return replace(output, text="", stats=stats, notes=(*output.notes, note))
        doubt = (("caption_unsure", {"percent": round(100 * confidence)}),) if self.found.doubtful()[number] else ()
        return replace(output, stats=stats, notes=(*output.notes, *doubt))


def find_observer(files: Path, model: Any) -> Observer | None:
    """The observer in a model; None for other models."""
    encoder = getattr(model, "encoder", None)
    if getattr(getattr(encoder, "config", None), "model_type", "") != "observer":
        return None
    return Observer(encoder, lexicon.read_things(files))
