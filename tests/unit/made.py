"""A recipe as files carry it, with letters, a line break and a picture that every container has to survive."""

from __future__ import annotations

from typing import Any

PROMPT = "une forêt 森林 🌲\nzweite Zeile"


def recipe_of(task: str, parameters: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The recipe of a task with these parameters beside its prompt."""
    return {
        "format": "atelier/1",
        "task": task,
        "model": {
            "id": "m",
            "title": "Model, the",
            "revision": "abc",
            "licence": "MIT",
            "licence_url": "https://example.org",
            "commercial": True,
        },
        "parameters": {"prompt": PROMPT, **parameters},
        "seed": 7,
        "made": "2026-01-31T12:00:00+00:00",
        "software": {"studio": "0.1.0"},
        "device": "cpu",
        "finish": "stop",
        "seconds": 1.5,
        **more,
    }
