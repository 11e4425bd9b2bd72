"""The composer on an untrained network: whatever it writes keeps to the brief, and the sound is that of the notes."""

from __future__ import annotations

import io
from dataclasses import replace

import mido
import numpy as np
import pytest
from tiny import Recorder, card, load
from tiny_soundfont import soundfont

from studio.engines.music.composer import ComposerEngine
from studio.errors import Cancelled, StudioError
from studio.requests import MusicRequest
from studio.tasks.music import melody_tokens, performance
from train.music.model import tokenizer

ENGINE = ComposerEngine()
JIG = MusicRequest(
    prompt="a lively Irish jig in D major, flute and guitar, 8 bars", duration=30.0, temperature=1.0, seed=1
)
BARS = {"2/4": 2.0, "3/4": 3.0, "4/4": 4.0, "6/8": 3.0, "9/8": 4.5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from transformers import GPT2Config, GPT2LMHeadModel

    folder = tmp_path_factory.mktemp("composer")
    words = melody_tokens.WORDS
    config = GPT2Config(
        vocab_size=len(words), n_positions=640, n_embd=32, n_layer=1, n_head=2,
        bos_token_id=words.index("start"), eos_token_id=words.index("end"), pad_token_id=0,
    )  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "soundfont").mkdir()
    (folder / "soundfont" / "tiny.sf2").write_bytes(soundfont())
    return folder


@pytest.fixture(scope="module")
def model(folder):
    return load(ENGINE, folder)


def file_of(output, number=0):
    return mido.MidiFile(file=io.BytesIO(output.audio[number].midi))


def meta(file, kind):
    return next(message for message in file.tracks[0] if message.type == kind)


def test_the_file_says_what_the_prompt_asked_for(model):
    output = model.run(JIG, Recorder())
    file = file_of(output)
    assert (meta(file, "time_signature").numerator, meta(file, "time_signature").denominator) == (6, 8)
    assert meta(file, "key_signature").key == "D"
    programs = [message.program for track in file.tracks for message in track if message.type == "program_change"]
    assert programs == [73, 25]


@pytest.mark.parametrize("metre", sorted(BARS))
@pytest.mark.parametrize("bars", [4, 12, 16])
def test_bars_and_tempo_are_exact(model, metre, bars):
    output = model.run(MusicRequest(prompt=f"{metre}, {bars} bars, 100 bpm", temperature=1.0, seed=3), Recorder())
    file = file_of(output)
    beats = 1.5 if metre in ("6/8", "9/8") else 1.0
    assert 60e6 / meta(file, "set_tempo").tempo == pytest.approx(100 * beats, rel=1e-4)
    last = max(sum(message.time for message in track) for track in file.tracks) / file.ticks_per_beat
    assert last == bars * BARS[metre]


def test_every_note_that_begins_ends_and_none_overlaps_itself(model):
    for track in file_of(model.run(JIG, Recorder())).tracks:
        sounding = set()
        for message in track:
            if message.type == "note_on":
                assert message.note not in sounding
                sounding.add(message.note)
            elif message.type == "note_off":
                sounding.remove(message.note)
        assert not sounding


def test_the_sound_is_as_long_as_the_notes_and_loud_but_never_clipped(model):
    output = model.run(JIG, Recorder())
    audio = output.audio[0]
    notes = file_of(output).length
    assert notes < audio.samples.shape[1] / audio.rate < notes + 2
    assert audio.samples.shape[0] == 2
    assert 0.1 < np.abs(audio.samples).max() <= 10 ** (-1 / 20) + 1e-6
    half = audio.samples.shape[1] // 2
    assert np.abs(audio.samples[:, :half]).max() > 0.05
    assert np.abs(audio.samples[:, half : half + audio.rate]).max() > 0.05


