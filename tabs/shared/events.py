"""Event settings: how Gradio's events behave on this page."""

from __future__ import annotations

from typing import Any

_SILENT: dict[str, Any] = {
    "show_progress": "hidden", "show_progress_on": [], "api_visibility": "private", "trigger_mode": "multiple",
}  # fmt: skip
"""Progress is ours to show. Hidden alone is not enough: Gradio then still tells every output of every event, seen or
not, at each step that nothing is to be shown, and looks each of them up by a walk through all components: a third of
the browser's work while the page opens."""


def quick() -> dict[str, Any]:
    """Event settings for what must never wait behind anything: Stop, lists, switches."""
    return {**_SILENT, "queue": False}


def crossing(tab: str) -> dict[str, Any]:
    """Event settings for what changes another tab. That may never have been opened: its fields are fetched first."""
    return {**quick(), "js": f"(...values) => atelier.opened({tab!r}, values)"}


def pumping(js: str | None = None) -> dict[str, Any]:
    """Event settings for handlers that follow a job. The studio orders jobs itself, so Gradio does not limit them."""
    return {**_SILENT, "queue": True, "concurrency_limit": None, "js": js}
