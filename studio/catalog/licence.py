"""A model's licence in words; one that nobody has named is not known, which is neither free nor forbidden."""

from __future__ import annotations

from studio.catalog.card import Commercial
from studio.i18n import text

UNKNOWN = "unknown"


def name(licence: str, language: str) -> str:
    """What the licence is called."""
    return text("page.licence_unknown", language) if licence.strip() in ("", UNKNOWN) else licence


def limit(commercial: Commercial, language: str) -> str:
    """What it forbids; empty where that is nothing, or not known."""
    if commercial == "under-1m":
        return text("page.commercial_under_1m", language)
    return text("page.non_commercial", language) if commercial is False else ""


def said(licence: str, commercial: Commercial, language: str) -> str:
    """Both in one line."""
    return " · ".join(filter(None, (name(licence, language), limit(commercial, language))))
