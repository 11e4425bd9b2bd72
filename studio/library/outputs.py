"""The store of finished outputs: home/outputs/<task>/<day>/<time>-<words>-<seed>.png, .wav, .txt or code.

Pictures may be named otherwise (studio.library.file_names). Every file has its recipe, inside it or, for text and for
pictures that shall say nothing, beside it as `<name>.json`. What is in the folders is what there is
(studio.library.scan), so files may be moved, copied and deleted by hand; the index that finds them faster
(studio.library.archive) follows.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from studio.errors import StudioError
from studio.library import file_names, scan
from studio.library.favourites import Stars
from studio.library.file_names import Keep
from studio.library.scan import sidecar
from studio.media import embedded, midi
from studio.paths import Home, disk_error, inside, require_space, write
from studio.recipes import ai_marks, embed_image, explicit_label, infotext, origins, recipe
from studio.recipes.embed_audio import encode_wav
from studio.recipes.signing import Sign, unsigned
from studio.requests import TASKS, ImageRequest, Task, UpscaleRequest
from studio.results import Artifact, Output
from studio.tasks.code.languages import SUFFIXES

if TYPE_CHECKING:
    from PIL import Image

    from studio.results import Audio

_PICTURES = ("image", "upscale")
_FORMAT_SUFFIX = {"png": ".png", "webp": ".webp", "jpeg": ".jpg"}


@dataclass(frozen=True, slots=True)
class _Piece:
    """One file to be written: its content, its recipe, whether the recipe goes beside it, and the notes of music."""

    data: bytes
    suffix: str
    recipe: dict[str, Any]
    beside: bool = False
    midi: bytes = b""


class Library:
    """What was made, on disk. Safe to use from several threads and several processes.

    Args:
        keep_free: bytes that saving leaves free on the disk.
        keep: how pictures are written where nothing else is asked for.
        stars: what is marked; read from the outputs folder by default.
        told: called with the files of each output once they are written.
        sign: how files are signed (studio.recipes.signing).
    """

    def __init__(
        self, home: Home, keep_free: int = 0, keep: Keep | None = None, stars: Stars | None = None,
        told: Callable[[tuple[Path, ...]], object] = lambda _: None, sign: Sign = unsigned,
    ) -> None:  # fmt: skip
        self._root = home.outputs
        self._keep_free = keep_free
        self.keep = keep or Keep()
        self.stars = stars or Stars(home.outputs)
        self._lock = threading.Lock()
        self.told, self.sign = told, sign

    def save(
        self,
        task: Task,
        output: Output,
        made: dict[str, Any],
        keep: Keep | None = None,
        sheet: Image.Image | None = None,
        each: Mapping[str, dict[str, Any]] | None = None,
        origin: Callable[[Any], dict[str, Any] | None] | None = None,
    ) -> Artifact:
        """Write an output with its recipe: all of its files, or none.

        Chat answers are not written here (studio.library.chats keeps conversations); their artifact has no files.

        Args:
            made: the recipe of the whole run (studio.recipes.recipe.make_recipe).
            keep: how pictures are named and written; by default as this library does.
            each: model -> recipe of the whole run, where pictures of several models are among it.
            sheet: the contact sheet of a grid, written beside the first picture as `<name>-grid.png`.
            origin: how what one of several requests began with was made; None where all began with the same.

        Raises:
            StudioError: the disk is full or refuses; no file of this output is left behind.
        """
        made = {**made, "finish": output.finish}
        pieces = max(len(output.images), len(output.audio), 1)
        seeds = output.seeds or tuple(made["seed"] + index for index in range(pieces))
        if output.requests:
            whole = {id: {**one, "finish": output.finish} for id, one in (each or {}).items()}
            of_each = [{**whole.get(request.model, made), **_alone(request)} for request in output.requests]
            if origin is not None:
                bare = [{name: value for name, value in one.items() if name != "origin"} for one in of_each]
                begun = zip(bare, output.requests, strict=True)
                of_each = [origins.attached(one, origin(request)) for one, request in begun]
        else:
            of_each = [made] * len(seeds)
        steps = output.variation_seeds or (None,) * len(seeds)
        recipes = tuple(recipe.for_seed(*one) for one in zip(of_each, seeds, steps, strict=True))
        if output.audio:
            sounds = zip(recipes, output.audio, strict=True)
            recipes = tuple({**own, "played": audio.played} if audio.played else own for own, audio in sounds)
        keep = keep or self.keep
        written = task != "chat" and not keep.fleeting
        paths = self._write_all(task, output, recipes, keep, sheet) if written else []
        files = tuple(paths[: len(paths) - 1] if sheet and paths else paths)
        self.told(files)
        return Artifact(
            id=_id(paths[0], self._root) if paths else uuid4().hex,
            task=task,
            files=files,
            text=output.text,
            texts=output.texts,
            candidates=output.candidates,
            prompt=output.prompt,
            recipe=made,
            recipes=recipes,
            finish=output.finish,
            stats=dict(output.stats),
            notes=output.notes,
            sheet=paths[-1] if sheet and paths else None,
        )

    def aside(self, home: Home) -> Library:
        """Another place where outputs are written as they are here, and nobody is told of them."""
        return Library(home, self._keep_free, self.keep, sign=self.sign)

    def adopt(self, file: Path, name: Path) -> Path:
        """Move an output in that was written `aside`, with what lies beside it; returns its path.

        Args:
            name: its path below the outputs; another one is taken where that is.

        Raises:
            StudioError: the disk refuses.
        """
        for number in count(1):
            other = name.with_name(f"{name.stem}{f'-{number}' if number > 1 else ''}{name.suffix}")
            path = inside(self._root, str(other))
            if path.exists() or sidecar(path).exists():
                continue
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                for old, new in ((sidecar(file), sidecar(path)), (file, path)):
                    if old.exists():
                        old.rename(new)
            except OSError as error:
                raise disk_error(error, path) from error
            return path
        raise AssertionError("there is always another number")

    def recent(self, task: Task | tuple[Task, ...] | None = None, limit: int = 50) -> tuple[Artifact, ...]:
        """The newest artifacts of one task, of several, or of all, one a file, newest first.

        Files that are broken or not ours are passed over.
        """
        found: list[Artifact] = []
        for path in scan.newest(self._root, (task,) if isinstance(task, str) else task or TASKS):
            if len(found) >= limit:
                break
            if artifact := _read(path, self._root):
                found.append(artifact)
        return tuple(found)

    def named(self, ids: Iterable[str]) -> Artifact | None:
        """The outputs of these ids as one artifact, those that are gone left out; None where none is here."""
        found: list[Artifact] = []
        for id in ids:
            try:
                path = inside(self._root, id)
                found += [artifact] if path.is_file() and (artifact := _read(path, self._root)) else []
            except (StudioError, IndexError):
                continue
        if not found:
            return None
        files = tuple(file for artifact in found for file in artifact.files)
        return replace(found[0], files=files, recipes=tuple(one for artifact in found for one in artifact.recipes))

    def prompts(self, limit: int, task: Task = "image", field: str = "prompt") -> tuple[str, ...]:
        """What earlier outputs of a task were asked for with, newest first, each once."""
        found: dict[str, None] = {}
        for artifact in self.recent(task, limit * 2):
            prompt = artifact.recipe["parameters"].get(field)
            if isinstance(prompt, str) and prompt.strip():
                found.setdefault(prompt)
        return tuple(found)[:limit]

    def id(self, file: Path) -> str:
        """What an output of this library is called: its path below the outputs folder."""
        return _id(file, self._root)

    def forget(self, artifact: Artifact) -> None:
        """Delete the artifact's files and their sidecars. Those that are gone already are no error.

        Raises:
            StudioError: a file lies outside the outputs folder, or the disk refuses.
        """
        files = (*artifact.files, artifact.sheet) if artifact.sheet else artifact.files
        for path in [inside(self._root, str(file)) for file in files]:
            for file in (path, sidecar(path), *([scan.notes(path)] if path.suffix == ".wav" else [])):
                try:
                    file.unlink(missing_ok=True)
                except OSError as error:
                    raise disk_error(error, file) from error

    def _write_all(
        self, task: Task, output: Output, recipes: tuple[dict[str, Any], ...], keep: Keep, sheet: Image.Image | None
    ) -> list[Path]:
        pieces = _pieces(task, output, recipes, keep)
        if not pieces:
            return []
        now, root = datetime.now(), self._root / task
        pattern, words = keep.pattern if task in _PICTURES else "", output.text or task
        names = [file_names.name(pattern, piece.recipe, place, now, words) for place, piece in enumerate(pieces, 1)]
        if sheet is not None:
            pieces.append(_Piece(_sheet(sheet, recipes[0], keep), ".png", recipes[0]))
            names.append(f"{names[0]}-grid")
        pieces = [replace(one, data=self.sign(one.data, one.recipe, keep.metadata)) for one in pieces]
        started: list[Path] = []
        kept: list[Path] = []
        with self._lock:
            try:
                root.mkdir(mode=0o700, parents=True, exist_ok=True)
                require_space(root, sum(len(piece.data) for piece in pieces), self._keep_free)
                for piece, name in zip(pieces, names, strict=True):
                    kept.append(_written(piece, inside(root, name), started))
            except BaseException as error:
                for path in started:
                    path.unlink(missing_ok=True)
                if isinstance(error, OSError):
                    raise disk_error(error, root) from error
                raise
        return kept


def _alone(request: ImageRequest | UpscaleRequest) -> dict[str, Any]:
    return {"parameters": recipe.parameters(request), "seed": request.seed}


def _pieces(task: Task, output: Output, recipes: tuple[dict[str, Any], ...], keep: Keep) -> list[_Piece]:
    if task in _PICTURES:
        return [_picture(image, own, keep) for image, own in zip(output.images, recipes, strict=True)]
    if task == "music":
        return [_sound(audio, own) for audio, own in zip(output.audio, recipes, strict=True)]
    if not output.text:
        return []
    language = str(recipes[0]["parameters"].get("language", "")).casefold()
    suffix = SUFFIXES.get(language, ".txt") if task == "code" else ".txt"
    texts = zip(output.texts or (output.text,), recipes, strict=True)
    return [_Piece(text.encode("utf-8", "replace"), suffix, own, beside=True) for text, own in texts]


def _sound(audio: Audio, own: dict[str, Any]) -> _Piece:
    whole = explicit_label.on_sound(audio, own)
    behind = whole.samples.shape[1] - audio.samples.shape[1]
    told = recipe.to_json(own, ascii_only=True)
    notes = midi.put_text(audio.midi, told, explicit_label.in_notes(own)) if audio.midi else b""
    return _Piece(encode_wav(whole, own, behind), ".wav", own, midi=notes)


def _picture(image: Image.Image, own: dict[str, Any], keep: Keep) -> _Piece:
    encode = {"png": embed_image.encode_png, "webp": embed_image.encode_webp, "jpeg": embed_image.encode_jpeg}[
        keep.format
    ]
    data = encode(explicit_label.on_picture(image, own), own, keep.metadata)
    beside = not keep.metadata or (
        keep.format == "jpeg" and recipe.read_recipe(data) is None
    )  # a JPEG has room for 64 kB
    return _Piece(data, _FORMAT_SUFFIX[keep.format], own, beside)


def _sheet(sheet: Image.Image, first: dict[str, Any], keep: Keep) -> bytes:
    """The sheet as a PNG with the first cell's settings for other programs. It has no recipe: it is no picture."""
    from PIL import PngImagePlugin

    info = PngImagePlugin.PngInfo()
    if keep.metadata:
        info.add_text("parameters", infotext.write(first, axes=sheet.info.get("axes", ())))
    info.add_itxt(embedded.XMP_KEYWORD, ai_marks.xmp(first, keep.metadata))
    out = io.BytesIO()
    explicit_label.on_sheet(sheet, first).save(out, "PNG", pnginfo=info)
    return out.getvalue()


