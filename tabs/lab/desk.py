"""Desk of the lab: the addresses of all experiments, and what the page is told when it opens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

from starlette.responses import Response

from studio.i18n import table
from studio.lab.source import sources
from studio.service import Studio
from tabs.lab import EXPERIMENTS
from tabs.lab.told import told
from tabs.shared.asker import Asker

Answer = Callable[[Studio, Any, Asker], Response | None]


def modules() -> tuple[ModuleType, ...]:
    """The experiments, in their order."""
    return tuple(import_module(f"tabs.lab.{name}") for name in EXPERIMENTS)


def about(studio: Studio, message: Any, asker: Asker) -> Response:
    """Texts, experiments, their models and the code that they show, in the language of whoever asks."""
    del message
    tables = table("en") | table(asker.language)
    return told(
        {
            "texts": {key.removeprefix("lab."): words for key, words in tables.items() if key.startswith("lab.")},
            "experiments": [
                {
                    "name": one.NAME,
                    "task": one.TASK,
                    "models": [{"id": card.id, "title": card.title} for card in studio.lab.cards(one.TASK)],
                    "code": sources(one.SHOWN),
                }
                for one in modules()
            ],
        }
    )


def answers() -> Mapping[str, Answer]:
    """What can be asked, by what follows the lab's own address: `about`, and `EXPERIMENT/QUESTION`."""
    return {"about": about} | {f"{one.NAME}/{name}": how for one in modules() for name, how in one.ANSWERS.items()}
