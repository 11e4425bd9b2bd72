"""Items of the library for elsewhere: a zip with recipes and a contact sheet, or pictures with captions."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

from PIL import Image, ImageDraw

from studio.errors import StudioError
from studio.library import scan
from studio.library.archive import Archive
from studio.library.chats import Chats
from studio.library.index import Query
from studio.library.items import CHATS, Item
from studio.media.image import decode_image
from studio.paths import writing
from studio.recipes import explicit_label, recipe
from studio.recipes.explicit_label import UNMARKED, Marking
from studio.tasks.image.contact_sheet import label_font

Form = Literal["zip", "imagefolder"]
FORMS: tuple[Form, ...] = get_args(Form)
MOST_ON_SHEET = 200
_SIDE, _GAP, _LINE, _ACROSS = 240, 16, 22, 6
_PAPER, _INK, _EMPTY = (255, 255, 255), (34, 34, 34), (236, 234, 230)


def pack(
    archive: Archive,
    chats: Chats,
    ids: Sequence[str],
    target: Path,
    form: Form = "zip",
    marking: Marking = UNMARKED,
) -> int:
    """Write items into a zip; returns how many are in it.

    Args:
        form: "zip" holds the files as they are, their recipes, and a contact sheet of the pictures; "imagefolder" the
            pictures alone, and what they show in `metadata.jsonl`, as ImageFolder of the datasets library reads it.
        marking: how conversations are marked.

    Raises:
        StudioError: nothing_to_export; the disk is full or refuses, and `target` is then what it was.
    """
    found = list(_here(archive, ids))
    if form == "imagefolder":
        found = [(item, file) for item, file in found if item.kind == "picture"]
    if not found:
        raise StudioError("nothing_to_export")
    with writing(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as packed:
        if form == "imagefolder":
            _training(archive, found, packed)
        else:
            _whole(archive, chats, found, packed, marking)
    return len(found)


def name(form: Form, now: datetime | None = None) -> str:
    """What the zip is called."""
    return f"atelier-{form}-{(now or datetime.now()).strftime('%Y-%m-%d-%H%M%S')}.zip"


def sheet(files: Sequence[Path], titles: Sequence[str]) -> Image.Image:
    """The contact sheet: pictures in rows, with their titles under them, RGB on white; a broken one is a grey square.

    At most MOST_ON_SHEET, the first."""
    files = files[:MOST_ON_SHEET]
    across = min(_ACROSS, len(files))
    rows = -(-len(files) // across)
    font = label_font("".join(titles), 13)
    whole = Image.new("RGB", (across * (_SIDE + _GAP) + _GAP, rows * (_SIDE + _LINE + _GAP) + _GAP), _PAPER)
    draw = ImageDraw.Draw(whole)
    for place, (file, title) in enumerate(zip(files, titles, strict=False)):
        row, column = divmod(place, across)
        x, y = _GAP + column * (_SIDE + _GAP), _GAP + row * (_SIDE + _LINE + _GAP)
        try:
            picture = decode_image(file.read_bytes())
            picture.thumbnail((_SIDE, _SIDE))
            whole.paste(picture, (x + (_SIDE - picture.width) // 2, y + (_SIDE - picture.height) // 2))
        except (StudioError, OSError):
            draw.rectangle((x, y, x + _SIDE - 1, y + _SIDE - 1), fill=_EMPTY)
        draw.text((x, y + _SIDE + 4), _fitted(title, font), fill=_INK, font=font)
    return whole


def captions(archive: Archive) -> dict[str, str]:
    """SHA-256 of a picture's file -> the newest caption that was made of it here."""
    found: dict[str, str] = {}
    after = ""
    while True:
        page = archive.page(Query(tasks=("caption",)), after, 500)
        for item in page.items:
            made = archive.recipe(item.id)
            hash = recipe.sources(made).get("image", "") if made else ""
            if hash and hash not in found:
                found[hash] = archive.file(item.id).read_text(encoding="utf-8").strip()
        after = page.following
        if not after:
            return found


