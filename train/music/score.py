"""How often a piece is what was asked for, measured on its MIDI file, and how far it is from the tunes it learnt from.

200 prompts of a kind, a key, a metre, a tempo and a length that are drawn together by chance. Nothing that the
composer says of itself is asked: metre, tempo and length are read from the file, the key is estimated from what sounds
(Krumhansl and Kessler's profiles), and copies are looked for in the melodies of the training tunes, in any key.
"""

from __future__ import annotations

import io
import json
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import mido
import numpy as np

from studio.catalog.catalog import Catalog
from studio.devices.device import Device
from studio.engines.music.composer import ComposerEngine, Piece
from studio.paths import Home
from studio.requests import MusicRequest
from studio.tasks.music import melody_tokens, midi
from train.music import data
from train.quiet import Quiet

PROMPTS = 200
_AGAIN = 20
_SPAN = 4
"""Bars that have to agree for a copy."""
_KINDS = {"reel": "4/4", "jig": "6/8", "hornpipe": "4/4", "slip jig": "9/8", "march": "4/4", "waltz": "3/4",
          "slow air in 4/4": "4/4", "minuet": "3/4", "strathspey": "4/4", "polka": "2/4"}  # fmt: skip
_KEYS = ("C", "D", "E", "F", "G", "A", "Bb", "Eb")
_PITCH = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "Bb": 10, "Eb": 3}
_PROFILES = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}


@dataclass(frozen=True)
class Task:
    """A prompt and what has to be found in the file."""

    prompt: str
    tonic: int
    mode: str
    metre: str
    tempo: int
    bars: int


def tasks() -> Iterator[Task]:
    chance = random.Random(1)
    for _ in range(PROMPTS):
        kind, key = chance.choice(list(_KINDS)), chance.choice(_KEYS)
        mode, bars = chance.choice(("major", "major", "minor")), chance.choice((8, 12, 16, 24, 32))
        tempo = chance.randrange(60, 160, 4)
        words = [f"a {kind}", f"in {key} {mode}", f"{tempo} bpm", f"{bars} bars"]
        yield Task(", ".join(words), _PITCH[key], mode, _KINDS[kind], tempo, bars)


def score(folder: Path, shipped: Path, device: str) -> dict[str, float]:
    """Compose all prompts, measure them, and write `score.json`."""
    compose = _composer(shipped, device)
    pieces = [compose(task.prompt, seed) for seed, task in enumerate(tasks())]
    seen = [tune for tune in data.load(folder) if not tune["held_out"]]
    known = {span for tune in seen for words in tune["parts"] for span in _spans(melody_tokens.read_melody(words)[0])}
    found: dict[str, list[bool]] = {}
    for piece, task in zip(pieces, tasks(), strict=True):
        file = mido.MidiFile(file=io.BytesIO(midi.write(piece.score)))
        for name, good in _marks(file, task).items():
            found.setdefault(name, []).append(good)
    shares = {name: sum(marks) / len(marks) for name, marks in found.items()}
    spans = [span for piece in pieces for part in piece.parts for span in _spans(part)]
    shares["4-bar spans copied"] = sum(span in known for span in spans) / len(spans)
    again = {str(compose("a reel in D major, 8 bars", seed).parts) for seed in range(_AGAIN)}
    shares[f"different melodies of {_AGAIN} seeds"] = len(again) / _AGAIN
    (folder / "score.json").write_text(json.dumps(shares, indent=2) + "\n", encoding="utf-8")
    return shares


def _marks(file: mido.MidiFile, task: Task) -> dict[str, bool]:
    metas = {message.type: message for message in file.tracks[0]}
    signature = metas["time_signature"]
    quarters = 60e6 / metas["set_tempo"].tempo
    bar = 4 * signature.numerator / signature.denominator
    length = max(sum(message.time for message in track) for track in file.tracks) / file.ticks_per_beat
    beat = 1.5 if task.metre in ("6/8", "9/8") else 1.0
    right_bars = task.bars * bar <= length <= (task.bars + 0.5) * bar
    return {
        "key": _key(file) == (task.tonic, task.mode),
        "metre": f"{signature.numerator}/{signature.denominator}" == task.metre,
        "tempo": abs(quarters - task.tempo * beat) < 0.1,
        "length": right_bars,
    }


def _key(file: mido.MidiFile) -> tuple[int, str]:
    """The likeliest key of all that sounds, drums apart."""
    heard = np.zeros(12)
    for track in file.tracks:
        now, since = 0, {}
        for message in track:
            now += message.time
            if message.type == "note_on" and message.channel != 9:
                since[message.note] = now
            elif message.type == "note_off" and message.note in since:
                heard[message.note % 12] += now - since.pop(message.note)
    likely = {
        (tonic, mode): float(np.corrcoef(heard, np.roll(profile, tonic))[0, 1])
        for mode, profile in _PROFILES.items()
        for tonic in range(12)
    }
    return max(likely, key=likely.__getitem__)


def _spans(part: melody_tokens.Part) -> Iterator[str]:
    """Four bars in a row, as (pitch, length) from their first note on; the same in every key and octave."""
    for start in range(len(part.bars) - _SPAN + 1):
        notes = [note for bar in part.bars[start : start + _SPAN] for note in bar]
        first = next((note.pitch for note in notes if note.pitch is not None), 0)
        yield str([(None if note.pitch is None else note.pitch - first, note.length) for note in notes])


def _composer(shipped: Path, device: str) -> Callable[[str, int], Piece]:
    """The engine as the studio uses it, on the catalogue's settings, but for the sound."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(shipped, folder, dirs_exist_ok=True)
        (folder / "soundfont").mkdir()
        (folder / "soundfont" / "none.sf2").touch()
        card = Catalog.load(Home(folder), public=True).get("composer")
        model = ComposerEngine().load(card, folder, Device(device), lambda _: None)
    return lambda prompt, seed: model.compose(MusicRequest(prompt=prompt, seed=seed, **card.defaults), 0, seed, Quiet())
