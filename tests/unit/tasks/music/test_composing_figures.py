"""Numbers and keys of a prompt, as people write them; what cannot be kept is told with what is played instead."""

from __future__ import annotations

from typing import Any

import pytest

from studio.tasks.music.prompt_parser import Reading, Wishes, read_prompt


def changes(found: Reading) -> dict[str, dict[str, Any]]:
    return dict(found.changes)


@pytest.mark.parametrize(
    ("words", "tempo"),
    [
        ("BPM: 128", 128), ("bpm=100", 100), ("92.75 bpm lofi", 92.75), ("67.5 bpm", 67.5), ("at 120", 120),
        ("@ 96", 96),
        ("tempo 120", 120), ("tempo: 67.5", 67.5), ("tempo of 88 bpm", 88), ("120bpm", 120),
        ("120 beats per minute", 120),
        ("90 beats a minute funk", 90), ("Beats per Minute (BPM): 100", 100), ("♩=92.5", 92.5), ("92,5 bpm", 92.5),
        ("♩ ≈ 63", 63),
        ("one hundred and twenty bpm", 120), ("速度92", 92), ("每分钟一百二十拍", 120), ("BPM为128", 128),
        ("一百二十BPM", 120),
        ("ＢＰＭ：１２８", 128), ("4/4,120 bpm", 120), ("no more than 120 bpm techno", 120), ("M.M. = 63", 63),
    ],
)  # fmt: skip
def test_tempi_are_kept_to_the_fraction(words: str, tempo: float):
    found = read_prompt(words)
    assert found.brief.tempo == tempo
    assert changes(found) == {}
    assert not any(word[0].isdigit() for word in found.unknown)


@pytest.mark.parametrize("words", ["at 8 pm", "at 120 seconds", "no. 5", "at 45 degrees", "5 violins", "24/7"])
def test_other_numbers_are_no_tempo(words: str):
    assert read_prompt(words).brief.tempo == read_prompt("").brief.tempo or "seconds" in words
    assert not any(name.startswith("tempo") for name in changes(read_prompt(words)))


def test_of_a_range_the_middle_is_played_and_said():
    for words in ("120-130 bpm", "120 – 130 bpm", "between 120 and 130 bpm", "120到130bpm", "tempo 120 to 130"):
        found = read_prompt(words)
        assert found.brief.tempo == 125
        assert changes(found) == {"tempo_range": {"low": "120", "high": "130", "played": "125"}}


@pytest.mark.parametrize(
    ("words", "name", "asked", "played"),
    [
        ("999 bpm", "tempo_cut", "999", "260"), ("20 bpm", "tempo_cut", "20", "30"),
        ("1,000 bpm", "tempo_cut", "1000", "260"),
        ("500 bars", "bars_cut", 500, 128), ("0 bars", "bars_cut", 0, 1), ("五百小节", "bars_cut", 500, 128),
        ("5/4 jazz", "metre_played", "5/4", "4/4"), ("7/8 dance", "metre_played", "7/8", "4/4"),
        ("12/8 blues", "metre_played", "12/8", "6/8"), ("2/2 march", "metre_played", "2/2", "4/4"),
        ("3/2 hymn", "metre_played", "3/2", "3/4"), ("6/4", "metre_played", "6/4", "6/8"),
        ("alla breve", "metre_played", "2/2", "4/4"),
        ("3/8 waltz", "metre_played", "3/8", "3/4"), ("11/8", "metre_played", "11/8", "4/4"),
        ("五四拍", "metre_played", "5/4", "4/4"),
        ("八分之七拍", "metre_played", "7/8", "4/4"), ("seven-eight", "metre_played", "7/8", "4/4"),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_told(words: str, name: str, asked: Any, played: Any):
    found = read_prompt(words)
    assert changes(found)[name] == {"asked": asked, "played": played}
    kept = {"tempo_cut": found.brief.tempo, "bars_cut": found.brief.bars, "metre_played": found.brief.metre}[name]
    assert kept == (float(played) if name == "tempo_cut" else played)


@pytest.mark.parametrize("metre", ["2/4", "3/4", "4/4", "6/8", "9/8"])
def test_metres_that_it_plays_need_no_word(metre: str):
    assert (read_prompt(f"in {metre} time").brief.metre, changes(read_prompt(metre))) == (metre, {})


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("2 minutes of ambient", 120), ("1:30", 90), ("90s", 90), ("90s, techno", 90), ("half a minute", 30),
        ("2分钟", 120),
        ("一分半", 90), ("1分30秒", 90), ("a minute and a half", 90), ("two and a half minutes", 150),
        ("2 min 30 s", 150),
        ("2m30s", 150), ("a two minute song", 120), ("a 30-second loop", 30), ("30s loop", 30), ("半分钟", 30),
        ("两分半钟", 150), ("三十秒", 30), ("20，30秒", 30), ("4/4，20秒", 20),
    ],
)  # fmt: skip
def test_lengths(words: str, seconds: float):
    assert read_prompt(words).brief.length == pytest.approx(seconds, rel=0.02)


