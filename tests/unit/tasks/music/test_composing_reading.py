"""How a prompt is read: numbers and names as they stand, words by the tables, in English and Chinese."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.requests import MusicRequest
from studio.tasks.music import melody_tokens
from studio.tasks.music.brief import Brief, grooves, instruments
from studio.tasks.music.keys import key_name
from studio.tasks.music.prompt_parser import Wishes, read_prompt, read_request


def brief(prompt: str, wishes: Wishes | None = None) -> Brief:
    return read_prompt(prompt, wishes).brief


def test_a_whole_wish_is_read_in_english():
    found = brief("a lively Irish jig in D major, flute and guitar, 16 bars")
    assert (found.kind, found.metre, found.tonic, found.mode, found.bars) == ("jig", "6/8", 2, "major", 16)
    assert found.band == ("flute", "guitar")
    assert (found.groove, found.busy) == ("dance", "busy")
    assert found.tempo > 116


def test_and_in_chinese():
    found = brief("一首欢快的爱尔兰吉格，D大调，长笛和吉他，16小节，每分钟110拍")
    assert (found.kind, found.metre, found.tonic, found.mode, found.bars) == ("jig", "6/8", 2, "major", 16)
    assert found.band == ("flute", "guitar")
    assert found.tempo == 110


@pytest.mark.parametrize(
    ("words", "tonic", "mode"),
    [
        ("in A minor", 9, "minor"), ("F# minor", 6, "minor"), ("Bb major", 10, "major"), ("B-flat major", 10, "major"),
        ("E dorian", 4, "dorian"), ("g mixolydian", 7, "mixolydian"), ("in the key of C sharp minor", 1, "minor"),
        ("降B小调", 10, "minor"), ("升F大调", 6, "major"), ("a小调", 9, "minor"), ("a reel in G", 7, "major"),
        ("a sad tune in D", 2, "minor"),
    ],
)  # fmt: skip
def test_keys(words, tonic, mode):
    assert (brief(words).tonic, brief(words).mode) == (tonic, mode)


@pytest.mark.parametrize(
    ("words", "metre"),
    [
        ("3/4", "3/4"),
        ("in 6/8 time", "6/8"),
        ("a reel", "4/4"),
        ("a slip jig", "9/8"),
        ("圆舞曲", "3/4"),
        ("2/4拍", "2/4"),
    ],
)
def test_metres(words, metre):
    assert brief(words).metre == metre


def test_a_metre_that_a_dance_does_not_have_wins_over_its_name():
    assert brief("a reel in 6/8").kind == "jig"


def test_who_is_named_for_a_dance_plays_it_alone():
    for words in ("a jig, flute and guitar", "an Irish jig, flute and guitar", "里尔舞曲，长笛和吉他"):
        assert brief(words).band == ("flute", "guitar")


def test_fields_win_over_the_prompt():
    found = brief("a jig in D major at 120 bpm", Wishes(tempo=90, tonic=7, mode="minor", metre="9/8", bars=12))
    assert (found.tempo, found.tonic, found.mode, found.metre, found.bars) == (90, 7, "minor", "9/8", 12)


@given(st.floats(4, 180), st.sampled_from(["a jig", "waltz", "ambient", "techno", "a slow air", "rock"]))
def test_seconds_come_out_exactly_where_the_tempo_is_free(seconds, words):
    found = brief(words, Wishes(seconds=seconds))
    if found.bars >= 4:
        assert found.length == pytest.approx(seconds, rel=0.001)
        assert found.ending == pytest.approx(min(1.5, seconds / 4)), "what rings on is part of the length"


@given(st.floats(4, 60), st.integers(60, 200))
def test_a_named_tempo_is_kept_and_whole_bars_leave_the_rest_to_the_last_chord(seconds, tempo):
    found = brief(f"techno, {tempo} bpm", Wishes(seconds=seconds))
    assert found.tempo == tempo
    assert found.length == pytest.approx(seconds, abs=0.001)
    assert 0 <= found.ending < 4 * 60 / tempo + 0.001


def test_bars_win_over_seconds_and_a_loop_ends_with_its_last_bar():
    assert brief("techno, 120 bpm, 4 bars, 30 seconds").length == 8 + 1.5
    assert brief("techno loop, 120 bpm, 7.3 seconds").length == 8
    assert brief("a waltz, 10 seconds").length == pytest.approx(10)


def test_a_melody_is_never_left_without_chords_unless_it_is_to_be_alone():
    assert brief("slow piano").band == ("piano", "piano")
    assert "guitar" in brief("flute, irish reel").band
    assert brief("solo flute").band == ("flute",)
    assert set(brief("techno with bass and drums").band) > {"synth-bass", "drums"}


def test_a_lead_is_somebody_who_can_sing():
    for words in ("drums and flute", "double bass, violin"):
        assert instruments()[brief(words).band[0]].plays not in (("bass",), ("beat",))


def test_words_that_say_nothing_to_the_composer_are_named():
    assert read_prompt("rain on a tin roof, slow piano").unknown == ("rain", "tin", "roof")
    assert read_prompt("a gentle waltz for two violins with some piano").unknown == ("two",)


@given(st.text(max_size=200))
def test_whatever_is_written_gives_a_brief_that_can_be_played(prompt):
    found = brief(prompt)
    assert found.kind in melody_tokens.KINDS
    assert found.metre in melody_tokens.METRES
    assert found.mode in melody_tokens.MODES
    assert found.busy in melody_tokens.BUSY
    assert found.groove in grooves()
    assert found.band
    assert set(found.band) <= set(instruments())
    assert 30 <= found.tempo <= 260
    assert 1 <= found.bars <= 128


def test_keys_are_spelt_as_musicians_do():
    assert [key_name(tonic, "major") for tonic in (10, 6, 3, 9)] == ["B♭", "F♯", "E♭", "A"]
    assert [key_name(tonic, "minor") for tonic in (1, 10, 6, 0)] == ["C♯", "B♭", "F♯", "C"]


def test_every_table_is_sound():
    for name, groove in grooves().items():
        assert set(groove.band) <= set(instruments()), name
        assert groove.bars, name
        for metre, lines in groove.bars.items():
            steps = melody_tokens.METRES[metre]
            beaten = [(f"{group} {name}", line) for group in ("drums", "fill", "first")
                      for name, line in lines.get(group, {}).items()]  # fmt: skip
            for role, line in [*((role, x) for role, x in lines.items() if isinstance(x, str)), *beaten]:
                assert steps % len(line) == 0, (name, metre, role)
    assert {brief(words).metre in melody_tokens.COMPOUND for words in ("jig", "reel")} == {True, False}


@pytest.mark.parametrize(
    ("prompt", "bars", "metre"),
    [
        ("a sixteen-bar reel", 16, "4/4"), ("a waltz, thirty-two bars", 32, "3/4"), ("钢琴，十六小节", 16, None),
        ("八个小节的圆舞曲", 8, "3/4"), ("四三拍，二十四小节", 24, "3/4"), ("八分之六拍，一百二十八小节", 128, "6/8"),
    ],
)  # fmt: skip
def test_numbers_in_words_count(prompt: str, bars: int, metre: str | None):
    found = read_prompt(prompt)
    assert found.brief.bars == bars
    assert metre is None or found.brief.metre == metre
    assert found.unknown == ()


def test_seconds_and_beats_in_chinese_words():
    assert brief("每分钟一百二十拍的里尔，八小节").tempo == 120
    assert brief("每分钟六十拍，四四拍，二十秒").bars == 5


def test_what_is_said_twice_is_no_unknown_word():
    found = read_prompt("无缝循环，钢琴，loopable loop")
    assert found.brief.loop
    assert found.unknown == ()


@pytest.mark.parametrize(
    ("request_", "left"),
    [
        (MusicRequest(prompt="a jig in D", duration=30), set()),
        (MusicRequest(prompt="a jig", duration=30), {"key"}),
        (MusicRequest(prompt="a jig", duration=30, key="D"), set()),
        (MusicRequest(prompt="rain", duration=30, tempo=100), {"key", "metre", "bars"}),
        (MusicRequest(prompt="rain", duration=30, tempo=100, metre="3/4", bars=8), {"key"}),
    ],
)
def test_what_the_seed_decides_is_named(request_: MusicRequest, left: set[str]):
    assert read_request(request_, 0.3).left == left


def test_fields_of_a_request_win_too():
    found = read_request(
        MusicRequest(prompt="a fast reel in C on the fiddle, 32 bars", key="b minor", metre="3/4", tempo=70, bars=8,
                     players="harp, oud", loop=True),
        0.5,
    )  # fmt: skip
    brief = found.brief
    assert (brief.tonic, brief.mode, brief.metre, brief.tempo, brief.bars) == (11, "minor", "3/4", 70, 8)
    assert brief.band[0] == "harp"
    assert brief.loop
    assert "oud" in found.unknown or "oud" in brief.band
