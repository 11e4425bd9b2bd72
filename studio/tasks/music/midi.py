"""A score as a Standard MIDI File."""

from __future__ import annotations

import io
import unicodedata

import mido

from studio.tasks.music.keys import fifths, key_name
from studio.tasks.music.melody_tokens import TICKS
from studio.tasks.music.score import DRUMS, Score, Voice

RESOLUTION = 480
"""Ticks of a quarter note in the file."""
_DRUM_CHANNEL = 9
_CIRCLE = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")
_MINOR_CIRCLE = ("Abm", "Ebm", "Bbm", "Fm", "Cm", "Gm", "Dm", "Am", "Em", "Bm", "F#m", "C#m", "G#m", "D#m", "A#m")
"""Keys from seven flats to seven sharps."""
LONGEST_NAME = 60


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
