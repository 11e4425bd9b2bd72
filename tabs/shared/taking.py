"""Takers: what tabs take up of the library. A tab names them once, and every menu "Use in" has them.

A taker that is named `<tab>.open` restores how the thing was made: all fields as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.library.items import Item, Kind
from studio.requests import Task
from studio.results import Artifact


@dataclass(frozen=True, slots=True)
class Taken:
    """A thing of the library, on its way to a tab.

    Attributes:
        artifact: as the tab itself shows its results; None for what it could not show.
    """

    item: Item
    file: Path
    recipe: dict[str, Any] | None
    artifact: Artifact | None


Put = Callable[[Taken, str, Mapping[Any, Any]], dict[Any, Any]]
"""What changes in the tab, in a language; then come the values of the inputs, by component."""


@dataclass(frozen=True, slots=True)
class Taker:
    """One way in which a tab takes something up.

    Attributes:
        name: `<tab>.<what>`; its label is the text `library.use_<tab>_<what>`.
        kinds: what it takes.
        able: whether it can be done now, where that is not always so.
        queued: whether a state changes, which the page hears of from the queue alone.
        after: what the browser does then, as JavaScript.
    """

    name: str
    tab: Task
    kinds: tuple[Kind, ...]
    put: Put
    outputs: tuple[Any, ...]
    inputs: tuple[Any, ...] = ()
    able: Callable[[], bool] | None = None
    queued: bool = False
    after: str = ""
