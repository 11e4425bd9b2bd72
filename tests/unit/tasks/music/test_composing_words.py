"""Words that exclude, words of two senses, and styles that stand side by side."""

from __future__ import annotations

import pytest

from studio.requests import MusicRequest
from studio.tasks.music import reading_text
from studio.tasks.music.brief import instruments
from studio.tasks.music.prompt_parser import Wishes, read_prompt, read_request

DRUMS = {name for name, player in instruments().items() if "beat" in player.plays}
BASSES = {"bass", "double-bass", "synth-bass", "slap-bass", "tuba"}
GUITARS = {name for name in instruments() if "guitar" in name}


def band(prompt: str) -> set[str]:
    return set(read_prompt(prompt).brief.band)


@pytest.mark.parametrize(
    "words",
    ["{} no drums", "{} without drums", "drumless {}", "{} minus the drums", "{}，没有鼓", "{}，不要鼓", "无鼓的{}",
    "{} with no drums",
     "{} but no drums", "{}, w/o drums", "{} without any drums or percussion", "I don't want drums in this {}",
     "{} -drums",
     "drum-free {}", "beatless {}", "{}, drums: none", "{} except drums", "no percussion, {}", "{}，别用打击乐",
     "{}，去掉鼓",
     "everything but drums, {}", "{}, please leave out the drums", "{} with drums muted", "{}, not any drums"],
)  # fmt: skip
@pytest.mark.parametrize("style", ["techno", "jazz", "rock"])
def test_who_wants_no_drums_gets_none(words: str, style: str):
    found = read_prompt(words.format(style))
    assert not set(found.brief.band) & DRUMS
    assert found.brief.genre == style, "and the rest is read all the same"
    assert found.without
    assert found.unknown == ()


@pytest.mark.parametrize(
    ("words", "gone", "there"),
    [
        ("rock, no drums or bass", DRUMS | BASSES, {"overdriven-guitar"}),
        ("rock without drums and bass but with piano", DRUMS | BASSES, {"piano"}),
        ("爵士，没有鼓和贝斯，但有钢琴", DRUMS | BASSES, {"piano"}),
        ("neither drums nor guitar, rock", DRUMS | GUITARS, {"bass"}),
        ("rock band without guitar", GUITARS, {"bass", "drums"}),
        ("no guitars, no drums, no bass, rock", GUITARS | DRUMS | BASSES, set()),
        ("lofi with no vocals, bass and drums", {"choir"}, {"bass", "drums"}),
        ("gospel without vocals, bass and drums", {"choir"} | BASSES | DRUMS, {"piano"}),
        ("epic, everything but strings", {"strings", "violin"}, {"horn", "taiko"}),
        ("jazz, don't use piano", {"piano"}, {"saxophone", "drums"}),
        ("epic, instrumental", {"choir"}, {"strings"}),
        ("史诗，没有人声", {"choir"}, {"strings"}),
        ("纯音乐，福音", {"choir"}, {"piano"}),
        ("techno without synths", {"synth-lead", "synth-bass", "pad"}, {"drums"}),
        ("除了鼓都要，摇滚", DRUMS, {"bass"}),
        ("除了钢琴还有小提琴", set(), {"piano", "violin"}),
        ("not just piano, also strings", set(), {"piano", "strings"}),
        ("guitar instead of piano, sad", {"piano"}, {"guitar"}),
        ("waltz without accordion", {"accordion"}, {"guitar"}),
        ("摇滚，不要吉他、鼓和贝斯", GUITARS | DRUMS | BASSES, set()),
    ],
)  # fmt: skip
def test_what_is_excluded_and_what_is_not(words: str, gone: set[str], there: set[str]):
    assert not band(words) & gone
    assert band(words) >= there


