"""Where else a model may be fetched from, and what helps, after its download failed."""

from __future__ import annotations

import html

from studio.errors import StudioError
from studio.i18n import text

_UNREACHED = ("hub_unreachable", "hub_broken", "hub_busy", "not_a_hub", "refused")
"""Errors that another place to fetch from may help with."""


def ways(error: StudioError | None) -> tuple[str, ...]:
    """What to try: orders of the panel (tabs.models.models_panel), each with its words below ``models.``."""
    if error is None or error.code not in (*_UNREACHED, "version_gone", "not_on_modelscope"):
        return ()
    if error.code == "version_gone":
        return ("newest",)
    if error.code == "not_on_modelscope" or "modelscope" in str(error.params.get("host", "")):
        return ("from_hub", "from_mirror")
    return ("from_modelscope", "from_hub" if "mirror" in str(error.params.get("host", "")) else "from_mirror")


def buttons(error: StudioError | None, model: str, spoken: str) -> str:
    """The same as buttons that open the panel, which does it and shows how it goes; "" where nothing helps."""
    asks = error is not None and error.code == "gated"
    orders = (("look", "token"),) if asks else tuple((way, way) for way in ways(error))
    drawn = "".join(
        f'<button type="button" class="a-offer" data-panel="{order}" data-model="{html.escape(model, quote=True)}">'
        f"{html.escape(text(f'models.{words}', spoken))}</button>"
        for order, words in orders
    )
    return f'<div class="a-offers" role="group">{drawn}</div>' if drawn else ""
