"""Recognition of a file that somebody drops on the page: what it is, and which tab takes it up."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from studio.errors import StudioError
from studio.library import scan
from studio.library.archive import Archive
from studio.library.chats import Chats
from studio.library.items import Item
from studio.paths import gigabytes
from studio.recipes import inspect, recipe
from studio.tasks.code import languages, text_file

_CHATS = (".json", ".jsonl", ".zip")

Way = Literal["item", "image", "music", "chat", "code"]


@dataclass(frozen=True, slots=True)
class Recognised:
    """Where a file belongs.

    Attributes:
        way: "item" of the library; "image" and "music": the tab that restores settings from it; "chat": a conversation
            that is kept now; "code": a text for the editor.
        item: of the way "item".
        chat: id of the conversation.
        words: of the way "code", with line feeds alone.
        language: of the words, as code requests name it.
    """

    way: Way
    item: Item | None = None
    chat: str = ""
    words: str = ""
    language: str = ""


def recognise(archive: Archive, chats: Chats, data: bytes, name: str) -> Recognised:
    """What a file is: one that lies in the library, byte for byte; one that says how it was made; a conversation; code.

    Captions and completions have no room for a recipe inside, and are known by their bytes alone.

    Args:
        name: what it is called, of which only the ending counts.

    Raises:
        StudioError: not_recognised where nothing takes it up; file_too_large; not_a_text_file.
    """
    if len(data) > scan.MAX_READ:
        raise StudioError("file_too_large", size=gigabytes(len(data)), limit=gigabytes(scan.MAX_READ))
    name = PurePath(name.replace("\\", "/")).name
    if (item := archive.twin(data)) is not None and (item.kind == "chat" or archive.recipe(item.id) is not None):
        return Recognised("item", item)
    made = recipe.read_recipe(data)
    if made is not None and made["task"] in ("image", "upscale", "music"):
        return Recognised("music" if made["task"] == "music" else "image")
    if made is None and inspect.read_settings(data) is not None:
        return Recognised("image")
    if name.casefold().endswith(_CHATS):
        with suppress(StudioError):  # other programs write JSON as well
            return Recognised("chat", chat=chats.import_file(data, name)[0].id)
    if language := languages.of_file(name):
        return Recognised("code", words=text_file.read(data, name), language=language)
    raise StudioError("not_recognised", name=name)
