"""Files from elsewhere, taken into the library as they are; conversations as conversations."""

from __future__ import annotations

from datetime import datetime
from itertools import count
from pathlib import Path, PurePath

from studio.errors import StudioError
from studio.library import scan
from studio.library.archive import Archive
from studio.library.chats import Chats
from studio.library.file_names import slug
from studio.library.items import CHATS, IMPORTED, KEPT_NOTES, SOUNDS, TEXTS, kind_of
from studio.media.audio import decode_audio
from studio.media.image import check_image
from studio.paths import gigabytes, require_space, write
from studio.tasks.code import text_file
from studio.tasks.music import midi


def take_in(archive: Archive, chats: Chats, data: bytes, name: str, keep_free: int = 0) -> tuple[str, ...]:
    """Keep a file; returns the ids of what was in it. One that is there already, byte for byte, is not kept twice.

    Args:
        name: what it was called.
        keep_free: bytes that keeping leaves free on the disk.

    Raises:
        StudioError: not_for_library where it is of no kind that the library has; file_too_large; bad_image, bad_audio,
            not_a_text_file, bad_midi, bad_file where it is broken; the disk is full or refuses.
    """
    path = PurePath(name.replace("\\", "/"))
    if len(data) > scan.MAX_READ:
        raise StudioError("file_too_large", size=gigabytes(len(data)), limit=gigabytes(scan.MAX_READ))
    if path.suffix.lower() in (".json", ".jsonl", ".zip"):
        return tuple(f"{CHATS}/{chat.id}" for chat in chats.import_file(data, path.name))
    match kind_of(Path(path)):
        case "picture":
            check_image(data)
        case "sound":
            decode_audio(data)
        case "text" | "code":
            text_file.read(data, path.name)
        case "notes":
            midi.facts(data)
            path = path.with_suffix(KEPT_NOTES)
        case _:
            raise StudioError("not_for_library", name=path.name, sounds=", ".join(SOUNDS), texts=", ".join(TEXTS))
    folder = archive.outputs / IMPORTED / datetime.now().strftime("%Y-%m-%d")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    require_space(folder, len(data), keep_free)
    for number in count(1):
        ending = f"-{number}" if number > 1 else ""
        target = folder / f"{slug(path.stem, 60)}{ending}{path.suffix.lower()}"
        try:
            write(target, data, new=True)
        except FileExistsError:
            if target.read_bytes() != data:
                continue
        archive.noted([target])
        return (target.relative_to(archive.outputs).as_posix(),)
    raise AssertionError
