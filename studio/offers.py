"""An offer: one thing that a person may change about a request that failed, with a click.

Plain values, for jobs and pages. Who finds them: studio.ladder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.i18n import text

AGAIN = "again"
"""The offer to try once more at once, with nothing changed."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One way on.

    Attributes:
        kind: what it is, a key below `offer.`.
        changes: fields of the request, with what they become; None leaves one to the model's default.
        params: what its text says.
    """

    kind: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)

    def said(self, language: str) -> str:
        """What its button says."""
        return text(f"offer.{self.kind}", language, **self.params)
