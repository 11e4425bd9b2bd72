"""Surfaces of the API: which addresses belong to which, and in which words each says no.

Imports nothing, because the page's door asks about every request whether it is one of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Shape = Literal["openai", "jobs", "llama", "sdapi", "plain"]
"""How an error is written: as OpenAI does; the same with its values, for studios that say it in their own words; as
llama.cpp; as AUTOMATIC1111; or as `{"error": words}`."""


@dataclass(frozen=True, slots=True)
class Surface:
    """Addresses that one module answers.

    Attributes:
        place: the module; its `routes(desk: studio.api.submitting.Desk)` gives a fastapi.APIRouter with whole paths.
        below: how the paths begin: each is one path and all that lie below it.
        open: paths that ask for no key: they tell nothing, or what follows cannot be guessed. Those that end in a slash
            stand for all below them.
    """

    place: str
    below: tuple[str, ...]
    shape: Shape
    open: tuple[str, ...] = ()

    def opens(self, path: str) -> bool:
        """Whether a path asks for no key."""
        return any(path == one or (one.endswith("/") and path.startswith(one)) for one in self.open)


SURFACES: tuple[Surface, ...] = (
    Surface("studio.api.jobs", ("/v1/jobs",), "jobs"),
    Surface("studio.api.files", ("/v1/files",), "openai", open=("/v1/files/",)),
    Surface("studio.api.llama", ("/infill", "/health", "/props", "/v1/props", "/v1/health", "/v1/fim"), "llama",
            open=("/health", "/v1/health")),
    Surface("studio.api.openai", ("/v1",), "openai"),
    Surface("studio.api.sdapi", ("/sdapi", "/controlnet"), "sdapi"),
    Surface("studio.api.metrics", ("/metrics",), "plain"),
    Surface("studio.api.mcp", ("/mcp",), "plain"),
)  # fmt: skip
"""The first that has a path answers it."""


def local_path(scope: Mapping[str, Any]) -> str:
    """The path of a request below the place where the app is mounted."""
    root = scope.get("root_path", "")
    path = scope["path"]
    return path[len(root) :] if root and path.startswith(root + "/") else path


def surface(path: str) -> Surface | None:
    """Whose a path is; None for one of the page's."""
    for one in SURFACES:
        if any(path == begin or path.startswith(begin + "/") for begin in one.below):
            return one
    return None
