"""The runs of one person: begun from a folder, a zip or single files, found again, and cleared away in the end."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from studio.errors import StudioError
from studio.paths import disk_error, require_space, unused
from studio.tasks.bounds import MAX_IMAGE_BYTES_PUBLIC
from studio.tasks.caption import folder, zips
from studio.tasks.caption.edits import MODES, Edits, Mode
from studio.tasks.caption.folder import Passed
from studio.tasks.caption.plan import Plan
from studio.tasks.caption.run import Run

_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
KEPT_SENT = 5
"""Runs whose pictures were sent, and are kept here with them; the oldest go first."""
MAX_WORDS = 100
SWELLS, SWELLS_LEAST = 10, 10_000_000
"""Times as many bytes as a stranger's zip has, and bytes besides, that are taken out of it."""
_LIMITS = {"trigger": 200, "find": 200, "ban": 200}


@dataclass(frozen=True, slots=True)
class Manner:
    """How a run writes: see Plan."""

    mode: Mode = "skip"
    edits: Edits = field(default_factory=Edits)
    recursive: bool = False
    dry: bool = False


class Desk:
    """The runs in one folder.

    Args:
        public: strangers send pictures; no path of this machine, and stricter limits.
        keep_free: bytes that unpacking leaves free on the disk.
    """

    def __init__(self, root: Path, *, public: bool = False, keep_free: int = 0) -> None:
        self._root, self._public, self._keep_free = root, public, keep_free

    def of_folder(self, path: Path, manner: Manner, again: bool = False) -> Run:
        """A run over a folder of the user's own. Captions are written into it.

        Args:
            again: although an earlier run of this folder was not finished.

        Raises:
            StudioError: not_for_public, folder_not_found, no_pictures, too_many_pictures; caption_run_open where an
                earlier run of the folder was not finished.
        """
        if self._public:
            raise StudioError("not_for_public")
        _check(manner)
        root = path.expanduser().absolute()
        if not manner.dry and not again and (before := self.unfinished(root)) is not None:
            raise StudioError("caption_run_open", id=before.id)
        root = root.resolve()
        found = folder.find_pictures(root, manner.recursive)
        return Run.create(self._new(), _plan(str(root), found.keys, found.passed, manner))

    def of_files(self, files: Sequence[Path], manner: Manner) -> Run:
        """A run over pictures, texts and zips that were sent; they are copied, and captions are written beside them.

        Raises:
            StudioError: no_pictures, too_many_pictures, bad_zip, zip_too_large, no_space.
        """
        _check(manner)
        self._clear()
        place = self._new()
        pictures = place / "pictures"
        most = zips.MAX_BYTES_PUBLIC if self._public else zips.MAX_BYTES
        each = MAX_IMAGE_BYTES_PUBLIC if self._public else 0
        passed: list[Passed] = []
        renamed: list[tuple[str, str]] = []
        try:
            pictures.mkdir(mode=0o700, parents=True)
            for file in files:
                if file.suffix.lower() == ".zip":
                    into = unused(pictures / file.stem) if len(files) > 1 else pictures
                    into.mkdir(mode=0o700, exist_ok=True)
                    fair = min(most, _swelling(file)) if self._public else most
                    out = zips.unpack(file, into, most_bytes=fair, most_each=each, keep_free=self._keep_free)
                    passed, renamed = passed + out.passed, renamed + out.renamed
                elif file.name.lower().endswith((*folder.SUFFIXES, *folder.TEXTS, folder.LISTING)):
                    require_space(place, file.stat().st_size, self._keep_free)
                    shutil.copyfile(file, unused(pictures / file.name))
                else:
                    passed.append(folder.other(file.name, _head(file)))
            found = self._found(pictures, [*files], passed)
            plan = _plan("", found.keys, (*passed, *found.passed), replace(manner, recursive=True))
            return Run.create(place, replace(plan, renamed=tuple(renamed)))
        except BaseException as error:
            shutil.rmtree(place, ignore_errors=True)
            if isinstance(error, OSError):
                raise disk_error(error, place) from error
            raise

    def _found(self, pictures: Path, files: Sequence[Path], passed: list[Passed]) -> folder.Found:
        try:
            return folder.find_pictures(pictures, True, folder.MOST_PUBLIC if self._public else folder.MOST)
        except StudioError as error:
            if error.code not in ("no_pictures", "no_readable_pictures"):
                raise
            name = files[0].name if len(files) == 1 else "–"
            raise folder.nothing(name, passed) from None

    def open(self, id: str) -> Run:
        """A run by its id, or the newest for "last". Raises StudioError unknown_caption_run."""
        if id == "last" and (runs := self.ids()):
            id = runs[0]
        if not _ID.fullmatch(id):
            raise StudioError("unknown_caption_run", id=id[:60])
        return Run(self._root / id)

    def ids(self) -> list[str]:
        """The ids of all runs, newest first."""
        if not self._root.is_dir():
            return []
        return sorted((entry.name for entry in self._root.iterdir() if _ID.fullmatch(entry.name)), reverse=True)

    def runs(self, limit: int = 20) -> list[Run]:
        """The newest runs; what is damaged is left out."""
        found: list[Run] = []
        for id in self.ids():
            if len(found) >= limit:
                break
            try:
                found.append(self.open(id))
            except StudioError:
                continue
        return found

    def unfinished(self, path: Path) -> Run | None:
        """The newest run over a folder, where that was not finished and was no dry run."""
        root = str(path.expanduser().resolve())
        newest = next((run for run in self.runs(200) if run.plan.root == root and not run.plan.dry), None)
        return newest if newest is not None and not newest.finished else None

    def _new(self) -> Path:
        return self._root / f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"

    def _clear(self) -> None:
        """Remove the oldest of the runs whose pictures lie here."""
        sent = [id for id in self.ids() if (self._root / id / "pictures").is_dir()]
        for id in sent[KEPT_SENT - 1 :]:
            shutil.rmtree(self._root / id, ignore_errors=True)