def _read(path: Path, root: Path) -> Artifact | None:
    """The artifact of one file, or None where it is none of ours."""
    task = path.relative_to(root).parts[0]
    made = scan.recipe_of(path, task)
    if made is None or made["task"] != task:
        return None
    try:
        with_text = task in ("code", "caption") and path.stat().st_size < recipe.MAX_CHARACTERS
        text = path.read_text(encoding="utf-8") if with_text else ""
    except (OSError, UnicodeDecodeError):
        return None
    return Artifact(
        id=_id(path, root),
        task=made["task"],
        files=(path,),
        text=text,
        recipe=made,
        recipes=(made,),
        finish=made["finish"],
    )


def _written(piece: _Piece, wanted: Path, made: list[Path]) -> Path:
    """Write a piece as `wanted`, or as `wanted-2`, `wanted-3` … where that is taken; returns its path.

    No name is claimed by an empty file, which a killed process would leave: every file gets its name when it is whole.

    Args:
        wanted: the path without a suffix.
        made: every file that was written is added to it, for who has to take them away again.
    """
    wanted.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in count(1):
        path = wanted.with_name(f"{wanted.name}{f'-{number}' if number > 1 else ''}{piece.suffix}")
        # What lies beside comes first: a recipe alone is passed over, a text alone has lost its own.
        files = [(sidecar(path), recipe.to_json(piece.recipe, indent=2) + "\n")] if piece.beside else []
        files += [(scan.notes(path), piece.midi)] if piece.midi else []
        if path.exists() or sidecar(path).exists() or any(file.exists() for file, _ in files):
            continue
        done: list[Path] = []
        try:
            for file, data in (*files, (path, piece.data)):
                write(file, data, new=True)
                done.append(file)
        except FileExistsError:  # another process was quicker
            for file in done:
                file.unlink(missing_ok=True)
            continue
        except BaseException:
            made += done
            raise
        made += done
        return path
    raise AssertionError


def _id(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
