"""Small models that only the lab uses, as cards: a GAN and a matcher. They come with the studio.

They stand in no list of models, since nothing in a tab can be asked of them; in memory they are models like others.
"""

from __future__ import annotations

from studio.catalog.card import Card, Part, Source
from studio.catalog.catalog import Catalog

_LICENCE = ("Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0")


def gan() -> Card:
    """The GAN that paints icons."""
    return _card("gan", "GAN", "gan", 8 << 20)


def matcher(catalog: Catalog) -> Card:
    """The matcher; its text encoder is that of the picture starter, and is fetched with it."""
    painter = catalog.find("icons")
    return _card("matcher", "Matcher", "matcher", 160 << 20, painter.parts if painter is not None else ())


def _card(id: str, title: str, engine: str, memory: int, parts: tuple[Part, ...] = ()) -> Card:
    licence, address = _LICENCE
    return Card(
        id=id, title=title, tasks=(), engine=engine, source=Source("bundled", path=id), licence=licence,
        licence_url=address, commercial=True, parameters=0, disk_bytes=0, memory_bytes=memory, least_memory=memory,
        languages=("en", "zh"), summary={}, starter=True, parts=parts,
    )  # fmt: skip
