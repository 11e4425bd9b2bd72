"""Catalogue of models: assets/catalog.toml and the user's own models.toml, read into cards.

Knows nothing of downloads (studio.store) or of memory (studio.manager).
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from studio.catalog import variants
from studio.catalog.card import DEMO, VARIANT, Card, Source
from studio.catalog.card_reader import read_card
from studio.catalog.own_toml import FOLDERS
from studio.catalog.toml_reader import suggestion
from studio.errors import StudioError
from studio.i18n import ASSETS, text
from studio.paths import Home
from studio.requests import TASKS, Task

FEW_STEPS = 9
"""Up to this many denoising steps a model counts as quick."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A part of a catalogue file that was left out, and why. `table` and `field` are empty where all of it was."""

    file: Path
    table: str
    field: str
    message: str

    def __str__(self) -> str:
        place = ".".join(part for part in (self.table, self.field) if part)
        return f"{self.file.name}: {place}: {self.message}" if place else f"{self.file.name}: {self.message}"


@dataclass(slots=True)
class Catalog:
    """All models by id, and what could not be read.

    `cards` is never changed, only replaced as a whole: whoever goes through it may do so on any thread.
    """

    cards: Mapping[str, Card] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    _files: Mapping[str, Card] | None = None

    @classmethod
    def load(cls, home: Home, *, public: bool = False, demo: bool = False, builtin: Path | None = None) -> Catalog:
        """Read the catalogue. Never fails: what cannot be read is in `problems`.

        Args:
            public: strangers use it; the user's own models are left out.
            demo: instant stand-ins only.
            builtin: another file in place of assets/catalog.toml.
        """
        if demo:
            return cls(MappingProxyType({card.id: card for card in _demo_cards()}))
        cards: dict[str, Card] = {}
        problems: list[Problem] = []
        _read(builtin or ASSETS / "catalog.toml", home, False, cards, problems)
        if not public and home.own_models.exists():
            _read(home.own_models, home, True, cards, problems)
        return cls(MappingProxyType(cards), tuple(problems))

    def beside(self, found: Callable[[Collection[str]], Mapping[str, Card]]) -> None:
        """Have models stand beside those of the files, in place of such as stood there before.

        Args:
            found: given the ids that are taken, the others' cards.
        """
        if self._files is None:
            self._files = self.cards
        self.cards = MappingProxyType({**found(self._files.keys()), **self._files})

    def reread(self, home: Home, found: Callable[[Collection[str]], Mapping[str, Card]]) -> None:
        """Read the files anew, after one of them was changed."""
        fresh = Catalog.load(home)
        self._files, self.problems = fresh.cards, fresh.problems
        self.beside(found)

    def get(self, id: str) -> Card:
        """The card called `id`, also that of a variant: ``sd-turbo@int8``.

        Raises:
            StudioError: unknown_model, unknown_variant.
        """
        base, _, variant = id.partition(VARIANT)
        if base not in self.cards:
            raise StudioError("unknown_model", model=base + suggestion(base, self.cards))
        card = self.cards[base]
        if id == base:
            return card
        if variant not in (known := variants.of(card)):
            listed = ", ".join(f"{base}{VARIANT}{name}" for name in known) or "–"
            raise StudioError("unknown_variant", model=card.title, variant=variant[:40], variants=listed)
        return variants.derived(card, variant)

    def find(self, id: str) -> Card | None:
        """As `get`; None where there is none."""
        try:
            return self.get(id)
        except StudioError:
            return None

    def for_task(self, task: Task) -> tuple[Card, ...]:
        """The models for `task`: the starter, then the quick ones, small to big; unknown sizes, then no model, last.

        Second halves of others are none.
        """
        return tuple(
            sorted((card for card in self.cards.values() if task in card.tasks and not card.refines), key=_order)
        )


def _order(card: Card) -> tuple[bool, bool, bool, bool, int, str]:
    slow = card.defaults.get("steps", 0) > FEW_STEPS
    return (not card.starter, not card.has_files, not card.memory_bytes, slow, card.memory_bytes, card.title)


def _read(file: Path, home: Home, own: bool, cards: dict[str, Card], problems: list[Problem]) -> None:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(Problem(file, "", "", f"cannot be read: {error.strerror or error}"))
        return
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        problems.append(Problem(file, "", "", f"is not TOML: {error}"))
        return
    for name in document:
        if name not in (("models", FOLDERS) if own else ("models",)):
            problems.append(Problem(file, name, "", "a model's table is called [models.<id>]"))
    tables = document.get("models", {})
    if not isinstance(tables, dict):
        problems.append(Problem(file, "models", "", "a model's table is called [models.<id>]"))
        return
    for id, table in tables.items():
        if id in cards:
            problems.append(Problem(file, f"models.{id}", "", "this id is taken; choose another"))
            continue
        card = read_card(id, table, own=own, home=home.root)
        if isinstance(card, Card):
            cards[id] = card
        else:
            problems.extend(Problem(file, f"models.{id}", *flaw) for flaw in card)


def _demo_cards() -> tuple[Card, ...]:
    return tuple(
        Card(
            id=f"{DEMO}{task}",
            title=text(f"models.demo_{task}"),
            tasks=(task,),
            engine="fake",
            source=Source("bundled"),
            licence="Apache-2.0",
            licence_url="https://www.apache.org/licenses/LICENSE-2.0",
            commercial=True,
            parameters=1,
            disk_bytes=1,
            memory_bytes=1_000_000,
            least_memory=1_000_000,
            languages=("en", "zh"),
            summary={"en": "Instant made-up answers, to look around.", "zh-CN": "即时的虚构回答，用来随便看看。"},
            starter=True,
            limits={"max_pictures": 4} if task == "image" else {},
        )
        for task in TASKS
    )
