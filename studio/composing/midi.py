"""A score as a Standard MIDI File."""

from __future__ import annotations

import io

import mido

from studio.composing.language import TICKS
from studio.composing.score import DRUMS, Score, Voice

RESOLUTION = 480
"""Ticks of a quarter note in the file."""
_DRUM_CHANNEL = 9
_KEYS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MINOR_KEYS = ("Cm", "C#m", "Dm", "D#m", "Em", "Fm", "F#m", "Gm", "G#m", "Am", "Bbm", "Bm")
_RELATIVE = {"major": 0, "minor": 0, "dorian": -5, "mixolydian": 5}
"""Semitones from the tonic to the tonic of the plain major or minor mode with the same signature."""


def write(score: Score, times: int = 1, tail: float = 0.0) -> bytes:
    """The file, type 1: a track of tempo, metre and key, and a track for each voice.

    Args:
        times: how often the piece is played without a pause.
        tail: seconds of silence after the end, for what rings on.
    """
    file = mido.MidiFile(type=1, ticks_per_beat=RESOLUTION)
    count, unit = map(int, score.metre.split("/"))
    names = _MINOR_KEYS if score.mode in ("minor", "dorian") else _KEYS
    clicks = 36 if unit == 8 else 24
    file.tracks.append(
        mido.MidiTrack(
            [
                mido.MetaMessage("track_name", name=score.title.encode("latin-1", "replace").decode("latin-1")),
                mido.MetaMessage("set_tempo", tempo=round(60_000_000 / score.tempo)),
                mido.MetaMessage("time_signature", numerator=count, denominator=unit, clocks_per_click=clicks),
                mido.MetaMessage("key_signature", key=names[(score.tonic + _RELATIVE[score.mode]) % 12]),
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
