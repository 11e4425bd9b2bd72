"""Salvage: pictures of a group on their way, each on disk once it is painted, so that a crash costs one and not all.

    <root>/<job>/outputs/image/…   what the group has so far, under the names that they would have in the library

They go when the group is kept. What a failed or killed one leaves goes into the library: each file has its recipe.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from studio.errors import StudioError
from studio.library.outputs import Library
from studio.library.scan import sidecar
from studio.paths import Home

log = logging.getLogger("studio")


class Salvage:
    """The pictures of one studio's groups.

    Args:
        root: where they lie.
        library: where those go whose group did not end well.
    """

    def __init__(self, root: Path, library: Library) -> None:
        self._root, self._library = root, library

    def shelf(self, job: str) -> Library:
        """Where the finished pictures of a job are written."""
        return self._library.aside(Home(self._root / job))

    def over(self, job: str, *, failed: bool) -> None:
        """A group has ended; what a failed one has is kept."""
        if not (self._root / job).is_dir():
            return
        if not failed or self._rescued(self._root / job)[1]:
            shutil.rmtree(self._root / job, ignore_errors=True)

    def rescue(self, left: Path) -> dict[str, tuple[str, ...]]:
        """Keep what the groups of a dead studio have: job -> ids of outputs. What the disk refuses stays for the next
        start."""
        kept: dict[str, tuple[str, ...]] = {}
        for folder in sorted(left.iterdir()) if left.is_dir() else []:
            found, whole = self._rescued(folder)
            kept[folder.name] = tuple(map(self._library.id, found))
            if whole:
                shutil.rmtree(folder, ignore_errors=True)
        return kept

    def _rescued(self, folder: Path) -> tuple[list[Path], bool]:
        """Move what a group has into the library: what is there, and whether that is all of it."""
        outputs, found, whole = Home(folder).outputs, list[Path](), True
        files = [path for path in outputs.rglob("*") if path.is_file() and not path.name.startswith(".")]
        besides = {sidecar(file) for file in files}
        for file in sorted(set(files) - besides):
            try:
                found.append(self._library.adopt(file, file.relative_to(outputs)))
            except StudioError as error:
                log.warning("%s stays where it is: %s", file, error)
                whole = False
        if found:
            log.warning("Pictures of a group that did not end are in the library: %s", len(found))
            self._library.told(tuple(found))
        return found, whole