def forget(runs: Iterable[Path], seconds: float) -> None:
    """Remove runs that nobody has touched for so long: what strangers sent is not kept for ever.

    Args:
        runs: their folders.
    """
    for place in runs:
        with contextlib.suppress(OSError):
            journal = place / "journal.jsonl"
            touched = (journal if journal.exists() else place).stat().st_mtime
            if _ID.fullmatch(place.name) and time.time() - touched > seconds:
                shutil.rmtree(place, ignore_errors=True)


def _plan(root: str, keys: tuple[str, ...], passed: Iterable[Passed], manner: Manner) -> Plan:
    return Plan(root, keys, manner.mode, manner.edits, manner.recursive, manner.dry, {}, tuple(passed))


def _check(manner: Manner) -> None:
    """Raises StudioError: a mode that does not exist, edits that are too many or too long."""
    if manner.mode not in MODES:
        raise StudioError("not_a_choice", field="field.mode", value=str(manner.mode)[:40], choices=", ".join(MODES))
    given = manner.edits
    texts = {
        "trigger": [given.trigger], "ban": list(given.ban), "find": [part for pair in given.replace for part in pair]
    }  # fmt: skip
    for name, words in texts.items():
        if len(words) > 2 * MAX_WORDS:
            raise StudioError("too_many", field=f"field.{name}", count=len(words), limit=MAX_WORDS)
        for word in words:
            if len(word) > _LIMITS[name]:
                raise StudioError("too_long", field=f"field.{name}", count=len(word), limit=_LIMITS[name])
    if given.token_limit and not 10 <= given.token_limit <= 10_000:
        raise StudioError("out_of_range", field="field.token_limit", value=given.token_limit, low=10, high=10_000)


def _head(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(1000)


def _swelling(file: Path) -> int:
    """Bytes that a stranger's zip may come to: pictures hardly shrink, and what shrinks to nothing is nothing."""
    return SWELLS_LEAST + SWELLS * file.stat().st_size
