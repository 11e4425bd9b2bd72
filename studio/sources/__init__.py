"""How model files get here: bundled, out of a package index, from the hub, or a path of the user's."""

from studio.sources.store import State, Store

__all__ = ["State", "Store"]
