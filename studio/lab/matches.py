"""Words and pictures in one space: how near each word is to each picture, and pictures of a library found by words."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from studio.engines.lab.matcher import MatcherModel
from studio.errors import StudioError
from studio.jobs.context import RunContext
from studio.lab import small
from studio.lab.looking import Lab, Looker
from studio.library.archive import Archive
from studio.library.index import Query
from studio.library.items import Item
from studio.media.image import decode_image

if TYPE_CHECKING:
    import numpy as np

MOST_WORDS, MOST_PICTURES = 12, 12
LETTERS = 120
LOOKED = 200
"""Pictures of a library that are looked at, the newest."""
_SECONDS = 1.5
"""Looking goes on so long at a time; what is missing then is looked at when it is asked again."""
_REMEMBERED = 2_000


@dataclass(frozen=True, slots=True)
class Compared:
    """How pictures and words go together.

    Attributes:
        similarities: cosines, (pictures, words), from -1 to 1.
        shares: of each picture, how it would be shared out among the words: a softmax of the sharpened cosines.
        read: what was read for each word.
    """

    similarities: np.ndarray
    shares: np.ndarray
    read: tuple[str, ...]


def shared_out(similarities: np.ndarray, sharpness: float) -> np.ndarray:
    """A softmax over the words: (pictures, words), each picture's shares add up to 1."""
    import numpy as np

    odds = np.exp(sharpness * (similarities - similarities.max(1, keepdims=True)))
    return odds / odds.sum(1, keepdims=True)


def see(lab: Lab, pictures: Sequence[Image.Image], looker: Looker) -> np.ndarray | None:
    """The directions of pictures, (count, 256); None where it gave way. Raises StudioError as `Lab.borrow`."""

    def ask(model: MatcherModel, context: RunContext) -> np.ndarray:
        return model.see(pictures, context).each

    return lab.borrow(small.matcher(lab.catalog), ask, looker)


def compare(lab: Lab, pictures: np.ndarray, words: Sequence[str], looker: Looker) -> Compared | None:
    """Every picture, by its direction, with every word. None and errors as `see`."""

    def ask(model: MatcherModel, context: RunContext) -> Compared:
        heard = model.hear(words, context)
        similarities = pictures @ heard.each.T
        return Compared(similarities, shared_out(similarities, model.sharpness), heard.read)

    return lab.borrow(small.matcher(lab.catalog), ask, looker)


@dataclass(frozen=True, slots=True)
class Hits:
    """Pictures of a library by how near they are to some words, the nearest first.

    Attributes:
        looked, count: how many were looked at by now, of how many.
    """

    items: tuple[tuple[Item, float], ...]
    looked: int
    count: int


class Album:
    """Directions of a library's pictures, in memory alone; gone when the studio ends."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def search(self, lab: Lab, archive: Archive, words: str, looker: Looker) -> Hits | None:
        """The pictures nearest to some words, of those looked at by now. None and errors as `see`."""
        import numpy as np

        archive.sync(_SECONDS)
        found = _pictures(archive)

        def ask(model: MatcherModel, context: RunContext) -> Hits:
            self._look(model, context, archive, found)
            with self._lock:
                known = [(item, self._known[_key(item)]) for item in found if _key(item) in self._known]
            if not known:
                return Hits((), 0, len(found))
            near = np.stack([each for _, each in known]) @ model.hear([words], context).each[0]
            ranked = sorted(zip((item for item, _ in known), map(float, near), strict=True), key=lambda one: -one[1])
            return Hits(tuple(ranked[:MOST_PICTURES]), len(known), len(found))

        return lab.borrow(small.matcher(lab.catalog), ask, looker)

    def _look(self, model: MatcherModel, context: RunContext, archive: Archive, found: Sequence[Item]) -> None:
        import numpy as np

        until = time.monotonic() + _SECONDS
        for item in found:
            if _key(item) in self._known or time.monotonic() > until:
                continue
            try:
                picture = decode_image(archive.file(item.id).read_bytes())
            except (StudioError, OSError):  # damaged, or deleted meanwhile: it is like no word
                each = np.zeros(256, np.float32)
            else:
                each = model.see([picture], context).each[0]
            with self._lock:
                self._known[_key(item)] = each
                while len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)


def _key(item: Item) -> tuple[str, str]:
    return item.id, item.stamp


def _pictures(archive: Archive) -> list[Item]:
    found: list[Item] = []
    after = ""
    while len(found) < LOOKED:
        page = archive.page(Query(tasks=("image",)), after)
        found += [item for item in page.items if item.kind == "picture"]
        after = page.following
        if not after:
            break
    return found[:LOOKED]


SHOWN: tuple[Callable[..., object], ...] = (MatcherModel.see, MatcherModel.hear, shared_out)
"""The code that the page shows."""