def test_kinds_moods_forms_and_numbers_can_be_excluded():
    for chance in (0.1, 0.3, 0.7, 0.9):
        assert read_prompt("not a waltz", chance=chance).brief.metre != "3/4"
        assert read_prompt("不是圆舞曲", chance=chance).brief.metre != "3/4"
        assert read_prompt("no 3/4", chance=chance).brief.metre != "3/4"
        assert read_prompt("jazz, not in C major", chance=chance).brief.tonic != 0
        assert read_prompt("a tune, not in minor, sad", chance=chance).brief.mode == "major"
    assert not read_prompt("no loop, techno").brief.loop
    assert not read_prompt("techno，不要循环").brief.loop
    assert read_prompt("无缝循环").brief.loop
    assert read_prompt("ambient pad, not dark").brief.mode == "major"
    assert read_prompt("techno, not dark").brief.mode == "major"
    assert (
        read_prompt("piano, not too fast").brief.tempo
        < read_prompt("piano").brief.tempo
        < read_prompt("fast piano").brief.tempo
    )
    assert read_prompt("不太快的钢琴").brief.tempo < read_prompt("快的钢琴").brief.tempo
    assert read_prompt("非常慢的钢琴").brief.tempo < read_prompt("慢的钢琴").brief.tempo
    assert read_prompt("not techno, jazz").brief.genre == "jazz"
    assert read_prompt("techno, not 150 bpm").brief.tempo != 150
    assert read_prompt("no drum and bass please").brief.genre == ""


def test_the_line_says_what_was_left_out_on_request():
    found = read_prompt("techno, no drums, not too fast")
    assert set(found.without) == {"drums", "fast"}
    assert "without drums, fast" in reading_text.in_words(found, "en")
    assert "不含" in reading_text.in_words(read_prompt("电子，不要鼓"), "zh-CN")


def test_fields_exclude_too():
    found = read_request(
        MusicRequest(prompt="rock", players="piano, no drums", negative_prompt="bass, vocals", duration=20), 0.3
    )
    assert found.brief.band[0] == "piano"
    assert not set(found.brief.band) & (DRUMS | BASSES | {"choir"})
    assert found.without


@pytest.mark.parametrize(
    ("words", "genre"),
    [
        ("a house on the hill", ""), ("a song for my house", ""), ("house", "house"), ("a house track", "house"),
        ("deep house", "house"), ("lost in space", "ambient"), ("in the country", ""), ("a country song", "country"),
        ("a soul band", "soul"), ("my soul", ""), ("a rock in the sea", ""), ("rock, with a rock guitar", "rock"),
        ("in a trance", ""), ("trance", "trance"), ("a trip through the jungle", ""), ("jungle", "drum-and-bass"),
    ],
)  # fmt: skip
def test_words_of_two_senses(words: str, genre: str):
    assert read_prompt(words).brief.genre == genre


def test_a_month_is_no_march():
    assert read_prompt("snow in March").brief.kind != "march"
    assert read_prompt("a march in March").brief.kind == "march"


@pytest.mark.parametrize(
    ("words", "genre"),
    [
        ("jazz waltz", "jazz-waltz"), ("drum and bass", "drum-and-bass"), ("D&B", "drum-and-bass"),
        ("rock anthem", "rock-anthem"),
        ("anthem", "hymn"), ("folk metal", "metal"), ("punk rock", "punk"), ("jazz house", "house"),
        ("lofi jazz", "lofi"),
        ("christmas jazz", "jazz"), ("epic orchestral", "epic"), ("reggae, rock", "reggae"),
        ("Chinese folk song", "chinese"),
    ],
)  # fmt: skip
def test_styles_side_by_side(words: str, genre: str):
    assert read_prompt(words).brief.genre == genre


def test_a_style_that_another_one_won_over_is_named():
    found = read_prompt("christmas jazz")
    assert (found.passed, found.unknown) == (("christmas",), ())  # it is in the list, and the line must not deny it
    assert ("one_of_each", {"words": "christmas"}) in reading_text.notes(found)
    assert read_prompt("lofi hip hop beat, chill").unknown == ()


def test_a_solo_within_a_band_and_one_alone():
    found = read_prompt("rock with a guitar solo").brief
    assert (found.band[0], set(found.band) & {"bass", "drums"}) == ("electric-guitar", {"bass", "drums"})
    assert set(read_prompt("a guitar solo").brief.band) == {"guitar"}
    assert set(read_prompt("solo flute").brief.band) == {"flute"}
    assert set(read_prompt("nothing but piano").brief.band) == {"piano"}
    assert set(read_prompt("只用钢琴").brief.band) == {"piano"}


def test_the_guitar_of_metal_is_its_own():
    assert "distortion-guitar" in band("metal with guitar and drums")
    assert "guitar" not in band("metal with guitar and drums")
    assert "synth-bass" in band("techno with bass")