@pytest.mark.parametrize(
    "words", ["90s music", "the 80s, synthwave", "90s hip hop", "1980s disco", "20s jazz", "'70s funk"]
)
def test_a_decade_is_no_length(words: str):
    found = read_prompt(words, Wishes(seconds=20.0))
    assert found.brief.length == pytest.approx(20, rel=0.1)
    assert any(word.endswith("0s") for word in found.unknown), "and is named, since the composer does not know it"


def test_what_is_too_long_for_the_model_is_told_before_it_is_made():
    found = read_prompt("30 bpm, 128 bars", Wishes(longest=300))
    assert changes(found) == {"bars_fit": {"asked": 128, "played": 37, "seconds": "300"}}
    assert found.brief.bars == 37
    found = read_prompt("an hour of ambient, 1 hour", Wishes(longest=300))
    assert changes(found)["seconds_cut"] == {"asked": "3600", "played": "300"}
    assert found.brief.length == pytest.approx(300, rel=0.02)


def test_what_a_second_number_asks_for_is_named():
    found = read_prompt("techno, 120 bpm, 90 bpm, in C major, in A minor")
    assert (found.brief.tempo, found.brief.tonic, found.brief.mode) == (120, 0, "major")
    assert {"90 bpm", "a minor"} == set(found.passed)
    assert found.unknown == ()


@pytest.mark.parametrize(
    ("words", "tonic", "mode"),
    [
        ("A harmonic minor", 9, "minor"), ("in A natural minor", 9, "minor"), ("F#m", 6, "minor"), ("Am", 9, "minor"),
        ("in Am", 9, "minor"), ("in am", 9, "minor"), ("key of F#m", 6, "minor"), ("key: f#m", 6, "minor"),
        ("C#m7", 1, "minor"),
        ("Bbm", 10, "minor"), ("Cmaj7", 0, "major"), ("H minor", 11, "minor"), ("h-moll", 11, "minor"),
        ("fis-moll", 6, "minor"),
        ("gis moll", 8, "minor"), ("C-Dur", 0, "major"), ("B-Dur", 10, "major"), ("b-moll", 10, "minor"),
        ("Es-Dur", 3, "major"),
        ("As-Dur", 8, "major"), ("D大调", 2, "major"), ("D 小调", 2, "minor"), ("升F小调", 6, "minor"),
        ("降E大调", 3, "major"),
        ("#F小调", 6, "minor"), ("A和声小调", 9, "minor"), ("1=D 民歌", 2, "major"), ("C调", 0, "major"),
        ("G羽调式", 7, "minor"),
        ("A aeolian", 9, "minor"), ("C ionian", 0, "major"), ("D dorian mode", 2, "dorian"), ("E♭ minor", 3, "minor"),
        ("key: C", 0, "major"), ("in A, slow", 9, "major"), ("a waltz in a", 9, "major"), ("A minor waltz", 9, "minor"),
        ("in the key of B flat", 10, "major"), ("Cb major", 11, "major"),
    ],
)  # fmt: skip
def test_keys_in_the_ways_of_three_languages(words: str, tonic: int, mode: str):
    for chance in (0.1, 0.9):
        found = read_prompt(words, chance=chance)
        assert (found.brief.tonic, found.brief.mode) == (tonic, mode)
        assert changes(found) == {}


@pytest.mark.parametrize(
    "words",
    ["walking in a dark forest", "a minor setback", "A major hit", "I am happy", "Am I dreaming", "a house on the hill",
     "lost in a dream", "In A Dark Wood", "a major problem"],
)  # fmt: skip
def test_the_article_is_no_key(words: str):
    keys = {(read_prompt(words, chance=chance / 50).brief.tonic) for chance in range(50)}
    assert len(keys) > 1, "the seed chooses"


def test_a_mode_without_a_tonic():
    for words in ("a tune in a minor key", "in minor", "小调钢琴"):
        assert read_prompt(words).brief.mode == "minor"
        assert len({read_prompt(words, chance=chance / 50).brief.tonic for chance in range(50)}) > 1
    assert read_prompt("a sad tune in a major key").brief.mode == "major"


@pytest.mark.parametrize(
    ("words", "key"),
    [("D phrygian", "D minor"), ("in F lydian", "F major"), ("B locrian", "B minor"), ("E弗里几亚", "E minor")],
)
def test_modes_that_it_never_learnt_are_told_with_what_is_played(words: str, key: str):
    assert changes(read_prompt(words))["mode_played"]["key"] == key
