"""A device: where models are computed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Device:
    """Where a model runs: `kind` is "cpu", "cuda", "mps" or "remote", for another computer; `name` is what people call
    it, `threads` those of the CPU."""

    kind: str
    index: int = 0
    name: str = "CPU"
    threads: int = 1

    def __str__(self) -> str:
        return f"{self.kind}:{self.index}" if self.kind == "cuda" else self.kind

    @property
    def hardware(self) -> str:
        """What the last digits of a result depend on: the processor, and over how many threads its sums are spread."""
        return f"{self.name}, {self.threads} threads" if self.kind == "cpu" else self.name