def _here(archive: Archive, ids: Iterable[str]) -> Iterator[tuple[Item, Path]]:
    for id in dict.fromkeys(ids):
        try:
            yield archive.item(id), archive.file(id)
        except StudioError:  # it went away meanwhile
            continue


def _whole(
    archive: Archive, chats: Chats, found: list[tuple[Item, Path]], packed: zipfile.ZipFile, marking: Marking
) -> None:
    taken = set[str]()
    for item, file in found:
        if item.id.startswith(f"{CHATS}/"):
            own = item.id.partition("/")[2]
            where = _unused(f"chat/{own}.json", taken)
            packed.writestr(where, chats.export_json(own), zipfile.ZIP_DEFLATED)
            words = chats.export_markdown(own, marking)
            packed.writestr(where.removesuffix(".json") + ".md", words, zipfile.ZIP_DEFLATED)
            continue
        where = _unused(f"{PurePosixPath(item.id).parts[0]}/{file.name}", taken)
        made = archive.recipe(item.id)
        if made is not None and item.task == "caption":
            packed.writestr(where, explicit_label.on_caption(file.read_text(encoding="utf-8"), made))
        else:
            packed.write(file, where)
        if (notes := scan.notes(file)).is_file() and file.suffix == ".wav":
            packed.write(notes, PurePosixPath(where).with_suffix(".mid").as_posix())
        if made is not None:
            # Beside the file, as the library itself has it: who unpacks it into an outputs folder has it all again.
            packed.writestr(f"{where}.json", recipe.to_json(made, indent=2) + "\n", zipfile.ZIP_DEFLATED)
    marked = [_marks(item) for item, _ in found if item.star or item.tags or item.note or item.collections]
    if marked:
        lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in marked)
        packed.writestr("marks.jsonl", lines, zipfile.ZIP_DEFLATED)
    pictures = [(file, item.title) for item, file in found if item.kind == "picture"]
    if pictures:
        out = io.BytesIO()
        sheet([file for file, _ in pictures], [title for _, title in pictures]).save(out, "JPEG", quality=88)
        packed.writestr("contact-sheet.jpg", out.getvalue())


def _training(archive: Archive, found: list[tuple[Item, Path]], packed: zipfile.ZipFile) -> None:
    from hashlib import file_digest

    told, taken, lines = captions(archive), set[str](), list[str]()
    for item, file in found:
        with file.open("rb") as source:
            hash = file_digest(source, "sha256").hexdigest()
        where = _unused(file.name, taken)
        text = told.get(hash) or _prompt(archive, item)
        packed.write(file, where)
        lines.append(json.dumps({"file_name": where, "text": text}, ensure_ascii=False) + "\n")
    packed.writestr("metadata.jsonl", "".join(lines), zipfile.ZIP_DEFLATED)


def _prompt(archive: Archive, item: Item) -> str:
    """What a picture without a caption is said to show: what it was painted from."""
    made = archive.recipe(item.id)
    if made is None:
        return item.title if item.foreign and item.title != PurePosixPath(item.id).stem else ""
    prompts = made["parameters"].get("prompts")
    own = prompts[0] if isinstance(prompts, list) and prompts else made["parameters"].get("prompt", "")
    return str(own or "")


def _marks(item: Item) -> dict[str, Any]:
    return {
        "id": item.id, "star": item.star, "tags": item.tags, "note": item.note, "collections": item.collections
    }  # fmt: skip


def _unused(wanted: str, taken: set[str]) -> str:
    path, number, found = PurePosixPath(wanted), 1, wanted
    while found.casefold() in taken:
        number += 1
        found = path.with_stem(f"{path.stem}-{number}").as_posix()
    taken.add(found.casefold())
    return found


def _fitted(title: str, font: Any) -> str:
    short = title
    while short and font.getlength(short) > _SIDE:
        short = short[:-2]
    return short if short == title else f"{short[:-1]}…"
