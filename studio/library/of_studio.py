"""Library and archive of one studio, as its settings want them."""

from __future__ import annotations

from studio.library.archive import Archive
from studio.library.chats import Chats
from studio.library.favourites import Stars
from studio.library.file_names import Keep
from studio.library.outputs import Library
from studio.paths import Home
from studio.recipes.signing import signing
from studio.settings import Settings


def of_studio(settings: Settings, home: Home, chats: Chats) -> tuple[Library, Archive | None]:
    """Where outputs are written, and where they are found again: nowhere on a public studio, whose visitors see nothing
    of each other."""
    stars, keep = Stars(home.outputs), Keep(settings.file_names, settings.picture_format)
    archive = None if settings.public else Archive(home, chats, stars)
    told = archive.noted if archive is not None else lambda _: None
    signs = signing(home.root, settings.producer, wanted=settings.sign)
    return Library(home, int(settings.keep_free_gb * 1e9), keep, stars, told, signs), archive
