"""What a MIDI file of anybody's holds, as another program writes it; what holds nothing is refused in a sentence."""

from __future__ import annotations

import io

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.errors import StudioError
from studio.tasks.music import midi


def written(*tracks: list[mido.Message | mido.MetaMessage], type: int = 1) -> bytes:
    file, out = (
        mido.MidiFile(type=type, ticks_per_beat=100, tracks=[mido.MidiTrack(one) for one in tracks]),
        io.BytesIO(),
    )
    file.save(file=out)
    return out.getvalue()


def struck(note: int, channel: int = 0, time: int = 0) -> list[mido.Message]:
    on = mido.Message("note_on", note=note, channel=channel, time=time)
    return [on, mido.Message("note_on", note=note, channel=channel, velocity=0, time=100)]


def test_notes_voices_length_and_tempo_are_counted() -> None:
    slower = [mido.MetaMessage("set_tempo", tempo=600_000), mido.MetaMessage("set_tempo", tempo=1_200_000, time=100)]
    found = midi.facts(written(slower, struck(60) + struck(64), struck(36, channel=9)))
    assert (found.notes, found.voices) == (3, 2)
    assert found.seconds == pytest.approx(0.6 + 1.2)
    assert found.tempo == pytest.approx(100)


def test_a_file_without_a_tempo_has_the_one_that_the_standard_takes() -> None:
    assert midi.facts(written(struck(60), type=0)) == midi.Facts(1, 1, 0.5, 120)


@pytest.mark.parametrize("data", [b"", b"MThd", b"RIFF" + bytes(40), written([]), written(struck(60))[:-9]])
def test_what_holds_no_notes_is_said(data: bytes) -> None:
    with pytest.raises(StudioError) as refused:
        midi.facts(data)
    assert refused.value.code == "bad_midi"


def test_a_huge_one_is_not_looked_into() -> None:
    with pytest.raises(StudioError) as refused:
        midi.facts(written(struck(60)) + bytes(midi.MAX_BYTES))
    assert refused.value.code == "file_too_large"


@given(st.binary(max_size=200), st.integers(0, 60))
def test_no_bytes_are_more_than_a_refusal(noise: bytes, at: int) -> None:
    whole = written(struck(60), struck(62))
    for data in (b"MThd" + noise, whole[:at] + noise, whole[:at] + noise + whole[at:]):
        refused = ""
        try:
            found = midi.facts(data).notes
        except StudioError as error:
            found, refused = 0, error.code
        assert bool(found) != bool(refused)
        assert refused in ("", "bad_midi")
