"""Standard MIDI Files: a score written as one, and what one from elsewhere holds."""

from __future__ import annotations

import io
import unicodedata
from dataclasses import dataclass

import mido

from studio.errors import StudioError
from studio.media.midi import HEAD
from studio.paths import gigabytes
from studio.tasks.music.keys import fifths, key_name
from studio.tasks.music.melody_tokens import TICKS
from studio.tasks.music.score import DRUMS, Score, Voice

RESOLUTION = 480
"""Ticks of a quarter note in the file."""
_DRUM_CHANNEL = 9
_USUAL_TEMPO = 500_000
"""Microseconds of a quarter note where a file names no tempo."""
_CIRCLE = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")
_MINOR_CIRCLE = ("Abm", "Ebm", "Bbm", "Fm", "Cm", "Gm", "Dm", "Am", "Em", "Bm", "F#m", "C#m", "G#m", "D#m", "A#m")
"""Keys from seven flats to seven sharps."""
LONGEST_NAME = 60
MAX_BYTES = 2_000_000
"""Files of notes that are looked into: a symphony takes less than half."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a MIDI file holds.

    Attributes:
        notes: how many are begun, drums among them.
        voices: tracks and channels that have notes.
        seconds: from the beginning to the last event, by all of its tempi.
        tempo: quarter notes a minute, the first that it names, or what the standard takes where it names none.
    """

    notes: int
    voices: int
    seconds: float
    tempo: float


def facts(data: bytes) -> Facts:
    """What a MIDI file of anybody's holds.

    Raises:
        StudioError: bad_midi where it is none, is damaged or has no note; file_too_large.
    """
    if len(data) > MAX_BYTES:
        raise StudioError("file_too_large", size=gigabytes(len(data)), limit=gigabytes(MAX_BYTES))
    if data[:4] != HEAD:
        raise StudioError("bad_midi")
    try:
        file = mido.MidiFile(file=io.BytesIO(data), clip=True)
        begun = [
            (track, message.channel)
            for track, messages in enumerate(file.tracks)
            for message in messages
            if message.type == "note_on" and message.velocity
        ]
        tempi = (message.tempo for messages in file.tracks for message in messages if message.type == "set_tempo")
        tempo = next((one for one in tempi if one), _USUAL_TEMPO)
        seconds = file.length if file.type != 2 else 0.0
    except (OSError, EOFError, ArithmeticError, LookupError, TypeError, ValueError, mido.KeySignatureError):
        raise StudioError("bad_midi") from None
    if not begun:
        raise StudioError("bad_midi")
    return Facts(len(begun), len(set(begun)), seconds, 60_000_000 / tempo)


def write(score: Score, times: int = 1, tail: float = 0.0) -> bytes:
    """The file, type 1: a track of tempo, metre and key, and a track for each voice.

    Args:
        times: how often the piece is played without a pause.
        tail: seconds of silence after the end, for what rings on.
    """
    file = mido.MidiFile(type=1, ticks_per_beat=RESOLUTION, charset="utf-8")
    count, unit = map(int, score.metre.split("/"))
    circle = _MINOR_CIRCLE if score.mode in ("minor", "dorian") else _CIRCLE
    key = circle[7 + fifths(score.key or key_name(score.tonic, score.mode), score.mode)]
    clicks = 36 if unit == 8 else 24
    file.tracks.append(
        mido.MidiTrack(
            [
                mido.MetaMessage("track_name", name=_name(score.title)),
                mido.MetaMessage("set_tempo", tempo=round(60_000_000 / score.tempo)),
                mido.MetaMessage("time_signature", numerator=count, denominator=unit, clocks_per_click=clicks),
                mido.MetaMessage("key_signature", key=key),
            ]
        )
    )
    channels = iter(channel for channel in range(16) if channel != _DRUM_CHANNEL)
    for voice in score.voices:
        channel = _DRUM_CHANNEL if voice.program == DRUMS else next(channels)
        file.tracks.append(_track(voice, channel, score.steps, times))
    end = times * score.steps + round(tail * score.tempo * TICKS / 60)
    file.tracks[0].append(mido.MetaMessage("end_of_track", time=end * RESOLUTION // TICKS))
    target = io.BytesIO()
    file.save(file=target)
    return target.getvalue()


def _name(title: str) -> str:
    """A title as programs show the name of a track: one line, not too long to be read."""
    line = " ".join("".join(" " if unicodedata.category(sign)[0] in "CZ" else sign for sign in title).split())
    return line if len(line) <= LONGEST_NAME else f"{line[: LONGEST_NAME - 1].rstrip()}…"


def _track(voice: Voice, channel: int, steps: int, times: int) -> mido.MidiTrack:
    scale = RESOLUTION // TICKS
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=voice.name)])
    if voice.program != DRUMS:
        track.append(mido.Message("program_change", channel=channel, program=voice.program))
    for control, value in ((7, voice.volume), (10, voice.pan), (91, 40)):
        track.append(mido.Message("control_change", channel=channel, control=control, value=value))
    events = []
    for sound in voice.sounds:
        for start in range(sound.start, sound.start + times * steps, steps):
            # an end comes before a beginning at the same moment, so that a repeated note is struck again
            events.append((start * scale, 1, "note_on", sound.pitch, sound.loudness))
            events.append(((start + sound.length) * scale, 0, "note_off", sound.pitch, 0))
    now = 0
    for at, _, kind, pitch, loudness in sorted(events):
        track.append(mido.Message(kind, channel=channel, note=pitch, velocity=loudness, time=at - now))
        now = at
    return track
