"""Styles are heard: band, tempo, metre, beat and melody of twelve prompts, read from their MIDI files.

The network is the starter's own; what is looked for is what a listener would name the style by.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path

import mido
import pytest
from tiny import Recorder, load
from tiny_soundfont import soundfont

from studio.engines.music.composer import ComposerEngine
from studio.requests import MusicRequest
from studio.tasks.music import midi

STARTER = Path(__file__).parents[3] / "assets" / "starters" / "music"
KICK, SNARE, RIM, CLAP, LOW_TOM, HAT, OPEN, RIDE = 36, 38, 37, 39, 41, 42, 46, 51
SEEDS = (1, 2, 3)


@dataclass(frozen=True)
class Heard:
    """What a reader of the file finds.

    Attributes:
        tempo: quarters a minute. programs: of the tracks in their order, drums left out.
        melody, voices: (onset, length, pitch) in sixteenths, of the first track and of every track by its program.
        drums: for each key the sixteenths of a bar on which it is struck in most of the bars.
        key: the key signature.
    """

    tempo: float
    metre: str
    key: str
    programs: list[int]
    melody: list[tuple[float, float, int]]
    voices: dict[int, list[tuple[float, float, int]]]
    drums: dict[int, set[int]]


def listen(data: bytes) -> Heard:
    file = mido.MidiFile(file=io.BytesIO(data))
    metas = {message.type: message for message in file.tracks[0]}
    signature = metas["time_signature"]
    bar = 16 * signature.numerator / signature.denominator
    tracks: list[tuple[int | None, list[tuple[float, float, int]]]] = []
    for track in file.tracks[1:]:
        now, program, since, notes, beaten = 0, None, {}, [], False
        for message in track:
            now += message.time
            if message.type == "program_change":
                program = message.program
            elif message.type == "note_on" and message.velocity:
                beaten = message.channel == 9
                since[message.note] = now
            elif message.type in ("note_on", "note_off") and message.note in since:
                start = since.pop(message.note)
                notes.append((start * 4 / file.ticks_per_beat, (now - start) * 4 / file.ticks_per_beat, message.note))
        tracks.append((None if beaten else program, sorted(notes)))
    drums: dict[int, dict[int, int]] = {}
    bars = 0.0
    for program, notes in tracks:
        bars = max(bars, max((start + length for start, length, _ in notes), default=0) / bar)
        for start, _, key in notes if program is None else []:
            place = round(start % bar)
            drums.setdefault(key, {})[place] = drums.get(key, {}).get(place, 0) + 1
    usual = {key: {place for place, count in places.items() if count > bars / 2} for key, places in drums.items()}
    return Heard(
        60e6 / metas["set_tempo"].tempo, f"{signature.numerator}/{signature.denominator}", metas["key_signature"].key,
        [program for program, _ in tracks if program is not None], tracks[0][1],
        {program: notes for program, notes in tracks if program is not None}, usual,
    )  # fmt: skip


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int], Heard]:
    folder = tmp_path_factory.mktemp("starter") / "composer"
    shutil.copytree(STARTER, folder)
    (folder / "soundfont").mkdir()
    (folder / "soundfont" / "tiny.sf2").write_bytes(soundfont())
    model = load(ComposerEngine(), folder)
    made: dict[tuple[str, int], Heard] = {}

    def compose(prompt: str, seed: int) -> Heard:
        if (prompt, seed) not in made:
            request = MusicRequest(prompt=f"{prompt}, 8 bars", temperature=1.0, seed=seed)
            made[prompt, seed] = listen(midi.write(model.compose(request, 0, seed, Recorder()).score))
        return made[prompt, seed]

    return compose


def _offbeats_late(heard: Heard) -> bool:
    """Swung: second eighths of a quarter fall on its last third."""
    late = [start % 4 for start, _, _ in heard.melody if 0.5 < start % 4 < 3.5]
    return bool(late) and all(2.4 < place < 2.9 for place in late if place > 1.5)


def _thirdless(heard: Heard, program: int) -> bool:
    """Chords of roots and fifths only."""
    chords: dict[float, list[int]] = {}
    for start, _, pitch in heard.voices[program]:
        chords.setdefault(start, []).append(pitch)
    return all((pitch - min(chord)) % 12 in (0, 7) for chord in chords.values() for pitch in chord)


def _on(heard: Heard, program: int) -> set[int]:
    """The sixteenths of a bar of four quarters on which a player begins anything, its last bar left out."""
    return {round(start % 16) for start, _, _ in heard.voices[program] if start < 7 * 16}


TABLE: dict[str, Callable[[Heard], dict[str, bool]]] = {
    "lofi hip hop beat, chill, rainy night": lambda h: {
        "band": {4, 26, 33} <= set(h.programs), "tempo": 65 <= h.tempo <= 92,
        "backbeat": h.drums[SNARE] == {4, 12} and 0 in h.drums[KICK] and 4 not in h.drums[KICK],
    },
    "epic orchestral battle music": lambda h: {
        "band": {60, 48, 52, 61, 32} <= set(h.programs), "tempo": 80 <= h.tempo <= 145, "minor": h.key.endswith("m"),
        "drums": len(h.drums[LOW_TOM]) >= 6, "ostinato": len(_on(h, 48)) >= 8,
    },
    "sad piano": lambda h: {
        "band": set(h.programs) == {0} and not h.drums, "tempo": 50 <= h.tempo <= 80, "minor": h.key.endswith("m"),
    },
    "techno": lambda h: {
        "band": {81, 38} <= set(h.programs), "tempo": 120 <= h.tempo <= 145,
        "four on the floor": h.drums[KICK] == {0, 4, 8, 12}, "open hats between": h.drums[OPEN] == {2, 6, 10, 14},
    },
    "jazz waltz": lambda h: {
        "band": 32 in h.programs and bool({0, 11, 26, 65} & set(h.programs)), "metre": h.metre == "3/4",
        "tempo": 105 <= h.tempo <= 195, "ride": {0, 4, 8} <= h.drums[RIDE], "swing": _offbeats_late(h),
    },
    "Chinese folk song, guzheng and erhu": lambda h: {
        "band": {107, 110} <= set(h.programs) and not h.drums, "tempo": 55 <= h.tempo <= 105,
        "five notes": len({pitch % 12 for _, _, pitch in h.melody}) <= 6,
    },
    "lullaby": lambda h: {
        "band": {10, 46} <= set(h.programs) and not h.drums, "metre": h.metre == "3/4", "tempo": 55 <= h.tempo <= 90,
    },
    "drum and bass": lambda h: {
        "band": {81, 38} <= set(h.programs), "tempo": 160 <= h.tempo <= 185,
        "breakbeat": h.drums[KICK] == {0, 10} and h.drums[SNARE] == {4, 12},
    },
    "reggae": lambda h: {
        "band": {27, 33} <= set(h.programs), "tempo": 60 <= h.tempo <= 92,
        "one drop": h.drums[KICK] == {8} and h.drums[RIM] == {8}, "skank": _on(h, 27) == {4, 12},
    },
    "game chiptune 8-bit": lambda h: {
        "band": h.programs.count(80) == 2 and not {0, 25, 40} & set(h.programs), "tempo": 120 <= h.tempo <= 175,
        "quick": len(h.melody) >= 30, "arpeggio": len(h.voices[80]) >= 90,
    },
    "bossa nova": lambda h: {
        "band": {24, 32} <= set(h.programs), "tempo": 105 <= h.tempo <= 150, "clave": h.drums[RIM] == {0, 3, 6, 10, 13},
    },
    "heavy metal": lambda h: {
        "band": h.programs.count(30) == 2 and 33 in h.programs, "tempo": 120 <= h.tempo <= 195,
        "double kick": len(h.drums[KICK]) >= 10, "minor": h.key.endswith("m"), "power chords": _thirdless(h, 30),
    },
}  # fmt: skip


@pytest.mark.parametrize("prompt", TABLE)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_style_is_recognised_by_band_tempo_and_beat(compose: Callable[[str, int], Heard], prompt: str, seed: int):
    heard = compose(prompt, seed)
    assert all((found := TABLE[prompt](heard)).values()), found
    assert len(heard.melody) >= 8, "there is a melody"


def _grams(heard: Heard) -> tuple[set[tuple[float, ...]], set[tuple[int, ...]]]:
    """Spans of three: steps in time, and steps in pitch."""
    starts = [start for start, _, _ in heard.melody]
    pitches = [pitch for _, _, pitch in heard.melody]
    times = [round(after - before, 1) for before, after in pairwise(starts)]
    steps = [after - before for before, after in pairwise(pitches)]
    spans = range(len(times) - 2)
    return {tuple(times[at : at + 3]) for at in spans}, {tuple(steps[at : at + 3]) for at in spans}


def test_one_seed_gives_every_style_a_melody_of_its_own(compose: Callable[[str, int], Heard]):
    grams = {prompt: _grams(compose(prompt, 1)) for prompt in TABLE}
    for one, other in combinations(TABLE, 2):
        likeness = [len(a & b) / len(a | b) for a, b in zip(grams[one], grams[other], strict=True)]
        assert sum(likeness) / 2 < 0.35, (one, other, likeness)


def test_a_melody_of_a_style_is_heard_above_its_chords(compose: Callable[[str, int], Heard]):
    for prompt in ("lofi hip hop beat, chill, rainy night", "techno", "lullaby", "bossa nova", "drum and bass"):
        heard = compose(prompt, 1)
        lead = sum(pitch for _, _, pitch in heard.melody) / len(heard.melody)
        chords = [
            pitch for program, notes in heard.voices.items() if program != heard.programs[0] for *_, pitch in notes
        ]
        assert lead > sum(chords) / len(chords) + 5, prompt


def test_a_riff_comes_back_and_a_style_keeps_to_its_range(compose: Callable[[str, int], Heard]):
    heard = compose("techno", 1)
    bars = [[(start % 16, pitch) for start, _, pitch in heard.melody if start // 16 == bar] for bar in range(3)]
    assert bars[0] == bars[1] == bars[2]
    assert max(pitch for *_, pitch in heard.melody) - min(pitch for *_, pitch in heard.melody) <= 12
