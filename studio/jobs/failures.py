"""Failures of a model or the manager, as people hear of them."""

from __future__ import annotations

import logging
import secrets

from studio.catalog.card import Card
from studio.errors import StudioError

log = logging.getLogger("studio")


def titled(error: StudioError, card: Card) -> StudioError:
    """The manager speaks of keys, people of titles."""
    return StudioError(error.code, **{**error.params, "model": card.title}) if "model" in error.params else error


def bare(error: StudioError) -> StudioError:
    """The same without its causes: their frames would keep alive what the run had in its hands."""
    return StudioError(error.code, **error.params)


def out_of_memory(error: Exception, card: Card) -> StudioError | None:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "alloc" in str(error).lower():
        log.warning("out of memory while %s was working: %s", card.id, error)
        return StudioError("out_of_memory", model=card.title)
    return None


def internal(error: BaseException) -> StudioError:
    """A bug of ours: the log gets the details, the user a number to find them by."""
    number = secrets.token_hex(4)
    log.error("internal error %s", number, exc_info=error)
    return StudioError("internal", id=number)
