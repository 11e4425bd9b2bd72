"""The model files on this machine: are they here, where, how large; fetch them, delete them.

One door for the four kinds of source, and for models whose parts come from several. States are read from disk each
time, so a folder that the user deletes is simply absent.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from studio.catalog.card import Card, Part, measure
from studio.errors import Cancelled, StudioError
from studio.paths import Home
from studio.store import composite, local, manifest, origin
from studio.store.disk.hashes import ModelHashes
from studio.store.fetching import Progress, Told, untold
from studio.store.item import Pieces, State, lock_name

log = logging.getLogger("studio")

_HERE = ("bundled", "local", "remote")
"""Kinds of sources that have nothing to fetch: their own files are on this machine in any case, or never."""


class Store:
    """Model files below `home`. Safe to use from several threads and several processes.

    Args:
        offline: never try the network.
        keep_free: bytes of disk space that downloads leave.

    Attributes:
        hashes: of the files of checkpoints.
    """

    def __init__(self, home: Home, *, offline: bool = False, keep_free: int = 0) -> None:
        self._home = home
        self._offline = offline
        self._pieces = Pieces(home, keep_free)
        self._prints = composite.Fingerprints()
        self.hashes = ModelHashes(home.cache / "hashes.json")

    def close(self) -> None:
        """Read no more in the background."""
        self.hashes.close()

    def model_hash(self, card: Card) -> str:
        """The short hash of a checkpoint of one file; "" for other models, and where it is still being read."""
        file = local.place(card)
        if card.source.kind != "local" or not file.is_file() or card.engine != "diffusion":
            return ""
        if not (found := self.hashes.short(file)):
            self.hashes.ask((file,))
        return found

    def state(self, card: Card) -> State:
        """Whether the card's files are here, optional parts aside. Cheap: no file is read but short lists of them."""
        if _stays(card):
            return "ready" if local.there(card) else "absent"
        if card.source.kind in _HERE and not local.there(card):
            return "absent"
        states = [self._pieces.state(piece) for piece in _needed(card)]
        if all(state == "ready" for state in states):
            return "ready"
        return "absent" if states[0] == "absent" else "partial"

    def path(self, card: Card) -> Path:
        """The card's folder, or its one file. A folder that is put together of parts is brought up to date first.

        Raises:
            StudioError: not_on_disk, missing_files, or unsafe_file for a path of the user's; disk_full, cannot_write.
        """
        self.model_hash(card)
        if _stays(card):
            return local.checked(card)
        if card.source.kind in _HERE:
            local.checked(card)
        for piece in _needed(card):
            if self._pieces.state(piece) != "ready":
                raise self._pieces.missing(piece, card.disk_bytes)
        if card.source.kind in _HERE:
            return self._assembled(card)
        folder = self._pieces.folder(card)
        place = manifest.single(folder, self._pieces.files(card))
        if card.parts:
            place = place if place.is_dir() else place.parent
            for part in card.parts:
                self._link(card, part, folder, place)
        return place

    def fetch(self, card: Card, progress: Progress, cancelled: Callable[[], bool], told: Told = untold) -> Path:
        """Bring the card's files here, going on where an earlier call stopped, and return `path(card)`.

        Blocks until done; a second caller waits for the first and then finds the files. An optional part that
        cannot be had is left out.

        Args:
            progress: called with bytes done and bytes in all (0 = unknown); often, from this thread.
            cancelled: asked at least every half second.
            told: hears when a server asks to wait, and notes, from this thread.

        Raises:
            Cancelled: the person stopped it; what arrived is kept.
            StudioError: offline_setting; what studio.store.hub and studio.store.package_index raise.
        """
        if _stays(card):
            return self.path(card)
        if card.source.kind in _HERE:
            local.checked(card)
        needed = _needed(card)
        missing = [piece for piece in _all(card) if self._pieces.state(piece) != "ready"]
        if self._offline:
            if any(piece in needed for piece in missing):
                raise StudioError("offline_setting", model=card.title)
            missing = []
        before = 0
        for i, piece in enumerate(missing):
            tally = _Tally(progress, before, sum(later.disk_bytes for later in missing[i + 1 :]))
            try:
                self._pieces.bring(piece, tally, cancelled, told)
            except StudioError as error:
                if piece in needed:
                    raise
                log.warning("%s works without an optional part that did not come: %s", card.id, error)
            before += tally.done
        return self.path(card)

    def delete(self, card: Card) -> int:
        """Delete what was fetched for the card, whole or part, and return the bytes freed.

        Bundled originals and the user's own paths are never touched. A part that another model uses stays.

        Raises:
            StudioError: busy_download while it is being fetched; cannot_write.
        """
        pieces = () if _stays(card) else _all(card)
        if all(self._pieces.state(piece) == "absent" for piece in pieces):
            return 0
        freed = 0
        try:
            with ExitStack() as locks:
                for name in sorted({lock_name(piece) for piece in (card, *pieces)}):
                    looks = iter((False, False, True))
                    alone = self._pieces.alone(name, lambda looks=looks: next(looks, True), lambda: None)
                    locks.enter_context(alone)
                if card.source.kind in _HERE:
                    top = composite.home_of(self._home, card)
                    freed += composite.alone(top)
                    shutil.rmtree(top, ignore_errors=True)
                for piece in pieces:  # the card's own folder first: with it go the links to its parts
                    if piece is card or not composite.shared(self._pieces.files(piece)):
                        freed += self._pieces.drop(piece)
        except Cancelled:
            raise StudioError("busy_download", model=card.title) from None
        return freed

    def renew(self, card: Card) -> None:
        """Have the next download take the newest version of what comes from the hub; what is here of another goes.

        Raises:
            StudioError: busy_download; cannot_write.
        """
        self.delete(card)
        for piece in () if _stays(card) else _all(card):
            self._pieces.renew(piece)

    def choose_origin(self, where: str) -> None:
        """Remember where files are to come from: "hub", "mirror", "modelscope" or an address. Raises bad_origin."""
        origin.choose(self._home, where)

    def came(self, card: Card) -> str:
        """The host that the card's own files came from; "" for the hub itself."""
        return origin.came(self._home, card.source.repo) if card.source.kind == "hub" else ""

    def elsewhere(self, card: Card) -> bool:
        """Whether files of the card lie in the cache of the hub's library, where other programs use them too."""
        return not _stays(card) and any(self._pieces.elsewhere(piece) for piece in _all(card))

    def bytes_on_disk(self, card: Card) -> int:
        """What the card's files occupy now, unfinished downloads included; 0 where nothing was fetched yet."""
        if _stays(card):
            return measure(local.place(card)) if card.source.path else 0
        fetched = sum(self._pieces.used(piece) for piece in _all(card))
        return fetched + measure(local.place(card)) if fetched and card.source.kind in _HERE else fetched

    def revision(self, card: Card) -> str:
        """What names the exact files that decide the output; "" where nothing does.

        A commit of the hub, a package's version or a fingerprint of bundled files, and those of the needed parts.
        """
        own = ""
        if card.source.kind == "bundled" and card.source.path:
            own = self._prints.of(composite.bundled_files(card))
        elif card.source.kind in ("hub", "package"):
            own = self._pieces.name(card)
        needed = [self._named(card, part) for part in card.parts if not part.optional]
        return " + ".join(filter(None, (own, *needed)))

    # ---- putting together

    def _named(self, card: Card, part: Part) -> str:
        """The exact files of a part: ``text_encoder name==1.0``."""
        return " ".join(filter(None, (part.folder, part.source.repo, self._pieces.name(composite.as_card(card, part)))))

    def _fetched(self, card: Card, part: Part) -> dict[str, Path]:
        """The part's files by their names in the model's folder; empty unless all are here."""
        piece = composite.as_card(card, part)
        folder = self._pieces.folder(piece)
        return composite.layout(part, {file.relative_to(folder).as_posix(): file for file in self._pieces.files(piece)})

    def _link(self, card: Card, part: Part, folder: Path, place: Path) -> None:
        """Bring the part's files into the model's own folder; a file of the model itself stays what it is."""
        own = set(self._pieces.files(card))
        wanted = {name: file for name, file in self._fetched(card, part).items() if place / name not in own}
        if composite.missing(place, wanted):
            with self._pieces.alone(lock_name(card), lambda: False, lambda: None):
                composite.link(place, composite.missing(place, wanted))
                sizes = {(place / name).relative_to(folder).as_posix(): f.stat().st_size for name, f in wanted.items()}
                manifest.add_links(folder, card, part.folder, sizes)

    def _assembled(self, card: Card) -> Path:
        """The folder of a bundled model with its parts; made where it is not there as it should be.

        Of a model of the person's it holds the parts alone: whoever loads it knows where its own files are.
        """
        own = composite.bundled_files(card)
        linked: dict[str, Path] = {}
        contents = [self._prints.of(own)]
        for part in card.parts:
            if found := self._fetched(card, part):
                linked.update({name: file for name, file in found.items() if name not in own})
                contents.append(f"{self._named(card, part)}: {sorted(found)}")
        folder = composite.home_of(self._home, card) / composite.short_hash("\n".join(contents))
        everything = {**own, **linked}
        if composite.missing(folder, everything):
            with self._pieces.alone(lock_name(card), lambda: False, lambda: None):
                if composite.missing(folder, everything):
                    composite.assemble(folder, own, linked)
        return folder


class _Tally:
    """Progress over several pieces, told as that of one: after `before` bytes, with `after` bytes to come."""

    def __init__(self, progress: Progress, before: int, after: int) -> None:
        self._progress, self._before, self._after = progress, before, after
        self.done = 0

    def __call__(self, done: int, total: int) -> None:
        self.done = done
        self._progress(self._before + done, self._before + total + self._after if total else 0)


def _all(card: Card) -> tuple[Card, ...]:
    """What is fetched for the card, each piece as a card: its own files, then its parts, optional ones last."""
    pieces = [*_needed(card)]
    for part in card.parts:
        if (piece := composite.as_card(card, part)) not in pieces:  # two folders may want the same files
            pieces.append(piece)
    return tuple(pieces)


def _needed(card: Card) -> tuple[Card, ...]:
    own = () if card.source.kind in _HERE else (card,)
    return (*own, *(composite.as_card(card, part) for part in card.parts if not part.optional))


def _stays(card: Card) -> bool:
    """Its files are used where they are, and are not ours to fetch or delete."""
    return card.source.kind in _HERE and not card.parts
