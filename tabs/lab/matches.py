"""Words and pictures in one space, as its script asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from PIL import Image
from starlette.responses import Response

from studio.errors import StudioError
from studio.i18n import ASSETS, text
from studio.lab import matches
from studio.service import Studio
from tabs.lab.asked import Asked, looker
from tabs.lab.pictures import address
from tabs.lab.pixels import directions, sent, told_directions
from tabs.lab.told import told
from tabs.shared.asker import Asker

NAME, TASK = "matches", "image"
SHOWN = matches.SHOWN
_EXAMPLES = (1, 3, 5, 7, 9, 11)
"""Of the pictures that the empty image tab shows."""


def examples(studio: Studio, message: Any, asker: Asker) -> Response:
    """Pictures and words to begin with, and whether there is a library to search."""
    Asked(message)
    sheet = Image.open(ASSETS / "examples" / "painted.webp").convert("RGB")
    side = sheet.height
    found = [sheet.crop(((at - 1) * side, 0, at * side, side)) for at in _EXAMPLES]
    words = [text(f"image.example{at}", asker.language) for at in _EXAMPLES]
    return told({"pictures": [address(each) for each in found], "words": words, "library": studio.archive is not None})


def see(studio: Studio, message: Any, asker: Asker) -> Response | None:
    """The directions of pictures. Raises StudioError: bad_message, and as `studio.lab.matches.see`."""
    pictures = [sent(each) for each in Asked(message).several("pictures", matches.MOST_PICTURES)]
    if not pictures:
        raise StudioError("bad_message")
    found = matches.see(studio.lab, pictures, looker(asker))
    return told({"directions": told_directions(found)}) if found is not None else None


def grid(studio: Studio, message: Any, asker: Asker) -> Response | None:
    """How pictures, by their directions, and words go together. Raises StudioError as `see`."""
    asked = Asked(message)
    pictures = directions(asked.several("pictures", matches.MOST_PICTURES), matches.MOST_PICTURES)
    words = asked.texts("words", matches.LETTERS, matches.MOST_WORDS)
    if not len(pictures) or not words:
        raise StudioError("bad_message")
    found = matches.compare(studio.lab, pictures, words, looker(asker))
    if found is None:
        return None
    return told({"similarities": found.similarities.round(4).tolist(), "shares": found.shares.round(4).tolist(),
                 "read": list(found.read)})  # fmt: skip


def search(studio: Studio, message: Any, asker: Asker) -> Response | None:
    """Pictures of the library that are nearest to some words. Raises StudioError as `see`; not_for_public."""
    if studio.archive is None:
        raise StudioError("not_for_public")
    words = Asked(message).text("words", matches.LETTERS).strip()
    if not words:
        raise StudioError("bad_message")
    found = studio.album.search(studio.lab, studio.archive, words, looker(asker))
    if found is None:
        return None
    items = [
        {"id": item.id, "title": item.title, "stamp": item.stamp, "near": round(near, 4)} for item, near in found.items
    ]
    return told({"items": items, "looked": found.looked, "count": found.count})


ANSWERS: Mapping[str, Callable[[Studio, Any, Asker], Response | None]] = {
    "examples": examples, "see": see, "grid": grid, "search": search,
}  # fmt: skip
