"""The line under a prompt is true: nothing is passed over in silence, nothing is called left out that is played."""

from __future__ import annotations

import pytest

from studio.requests import MusicRequest
from studio.tasks.music import reading_text
from studio.tasks.music.brief import instruments
from studio.tasks.music.prompt_parser import read_prompt, read_request

DRUMS = {name for name, player in instruments().items() if "beat" in player.plays}


@pytest.mark.parametrize(
    ("prompt", "named"),
    [
        ("грустное пианино", ("грустное", "пианино")), ("ピアノソナタ", ("ピアノソナタ",)),
        ("슬픈 피아노", ("슬픈", "피아노")), ("μουσική", ("μουσική",)), ("głośno", ("głośno",)),
        ("उदास पियानो", ("उदास", "पियानो")), ("🎹", ("🎹",)), ("asia", ("asia",)), ("aaa", ("aaa",)),
    ],
)  # fmt: skip
def test_words_of_every_script_are_named(prompt: str, named: tuple[str, ...]):
    assert read_prompt(prompt).unknown == named


@pytest.mark.parametrize(
    ("prompt", "gone"),
    [
        ("hip hop beat with no drums", DRUMS), ("lofi hip hop beat without drums", DRUMS),
        ("piano piece without piano", {"piano"}), ("a brass band without brass", {"brass"}),
        ("avoid: drums, piano", DRUMS | {"piano"}), ("jazz; avoid: drums, bass and piano", DRUMS | {"piano", "bass"}),
        ("without: drums, bass", DRUMS | {"bass"}), ("rock. negative prompt: drums, bass", DRUMS | {"bass"}),
        ("gospel, Negative: vocals", {"choir"}), ("摇滚。负面提示词：鼓，贝斯", DRUMS | {"bass"}),
    ],
)  # fmt: skip
def test_who_is_said_to_be_left_out_does_not_play(prompt: str, gone: set[str]):
    found = read_prompt(prompt)
    assert found.without
    assert not set(found.brief.band) & gone


def test_who_is_named_after_his_family_was_excluded_plays():
    assert "taiko" in read_prompt("epic, no drums but taiko").brief.band
    assert "violin" in read_prompt("no strings, only violin").brief.band


@pytest.mark.parametrize(
    "prompt", ["drums only", "a drum solo", "bass only", "techno, drums only", "只要鼓", "taiko drums"]
)
def test_a_melody_that_nobody_asked_for_is_announced(prompt: str):
    found = read_prompt(prompt)
    assert found.brief.band[0] not in DRUMS
    assert ("melody_stays", {}) in reading_text.notes(found)


def test_a_melody_that_was_excluded_is_not_said_to_be_left_out():
    found = read_prompt("percussion, no melody")
    assert "melody" not in found.without
    assert ("melody_stays", {}) in reading_text.notes(found)


@pytest.mark.parametrize("prompt", ["techno with bass", "piano", "rock with a drum solo", "flute and drums", "a tune"])
def test_other_melodies_are_not(prompt: str):
    assert ("melody_stays", {}) not in reading_text.notes(read_prompt(prompt))


@pytest.mark.parametrize(
    "prompt", ["reggae and metal", "8-bit and jazz", "120 bpm, then 140 bpm", "in C major and A minor"]
)
@pytest.mark.parametrize("spoken", ["en", "zh-CN"])
def test_a_second_one_is_left_out_but_not_unknown(prompt: str, spoken: str):
    found = read_prompt(prompt)
    assert found.passed
    assert not set(found.passed) & set(found.unknown)
    assert any(found.passed[0] in line for line in reading_text.lines(found, spoken)[1:])


@pytest.mark.parametrize(
    "prompt",
    ["slip jig, 9/8, 112 bpm, 16 bars", "6/8, 60 bpm, in E♭ minor, piano, 8 bars", "waltz in F♯ minor, 92.5 bpm"],
)
def test_the_line_itself_can_be_read_again(prompt: str):
    first = read_request(MusicRequest(prompt=prompt, duration=30), 0.3)
    again = read_request(MusicRequest(prompt=reading_text.in_words(first, "en"), duration=30), 0.3)
    for name in ("tempo", "metre", "bars", "tonic", "mode", "kind"):
        assert getattr(again.brief, name) == getattr(first.brief, name), name
    assert again.unknown == ()


@pytest.mark.parametrize(
    ("word", "said"), [("polka", "polka"), ("mazurka", "mazurka"), ("elegy", "elegy"), ("波尔卡", "polka")]
)
def test_a_dance_is_called_by_its_name(word: str, said: str):
    line = reading_text.in_words(read_prompt(f"{word}, piano"), "en")
    assert f" {said} " in f" {line} "
    assert not {"march", "waltz", "air"} & set(line.split())