def test_an_upbeat_that_was_given_sounds_at_the_end_of_a_bar_of_its_own(model):
    given = "part upbeat d24 n7 bar4 n0 n4 n7 n12"
    output = model.run(replace(REEL, bars=4, tempo=120, melody=given), Recorder())
    file, audio = file_of(output), output.audio[0]
    begins = {track.name: next(at for at, message in timed(track) if message.type == "note_on") / file.ticks_per_beat
              for track in file.tracks[1:]}  # fmt: skip
    first = begins.pop(file.tracks[1].name)
    assert first == 3
    assert min(begins.values()) == 4, "the band comes in with the first bar"
    assert file.length == (4 + 1) * 2
    heard = np.abs(audio.samples).max(axis=0)
    silent = round(1.5 * audio.rate)
    assert heard[: silent - 100].max() < 0.01, "the sound waits as long as the notes do"
    assert heard[silent : silent + audio.rate // 10].max() > 0.02
    assert audio.samples.shape[1] == round((10 + 1.5) * audio.rate)


def timed(track):
    at = 0
    for message in track:
        at += message.time
        yield at, message


@pytest.mark.parametrize(
    ("prompt", "seconds"),
    [("a waltz", 10), ("techno, 120 bpm", 10), ("techno, 128 bpm", 10), ("a slow air", 7.3), ("rock", 31.7)],
)
def test_a_piece_lasts_as_long_as_was_asked_for(model, prompt, seconds):
    audio = model.run(MusicRequest(prompt=prompt, duration=seconds, temperature=1.0, seed=1), Recorder()).audio[0]
    assert audio.samples.shape[1] / audio.rate == pytest.approx(seconds, abs=0.01)
    assert np.abs(audio.samples[:, -10:]).max() < 0.001, "it ends in silence"


def test_the_same_seed_is_the_same_to_the_byte_and_a_batch_equals_the_single_ones(model):
    both = model.run(MusicRequest(prompt="a waltz, 8 bars", temperature=1.0, seed=5, count=2), Recorder())
    for number in range(2):
        single = model.run(MusicRequest(prompt="a waltz, 8 bars", temperature=1.0, seed=5 + number), Recorder())
        assert single.audio[0].midi == both.audio[number].midi
        assert (single.audio[0].samples == both.audio[number].samples).all()
    assert both.audio[0].midi != both.audio[1].midi


def test_a_loop_is_exact_to_the_sample_and_its_seam_is_no_click(model):
    audio = model.run(
        MusicRequest(prompt="seamless techno loop, 120 bpm, 4 bars", temperature=1.0, seed=2), Recorder()
    ).audio[0]
    assert audio.samples.shape[1] == 8 * audio.rate
    four = np.tile(audio.samples, 4)
    steps = np.abs(np.diff(four, axis=1)).max(axis=0)
    seams = [steps[number * audio.samples.shape[1] - 1] for number in (1, 2, 3)]
    assert max(seams) <= np.quantile(steps, 0.999)


def test_stop_ends_it_between_two_notes(model):
    with pytest.raises(Cancelled):
        model.run(JIG, Recorder(stop_after=4))


def test_what_it_cannot_do_is_said(model):
    output = model.run(
        MusicRequest(prompt="rain on a tin roof, 4 bars", lyrics="la", temperature=1.0, seed=1), Recorder()
    )
    assert ("no_lyrics", {}) in output.notes
    assert ("unknown_words", {"words": "rain, tin, roof"}) in output.notes


def test_a_model_of_other_words_is_refused(folder, tmp_path):
    import shutil

    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (other / "tokenizer.json").write_text('{"model": {"vocab": {"do": 0, "re": 1}}}', encoding="utf-8")
    with pytest.raises(StudioError, match="other words"):
        load(ENGINE, other)


def test_its_card_needs_no_more_than_it_says():
    assert ENGINE.work(card("composer"), JIG) < 200 << 20


def test_fields_win_over_the_prompt(model):
    asked = MusicRequest(
        prompt="a waltz in C, 8 bars, piano", tempo=100, key="f# minor", metre="4/4", bars=4, players="flute, harp",
        loop=True, temperature=1.0, seed=3,
    )  # fmt: skip
    output = model.run(asked, Recorder())
    audio = output.audio[0]
    assert audio.samples.shape[1] == round(4 * 4 * 60 / 100 * audio.rate)
    known = {name: audio.played[name] for name in ("key", "metre", "tempo", "bars", "loop")}
    assert known == {"key": "F♯ minor", "metre": "4/4", "tempo": 100.0, "bars": 4, "loop": True}
    assert audio.played["players"][:2] == ["flute", "harp"]


def test_the_recipe_holds_the_melody_that_sounds(model):
    audio = model.run(JIG, Recorder()).audio[0]
    melody = performance.melody(audio.played)
    assert melody is not None
    file = mido.MidiFile(file=io.BytesIO(audio.midi))
    sounded = [message.note for message in file.tracks[1] if message.type == "note_on"]
    # an instrument plays what lies outside its range an octave away
    assert [pitch % 12 for pitch in sounded] == [(melody.tonic + pitch) % 12 for _, _, pitch in melody.line.notes]


def test_no_prompt_makes_a_piece_longer_than_the_card_allows(folder):
    short = load(ENGINE, folder, limits={"max_duration": 30})
    audio = short.run(MusicRequest(prompt="an air, 4/4, 40 bpm, 64 bars", temperature=1.0, seed=1), Recorder()).audio[0]
    assert audio.played["bars"] == 5  # six seconds each


REEL = MusicRequest(prompt="a reel in G", bars=16, tempo=110, key="G major", metre="4/4", temperature=1.0, seed=4)


@pytest.fixture(scope="module")
def first(model):
    return model.run(REEL, Recorder()).audio[0].played


@pytest.mark.parametrize("bars", [1, 3, 7, 8, 9, 15])
def test_a_piece_goes_on_from_any_bar_of_another_one(model, first, bars):
    upbeat = performance.melody(first).line.upbeat
    moment = (upbeat + bars * 96 + 5) * 60 / (24 * 110)
    words, kept = performance.until(first, moment)
    assert kept == bars
    other = model.run(replace(REEL, melody=words, seed=5), Recorder()).audio[0].played
    assert other["melody"].startswith(words)
    assert other["melody"] != first["melody"]
    assert performance.melody(other).line.bars[:bars] == performance.melody(first).line.bars[:bars]


def test_nothing_is_kept_of_a_first_bar_and_a_repeat_keeps_its_part(model):
    long = model.run(replace(REEL, bars=32), Recorder()).audio[0].played
    assert performance.until(long, 0.1) == ("", 0)
    second_time = 10.5 * 4 * 60 / 110  # in the second turn of the first part
    words, kept = performance.until(long, second_time)
    assert kept == 10
    assert words.count("part") == 1
    assert words.count("bar") == 8
    assert performance.until(long, 1e6)[0] == long["melody"]
    assert performance.until({}, 3.0) == ("", 0)


def test_a_beginning_that_does_not_fit_is_said(model):
    words = "part bar8 d24 n0 n4 n7 n12"
    model.run(replace(REEL, melody=words), Recorder())
    for wrong in ({"metre": "3/4"}, {"bars": 4}, {"melody": "part bar8 nonsense"}, {"melody": words + " n0"}):
        with pytest.raises(StudioError) as caught:
            model.run(replace(REEL, **{"melody": words} | wrong), Recorder())
        assert caught.value.code == "melody_does_not_fit"
