"""What lies beside the models, in home and elsewhere: adaptations, ControlNets, VAEs, and more of that kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from studio.catalog.catalog import Catalog
from studio.own import Own
from studio.paths import Home
from studio.store import Store
from studio.tasks.image.control_files import ControlNets
from studio.tasks.image.detector_files import Detectors
from studio.tasks.image.prepare import PromptFiller
from studio.tasks.image.reference_files import IPAdapters
from studio.tasks.image.refiner_files import Refiners
from studio.tasks.image.vae_files import Vaes


class Beside:
    """The lists of them, each with what the person's folders and other programs have. Empty on a public studio.

    Args:
        own: asked each time: it is made later than this.
    """

    def __init__(self, home: Home, catalog: Catalog, store: Store, own: Callable[[], Own], *, public: bool) -> None:
        self._home, self._catalog, self._store, self._own, self._public = home, catalog, store, own, public
        self.prompts = PromptFiller(home, lambda: own().loras, public=public)
        self.controls = ControlNets(home, lambda: own().controls, lambda: own().depths, public=public)
        self.references = IPAdapters(home, lambda: own().references, public=public)
        self.vaes = Vaes(home, lambda: own().vaes, public=public)
        self.refiners = Refiners(home, self._refiner_places, public=public)
        self.detectors = Detectors(home, public=public)

    def folders(self) -> tuple[Path, ...]:
        """Where adaptations, embeddings, VAEs, refiners and detectors lie, the studio's own folders first; behind them
        where IP-Adapters and then ControlNets do, of each its own last."""
        if self._public:
            return ()
        others = (*(one.root for one in self._own().loras), *(file.parent for file in self._own().embeddings))
        others = (*others, *self.vaes.folders(), *self.refiners.folders(), *self.detectors.folders())
        others = (*others, *self.references.folders(), *self.controls.folders())
        return tuple(dict.fromkeys((self._home.loras, self._home.embeddings, *others)))

    def _refiner_places(self) -> tuple[Path, ...]:
        """The refiners of the catalogue that are on disk, and those in the person's folders."""
        cards = (card for card in self._catalog.cards.values() if card.refines and self._store.state(card) == "ready")
        return (*(self._store.path(card) for card in cards), *self._own().refiners)
