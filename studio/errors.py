"""The one error that users meet.

Every failure a person can cause or fix is a `StudioError` with a *code*. What happened and what to do next
are looked up by code in assets/i18n, so the page, the command line and the API say the same thing in the
reader's language. Any other exception is a bug of ours: the service logs it and shows an id.
"""

from __future__ import annotations

from typing import Any

from studio.i18n import text

Param = str | int | float
_KEYS = {"field": "field.", "kind": "disk.kind.", "part": "disk.part.", "wanted": "chain.wanted."}
"""Parameter -> how a value begins that is a key of a text."""


class StudioError(Exception):
    """Something went wrong that the user can understand and act on.

    Args:
        code: key below `error.` in assets/i18n, for example ``"too_large"``.
        params: values for the placeholders in that text. Plain and picklable.
    """

    def __init__(self, code: str, **params: Param) -> None:
        super().__init__(code, params)
        self.code = code
        self.params = params

    def what(self, language: str = "en") -> str:
        """What happened, one sentence."""
        return text(f"error.{self.code}.what", language, **self._spoken(language))

    def next(self, language: str = "en") -> str:
        """What to do next, one sentence; may be empty."""
        return text(f"error.{self.code}.next", language, **self._spoken(language))

    def _spoken(self, language: str) -> dict[str, Param]:
        """The parameters with those that are keys of texts (``"field.width"``) in the reader's language."""
        return {
            name: text(value, language) if isinstance(value, str) and value.startswith(_KEYS.get(name, "\0")) else value
            for name, value in self.params.items()
        }

    def __str__(self) -> str:
        return f"{self.what()} {self.next()}".strip()

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.code, self.params)


def _restore(code: str, params: dict[str, Param]) -> StudioError:
    return StudioError(code, **params)


class Cancelled(Exception):
    """The person stopped the job. Raised inside engines and sources, never shown as an error."""
