"""Source of what an experiment shows, as it stands in our files."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]


def sources(shown: Sequence[Callable[..., Any]]) -> list[dict[str, Any]]:
    """For each function or class its file below the project's root, its first line and its text."""
    found = []
    for one in shown:
        lines, first = inspect.getsourcelines(one)
        file = Path(inspect.getsourcefile(one) or "").resolve().relative_to(_ROOT).as_posix()
        found.append({"file": file, "line": first, "text": textwrap.dedent("".join(lines)).rstrip()})
    return found