def test_unknown_styles_are_named_and_no_irish_band_plays():
    for words in ("zydeco", "gamelan", "rain on a tin roof", "完全不知道的风格"):
        found = read_prompt(words, Wishes(seconds=30.0))
        assert found.unknown
        assert not found.named
        assert not set(found.brief.band) & {"violin", "bodhran"}
        assert ("plain_style", {}) in reading_text.notes(found)
    assert read_prompt("techno").named
    assert read_prompt("piano").named


def test_the_line_says_everything_that_was_read():
    found = read_request(
        MusicRequest(prompt="happy techno loop, 92.75 bpm, in F#m, 5/4, 8 bars, theremin", duration=30), 0.3, 300
    )
    line, *told = reading_text.lines(found, "en")
    for word in ("techno", "happy", "F♯ minor", "4/4", "♩ = 92.75", "8 bars", "0:21", "loop"):
        assert word in line
    assert any("5/4 is not possible" in one for one in told)
    assert any("theremin" in one for one in told)
    assert reading_text.tempo_words(63.158, "4/4", said=False) == "♩ ≈ 63", "the length asked for it, no person did"
    assert reading_text.tempo_words(63.0, "6/8", said=False) == "♩. = 63"
    calm = read_request(MusicRequest(prompt="lo-fi", duration=31), 0.3, 300)
    assert not calm.brief.tempo.is_integer()
    assert f"♩ ≈ {calm.brief.tempo:.0f}" in reading_text.in_words(calm, "en").split(" · ")
    chinese = reading_text.lines(read_prompt("摇滚，没有鼓，5/4，999 bpm"), "zh-CN")
    assert "摇滚" in chinese[0]
    assert "不含鼓" in chinese[0]
    assert any("5/4" in one for one in chinese[1:])
    assert any("999" in one and "260" in one for one in chinese[1:])


@pytest.mark.parametrize(
    ("prompt", "negative", "spoken", "said"),
    [
        ("rock, no drums", "", "zh-CN", "不含鼓"), ("rock without electric guitar", "", "zh-CN", "不含电吉他"),
        ("rock, karaoke", "", "zh-CN", "不含人声"), ("摇滚，伴奏", "", "en", "without vocals"),
        ("rock", "a banjo, harp please", "zh-CN", "不含班卓琴、竖琴"), ("摇滚，没有鼓", "", "en", "without drums"),
        ("a playful tune", "", "zh-CN", "活泼"), ("温柔的歌曲", "", "en", "gentle"), ("polka", "", "zh-CN", "波尔卡"),
        ("rock, no d minor", "", "zh-CN", "不含d 小调"), ("a ukulele, no lute", "", "zh-CN", "不含鲁特琴"),
    ],
)  # fmt: skip
def test_words_that_were_understood_are_in_the_readers_language(
    prompt: str, negative: str, spoken: str, said: str
) -> None:
    found = read_request(MusicRequest(prompt=prompt, negative_prompt=negative, duration=30), 0.3, 300)
    assert said in reading_text.in_words(found, spoken).split(" · ")


def test_a_key_that_a_note_names_is_in_the_readers_language():
    *_, note = reading_text.lines(read_prompt("a waltz in D lydian"), "zh-CN")
    assert "D 大调" in note


@pytest.mark.parametrize(
    ("prompt", "tempo", "asked_for", "shown"),
    [
        ("calm piano", 63.158, 0.0, "♩ ≈ 63"), ("calm piano, 3 minutes", 63.158, 0.0, "♩ ≈ 63"),
        ("calm piano at 92.75 bpm", 92.75, 0.0, "♩ = 92.75"), ("calm piano", 92.5, 92.5, "♩ = 92.5"),
        ("calm piano", 90.0, 0.0, "♩ = 90"), ("速度92.5", 92.5, 0.0, "♩ = 92.5"), ("calm", 0.0, 0.0, ""),
    ],
)  # fmt: skip
def test_a_fraction_that_nobody_asked_for_is_rounded_for_people(
    prompt: str, tempo: float, asked_for: float, shown: str
) -> None:
    made = {"parameters": {"prompt": prompt, "tempo": asked_for}, "played": {"tempo": tempo, "metre": "4/4"}}
    assert reading_text.played_tempo(made) == shown
