"""The person's own models: those on the disk already, in folders that they pointed at, and those that they name.

The part of studio.service that is about them: `studio.own`. Not for the public.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from studio.catalog import own_toml
from studio.catalog.card import Card
from studio.catalog.card_reader import read_card
from studio.catalog.catalog import Catalog
from studio.errors import StudioError
from studio.manager import Fleet
from studio.manager.fleet import on_processor
from studio.paths import Home
from studio.settings import Settings
from studio.store import Store
from studio.store import token as hub_token
from studio.store.disk import adaptations, cards, dropped, naming, repository
from studio.store.disk.adaptations import Notes
from studio.store.disk.cards import family_name
from studio.store.disk.folders import Folders
from studio.store.disk.look import Found
from studio.store.disk.naming import Named
from studio.store.disk.parts import Completed
from studio.store.disk.places import Place, usual
from studio.tasks.image import lora_files
from studio.tasks.image.lora_files import Placed

log = logging.getLogger("studio")


__all__ = ["Named", "Notes", "Own", "Place", "Report", "Seen", "family_name"]


@dataclass(frozen=True, slots=True)
class Seen:
    """A model that a look found.

    Attributes:
        found: what it is.
        card: how it would stand in the lists; None where it cannot be used.
        fits: some device has the memory for it.
        what: what it lacks, and where that comes from.
    """

    found: Found
    card: Card | None
    fits: bool
    what: Completed

    @property
    def reason(self) -> str:
        """A key of a text that says why it cannot be used; "" where it can."""
        if self.card is not None:
            return ""
        reason = self.found.reason or "lacks"
        return f"disk.{'why' if reason in _WHY else 'kind'}.{reason}"


_WHY = ("family", "part", "lora", "control", "reference", "depth", "network", "no_use", "code", "lacks")


@dataclass(frozen=True, slots=True)
class Report:
    """What a look found, models that can be used first. `remembered`: the folders that the person points at."""

    places: tuple[Place, ...]
    seen: tuple[Seen, ...]
    remembered: tuple[Path, ...]


class Own:
    """What a studio knows of the person's own models.

    Args:
        catalog: they stand in it beside the others.
    """

    def __init__(self, settings: Settings, home: Home, catalog: Catalog, store: Store, fleet: Fleet) -> None:
        self._closed_to = settings.public or settings.demo
        self._public = settings.public
        self._home, self._catalog, self._store, self._fleet = home, catalog, store, fleet
        self._folders = Folders(home)
        self._changing = threading.Lock()
        self._loras: tuple[Placed, ...] = ()
        self._controls: tuple[Path, ...] = ()
        self._references: tuple[Path, ...] = ()
        self._depths: tuple[Path, ...] = ()
        self._embeddings: tuple[Path, ...] = ()
        self._vaes: tuple[Path, ...] = ()
        self._refiners: tuple[Path, ...] = ()
        if not self._closed_to and (found := self._folders.last()):
            self._note(found)
            self._catalog.beside(lambda taken: cards.cards(found, taken))

    def refresh(self) -> threading.Thread | None:
        """Look again in the background at what the folders hold, and at the checkpoints' hashes.

        Returns the thread; None where nobody points at any folder.
        """
        if self._closed_to or not self._folders.watched():
            return None
        thread = threading.Thread(target=self._again, name="own-models", daemon=True)
        thread.start()
        return thread

    @property
    def loras(self) -> tuple[Placed, ...]:
        """Files of adaptations in the folders that the person points at."""
        return self._loras

    @property
    def controls(self) -> tuple[Path, ...]:
        """Files and folders of ControlNets in the folders that the person points at."""
        return self._controls

    @property
    def references(self) -> tuple[Path, ...]:
        """Files of IP-Adapters in the folders that the person points at."""
        return self._references

    @property
    def depths(self) -> tuple[Path, ...]:
        """Folders of networks that tell depth, where the person points at."""
        return self._depths

    @property
    def embeddings(self) -> tuple[Path, ...]:
        """Files of textual inversions in the folders that are pointed at."""
        return self._embeddings

    @property
    def vaes(self) -> tuple[Path, ...]:
        """Files of picture decoders in the folders that are pointed at."""
        return self._vaes

    @property
    def refiners(self) -> tuple[Path, ...]:
        """Checkpoints of refiners in the folders that are pointed at."""
        return self._refiners

    def family(self, model: str) -> str:
        """The family of a model that is on the disk, for what is made for such models; "" where nothing tells."""
        card = self._catalog.find(model)
        try:
            if card is None or self._store.state(card) != "ready":
                return ""
            return adaptations.model_family(
                Path(card.source.path) if card.source.kind == "local" else self._store.path(card)
            )
        except (StudioError, OSError):
            return ""

    def folders(self) -> tuple[Path, ...]:
        """The folders that the person points at."""
        return () if self._public else self._folders.remembered()

    def look(self, folders: Iterable[Path] = ()) -> Report:
        """What lies in these folders, in those of other programs where none is named. Nothing is kept.

        Raises:
            StudioError: not_for_public; no_folder where one does not exist.
        """
        self._private()
        looked = self._folders.look(folders)
        made = {card.source.path: card for card in cards.cards(looked.found, ()).values()}
        lacking = cards.completed(looked.found)
        seen = [self._seen(one, made.get(str(one.path)), lacking) for one in looked.found]
        seen.sort(key=lambda one: (one.card is None, one.found.tasks, one.found.title.casefold()))
        return Report(looked.places, tuple(seen), self._folders.remembered())

    def remember(self, folders: Iterable[Path]) -> int:
        """Point at these folders from now on; their models stand in the lists. Returns how many those are.

        Raises:
            StudioError: not_for_public, no_folder, bad_own_models, cannot_write.
        """
        self._private()
        self._folders.remember(folders)
        return self._again()

    def forget(self, folder: Path) -> int:
        """Point at this folder no longer. Returns how many models of the others are left.

        Raises:
            StudioError: not_for_public, no_folder, bad_own_models, cannot_write.
        """
        self._private()
        self._folders.forget(folder)
        return self._again()

    def name(self, text: str, choice: str = "") -> Named:
        """What a model is that a person names: a hub id, an address of the hub or of ModelScope, or a path.

        Args:
            choice: one of its quantisations or files, where it has several.

        Raises:
            StudioError: not_for_public; why it cannot be found or used (studio.store.disk.naming).
        """
        self._private()
        where = naming.parse(text)
        named = naming.of_path(where, self._folders.last()) if where.kind == "path" else repository.of_repository(where)
        return named.chosen(choice) if choice and named.choices else named

    def dropped(self, name: str, nbytes: int | None) -> Path:
        """Where a file or folder (`nbytes` None) lies that was dropped onto the page, among the usual places.

        Raises:
            StudioError: not_for_public, dropped_unfound.
        """
        self._private()
        near = (self._home.models, *self._folders.remembered(), *(one.folder for one in usual(os.environ, Path.home())))
        return dropped.find(name, nbytes, (*near, *dropped.usual(Path.home())))

    def fits(self, named: Named, nbytes: int = 0) -> bool:
        """Whether some device has the memory for a named model, or for `nbytes` of it."""
        needed, managers = int((nbytes or named.nbytes) * 1.1), self._fleet.suited(on_processor(named.engine))
        return any(needed <= manager.status().budget for manager in managers)

    def add(self, named: Named, id: str = "") -> Card:
        """Write a named model into models.toml; it stands in the lists at once.

        Args:
            id: what it is called there; made of its title by default.

        Raises:
            StudioError: not_for_public; no_choice where it has several and none was chosen; taken_id, bad_own_models,
                cannot_write.
        """
        self._private()
        if named.choices:
            raise StudioError("no_choice", name="–", names=", ".join(one.name for one in named.choices))
        with self._changing:
            wanted = id or cards.plain_id(named.title, self._catalog.cards)
            if wanted in self._catalog.cards:
                raise StudioError("taken_id", model=wanted)
            if isinstance(read := read_card(wanted, named.table(), own=True, home=self._home.root), list):
                raise StudioError("bad_own_models", path=wanted, reason="; ".join(f"{f} {m}" for f, m in read))
            own_toml.add(self._home.own_models, wanted, named.table())
            found = self._folders.last()
            self._catalog.reread(self._home, lambda taken: cards.cards(found, taken))
            return self._catalog.get(wanted)

    def keep_token(self, token: str) -> None:
        """Keep an access token of the hub, for models that ask people to accept their licence first.

        Raises:
            StudioError: not_for_public, token_refused.
        """
        self._private()
        hub_token.keep(token)

    def hashed(self, short: str) -> str:
        """The id of the checkpoint that has this hash, as a picture's settings name it; "" where none is known."""
        file = self._store.hashes.named(short)
        if file is None or self._public:
            return ""
        return next((card.id for card in self._catalog.cards.values() if card.source.path == str(file)), "")

    def _again(self) -> int:
        with self._changing:
            found = self._folders.again()
            made: Mapping[str, Card] = {}

            def beside(taken: Collection[str]) -> Mapping[str, Card]:
                nonlocal made
                made = cards.cards(found, taken)
                return made

            self._catalog.reread(self._home, beside)
            self._note(found)
        self._store.hashes.ask(one.path for one in found if one.engine == "diffusion" and one.usable)
        return len(made)

    def _seen(self, one: Found, card: Card | None, lacking: Mapping[str, Completed]) -> Seen:
        fits = card is not None and card.needed <= self._fleet.room(card)[1]
        return Seen(one, card, fits, lacking.get(str(one.path), Completed({})))

    def _private(self) -> None:
        if self._public:
            raise StudioError("not_for_public")

    def _note(self, found: Collection[Found]) -> None:
        """Keep in mind what of a look is no model: adaptations, ControlNets, IP-Adapters, inversions, decoders."""
        pointed = tuple(Path(os.path.abspath(one.expanduser())) for one in self._folders.remembered())
        loras = (one.path for one in found if one.weights.kind == "lora" and one.reason == "lora")
        self._loras = tuple(lora_files.placed(file, pointed) for file in loras)
        self._controls = tuple(one.path for one in found if one.reason == "control")
        self._references = tuple(one.path for one in found if one.reason == "reference")
        self._depths = tuple(one.path for one in found if one.reason == "depth")
        self._embeddings = tuple(one.path for one in found if one.weights.kind == "embedding")
        self._vaes = tuple(one.path for one in found if one.weights.kind == "vae" and one.path.is_file())
        self._refiners = tuple(one.path for one in found if one.weights.family == "sdxl-refiner" and one.path.is_file())
