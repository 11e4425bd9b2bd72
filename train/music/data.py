"""Tunes as lines of words, and which of them training never sees."""

from __future__ import annotations

import json
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np

from studio.tasks.music import melody_tokens
from train.music import corpus

HELD_OUT = 0.05


def build(folder: Path) -> None:
    """Read all tunes and write `tunes.json`: collection, title, header, parts as lines of words, held out or not."""
    tunes = list(corpus.read(Path(str(distribution("music21").locate_file("music21/corpus")))))
    edges = _edges(tunes)
    random = np.random.default_rng(0)
    written: list[dict[str, Any]] = []
    seen: set[str] = set()
    for tune in tunes:
        header = melody_tokens.Header(tune.kind or "tune", tune.metre, tune.mode, _busy(tune, edges))
        parts = [part for part in tune.parts if _writable(header, part)]
        if not parts:
            continue
        key = " ".join(melody_tokens.body(melody_tokens.write_melody(header, parts)))
        if key in seen:  # the collections share tunes
            continue
        seen.add(key)
        written.append(
            {
                "collection": tune.collection, "title": tune.title, "kind": header.kind, "metre": header.metre,
                "mode": header.mode, "busy": header.busy, "held_out": bool(random.random() < HELD_OUT),
                "parts": [melody_tokens.body(melody_tokens.write_melody(header, [part])) for part in parts],
            }
        )  # fmt: skip
    (folder / "tunes.json").write_text(json.dumps(written), encoding="utf-8")
    print(f"{len(written)} tunes, {sum(len(tune['parts']) for tune in written)} parts")


def load(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / "tunes.json").read_text(encoding="utf-8"))


def line(tune: dict[str, Any], random: np.random.Generator | None = None) -> list[str]:
    """A tune as the composer writes it. With `random` its kind is sometimes kept back, and it may begin later."""
    kind, parts = tune["kind"], tune["parts"]
    if random is not None:
        if random.random() < 0.1:
            kind = "tune"
        elif kind == "air" and tune["metre"] == "3/4" and random.random() < 0.5:
            kind = "waltz"
        if len(parts) > 2 and random.random() < 0.5:
            parts = parts[random.integers(0, len(parts) - 1) :]
    header = melody_tokens.Header(kind, tune["metre"], tune["mode"], tune["busy"])
    return [*header.words(), *(word for part in parts for word in part), melody_tokens.END]


def _writable(header: melody_tokens.Header, part: melody_tokens.Part) -> bool:
    try:
        melody_tokens.write_melody(header, [part])
    except ValueError:
        return False
    return True


def _pace(tune: corpus.Tune) -> float:
    """Notes that a quarter note holds."""
    notes = [note for part in tune.parts for bar in part.bars for note in bar]
    return len(notes) / (sum(note.length for note in notes) / melody_tokens.TICKS)


def _edges(tunes: list[corpus.Tune]) -> dict[tuple[str, str], tuple[float, float]]:
    """For each kind and metre the paces that part the slow third and the quick third from the middle."""
    paces: dict[tuple[str, str], list[float]] = {}
    for tune in tunes:
        paces.setdefault((tune.kind, tune.metre), []).append(_pace(tune))
    return {key: (float(np.quantile(found, 1 / 3)), float(np.quantile(found, 2 / 3))) for key, found in paces.items()}


def _busy(tune: corpus.Tune, edges: dict[tuple[str, str], tuple[float, float]]) -> str:
    low, high = edges[tune.kind, tune.metre]
    pace = _pace(tune)
    return melody_tokens.BUSY[0] if pace < low else melody_tokens.BUSY[2] if pace > high else melody_tokens.BUSY[1]
