"""The captions of a run for other programs: metadata.jsonl as ImageFolder reads it, and a zip of everything."""

from __future__ import annotations

import json
from pathlib import Path

from studio.tasks.caption import zips
from studio.tasks.caption.run import Run


def as_jsonl(run: Run) -> str:
    """metadata.jsonl: one line a picture that has a caption, its name below the folder and its text."""
    lines = [
        json.dumps({"file_name": key, "text": text}, ensure_ascii=False)
        for key in run.plan.keys
        if (text := run.caption(key))
    ]
    return "".join(line + "\n" for line in lines)


def as_zip(run: Run, target: Path, pictures: bool = True) -> None:
    """Captions, metadata.jsonl and the pictures in one zip. Raises StudioError where the disk is full or refuses."""
    zips.pack(target, run.root, [(key, run.caption(key)) for key in run.plan.keys], as_jsonl(run), pictures)
