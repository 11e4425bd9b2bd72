"""Timings: seconds that loads and runs take, by the names under which they are learned, kept and told to others."""

from __future__ import annotations

from collections.abc import Mapping


def of_load(model: str) -> str:
    """The name of a model's load: seconds until it is where it computes."""
    return f"load {model}"


def of_run(model: str, task: str) -> str:
    """The name of its runs: seconds that one unit of work takes (studio.jobs.pace)."""
    return f"run {task} {model}"


def load(known: Mapping[str, float], model: str) -> float | None:
    """Seconds until a model is where it computes; None where that was never seen."""
    return known.get(of_load(model))


def run(known: Mapping[str, float], model: str, task: str, amount: float) -> float | None:
    """Seconds that so many units of work take once the model is there; None where that was never seen."""
    each = known.get(of_run(model, task))
    return each * amount if each is not None and amount > 0 else None
