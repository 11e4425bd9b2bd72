"""The model files on this machine, and how they get here: bundled, a package index, the hub, a path of the user's."""

from studio.store.store import State, Store

__all__ = ["State", "Store"]
