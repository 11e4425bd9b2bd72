"""A text in a MIDI file: read by mido, which is nobody of ours, and no note is touched."""

import io

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.media import midi


def file_of(*messages: mido.Message | mido.MetaMessage) -> bytes:
    made, out = mido.MidiFile(type=1, charset="utf-8"), io.BytesIO()
    made.tracks += [mido.MidiTrack([*messages, mido.MetaMessage("end_of_track", time=7)]), mido.MidiTrack()]
    made.save(file=out)
    return out.getvalue()


PLAIN = file_of(mido.MetaMessage("track_name", name="狐狸"), mido.Message("note_on", note=60, time=480))


def read(data: bytes) -> list[list[mido.Message]]:
    return [list(track) for track in mido.MidiFile(file=io.BytesIO(data), charset="utf-8").tracks]


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40_000))
def test_another_reader_finds_the_text_and_every_note(text: str) -> None:
    made = midi.put_text(PLAIN, text)
    first, *others = read(made)
    assert first[0] == mido.MetaMessage("text", text=text)
    assert [first[1:], *others] == read(PLAIN)
    assert midi.text(made) == text
    assert midi.put_text(made, "other") == midi.put_text(PLAIN, "other")  # in its place, not before it


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: PLAIN[:30] + tail))
def test_whatever_it_is_given_it_reads_or_finds_nothing(data: bytes) -> None:
    assert isinstance(midi.text(data), str)
    assert isinstance(midi.put_text(data, "x"), bytes)


@pytest.mark.parametrize("data", [b"", b"MThd notes", b"RIFF0000WAVE"])
def test_what_is_no_midi_file_stays_as_it_is(data: bytes) -> None:
    assert midi.put_text(data, "x") == data
    assert midi.text(data) == ""
