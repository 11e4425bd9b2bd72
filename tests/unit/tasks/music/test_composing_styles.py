"""Every style, player and mood of the tables and of the documents is read, can be played, and keeps its word."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from studio.tasks.music import arranging, chord_progressions, form, harmony, melody_rank, melody_tokens, performance
from studio.tasks.music.brief import Brief, colours, entries, families, genres, grooves, instruments, scales, styles
from studio.tasks.music.melody_grammar import Guide
from studio.tasks.music.melody_tokens import METRES, Part
from studio.tasks.music.prompt_parser import Wishes, read_prompt

ROOT = Path(__file__).parents[4]
READS = 640
"""Words that the network reads at most."""


def composed(brief: Brief, seed: int, given: tuple[str, ...] = ()) -> tuple[list[str], list[list[harmony.Chord]]]:
    """A line of words that the guide lets through, chosen by chance instead of by the network; and its chords."""
    plan = form.plan(brief.bars)
    chords = chord_progressions.lay(brief, plan, seed, melody_tokens.read_melody(given))
    guide, chance = Guide(brief, plan, chords, seed), random.Random(seed)
    words = list(given)
    for word in given:
        guide.take(word)
    while True:
        word = chance.choice(guide.allowed())
        if word == melody_tokens.END:
            return words, chords
        guide.take(word)
        words.append(word)


def parts_of(brief: Brief, seed: int = 1) -> list[Part]:
    return melody_tokens.read_melody(composed(brief, seed)[0])


@pytest.mark.parametrize("name", sorted(genres()))
def test_every_word_of_a_style_is_read_as_that_style(name: str):
    for word in genres()[name].words:
        found = read_prompt(word)
        assert found.brief.genre == name, word
        assert found.unknown == (), word
        assert found.named


@pytest.mark.parametrize("name", sorted(genres()))
def test_every_style_is_played_by_its_band_in_its_tempo_and_metre(name: str):
    genre = genres()[name]
    for seconds in (10.0, 30.0, 95.0):
        brief = read_prompt(genre.words[0], Wishes(seconds=seconds)).brief
        assert brief.band[0] == (genre.band or brief.band)[0]
        assert set(brief.band) == set(genre.band or brief.band)
        assert brief.metre == (genre.metre or brief.metre)
        assert brief.length == pytest.approx(seconds, rel=0.06)
        if genre.tempos and seconds >= 30:
            assert genre.tempos[0] * 0.97 <= brief.tempo <= genre.tempos[-1] * 1.03
    brief = read_prompt(genre.words[0], Wishes(bars=16)).brief
    words, chords = composed(brief, 3)
    plan = form.plan(16)
    whole = chord_progressions.unfold(chords, plan) if chords else []
    score = arranging.arrange(brief, melody_tokens.read_melody(words), plan, name, 3, whole)
    assert [voice.name for voice in score.voices] == list(brief.band)
    assert all(voice.sounds for voice in score.voices)
    if genre.style and styles()[genre.style].lines:
        assert score.upbeat == 0, "a groove begins on the beat"
    if genre.chords:
        assert score.chords[-1].root == 0, "it comes home"
    known = performance.known(brief, melody_tokens.read_melody(words), whole)
    melody = performance.melody(performance.clean(known))
    assert melody is not None
    assert list(melody.chords) == (score.chords if chords else [])
    assert known["style"] == name


@pytest.mark.parametrize("name", sorted(styles()))
def test_a_manner_of_melody_keeps_to_its_range_its_notes_and_its_words(name: str):
    style = styles()[name]
    for mode in ("major", "minor"):
        for metre in METRES:
            brief = Brief("tune", metre, mode, 2, 100, 16, "even", "pop", ("piano", "piano"), style=name)
            pitches = [
                note.pitch for part in parts_of(brief) for bar in part.bars for note in bar if note.pitch is not None
            ]
            assert pitches
            assert all(style.range[0] <= pitch <= style.range[-1] for pitch in pitches)
            kept = scales().get(style.scale, {}).get(mode) or melody_rank.SCALES[mode]
            assert all(pitch % 12 in kept for pitch in pitches), "without chords it stays in its scale"


@pytest.mark.parametrize("name", sorted(name for name, style in styles().items() if style.lines))
def test_the_longest_form_fits_into_what_the_network_reads(name: str):
    for bars in (55, 63):
        brief = Brief("tune", "4/4", "minor", 2, 100, bars, "even", "pop", ("piano", "piano"), style=name)
        assert len(composed(brief, 1)[0]) + 6 <= READS


def test_a_phrase_that_comes_back_is_the_same_and_a_rhythm_alone_is_not():
    brief = Brief("tune", "4/4", "minor", 2, 130, 8, "even", "techno", ("piano", "piano"), style="riff")
    (part,) = parts_of(brief)
    assert part.bars[0] == part.bars[1] == part.bars[2]
    assert part.bars[3] != part.bars[0]
    brief = Brief("tune", "4/4", "minor", 2, 130, 8, "even", "punk", ("piano", "piano"), style="shouted")
    (part,) = parts_of(brief)
    assert [note.length for note in part.bars[0]] == [note.length for note in part.bars[1]]
    assert part.bars[0] != part.bars[1]


@pytest.mark.parametrize("name", ["arabic", "balkan", "flamenco", "japanese", "indian", "horror", "blues"])
def test_the_notes_by_which_a_scale_is_known_are_heard(name: str):
    brief = read_prompt(f"{name}, minor", Wishes(bars=8)).brief
    notes = [note.pitch for part in parts_of(brief, 4) for bar in part.bars for note in bar if note.pitch is not None]
    known = colours()[styles()[brief.style].scale]
    assert sum(pitch % 12 in known for pitch in notes) >= len(notes) / 8


@pytest.mark.parametrize("name", ["techno", "reggae", "lullaby", "folk", "baroque"])
def test_a_beginning_is_kept_word_for_word_whatever_the_style(name: str):
    reel = Brief("reel", "4/4", "major", 2, 100, 8, "even", "dance", ("violin", "guitar"))
    begun = tuple(composed(reel, 5)[0])
    brief = read_prompt(f"{name} in D major, 4/4", Wishes(bars=8)).brief
    for bars in (1, 3, 7):
        given = begun[: begun.index(f"bar{8 - bars}")]
        words, _ = composed(brief, 6, given)
        assert tuple(words[: len(given)]) == given
        assert performance.begins(words, "4/4", form.plan(8))


@pytest.mark.parametrize("name", sorted(genres()))
def test_every_progression_is_chords_and_begins_a_key(name: str):
    for mode, lines in genres()[name].chords.items():
        assert mode in melody_tokens.MODES
        for line in lines:
            found = [chord_progressions.chord(one) for bar in line.split() for one in bar.split(",")]
            assert any(chord.root == 0 for chord in found) or "V" in line
            assert len(line.split()) in (4, 8, 12)


def test_twelve_bars_of_blues_are_the_blues():
    brief = read_prompt("12-bar blues in E", Wishes(bars=12)).brief
    plan = form.plan(12)
    roots = [chord.root for chord in chord_progressions.unfold(chord_progressions.lay(brief, plan, 1), plan)[::2]]
    assert roots[0] == 0
    assert (roots[4], roots[5], roots[8], roots[9], roots[11]) == (5, 5, 7, 5, 0)


def test_chords_come_back_from_a_recipe_and_nonsense_does_not():
    chords = [harmony.Chord(0, "maj7"), harmony.Chord(9, "m7"), harmony.Chord(2, "m7"), harmony.Chord(7, "7")]
    assert chord_progressions.read_chords(chord_progressions.write_chords(chords, "4/4"), "4/4", 2) == tuple(chords)
    for text, bars in (("0:maj7,9:m7", 2), ("12", 1), ("x", 1), ("0:m9,0", 1), ("", 1), ("0:m,0:m 5", 2)):
        assert chord_progressions.read_chords(text, "4/4", bars) == ()


def test_every_player_is_read_plays_the_melody_and_can_be_kept_away():
    for name, player in instruments().items():
        for word in player.words:
            found = read_prompt(f"{word}, a plain wish")
            assert name in found.brief.band or found.brief.genre, word
            without = read_prompt(f"no {word}" if word[0] < "㐀" else f"不要{word}")
            assert name not in without.brief.band, word
            assert without.without, word


def test_every_word_of_the_tables_is_understood():
    for entry in entries():
        for word in entry["words"]:
            assert read_prompt(word if entry["sort"] != "form" else f"piano {word}").unknown == (), word
    for family in families():
        for word in family.words:
            assert read_prompt(f"rock without {word}").unknown == () or word[0] >= "㐀", word
            assert set(family.members) <= set(instruments())


def test_the_tables_fit_together():
    for name, genre in genres().items():
        assert set(genre.band) <= set(instruments()), name
        assert genre.groove in grooves(), name
        assert genre.style in (*styles(), ""), name
        assert genre.kind in (*melody_tokens.KINDS, ""), name
        assert genre.busy in (*melody_tokens.BUSY, ""), name
        assert genre.metre in (*METRES, ""), name
        if genre.tempos:
            assert genre.tempos[0] <= genre.tempo <= genre.tempos[-1], name
    for name, groove in grooves().items():
        assert groove.instead in (*grooves(), ""), name
        assert set(groove.roles) <= set(instruments()), name
    for name, style in styles().items():
        assert style.scale in (*scales(), ""), name
        for metre, lines in style.lines.items():
            assert style.close.get(metre), name
            for line in (*lines, style.close[metre]):
                assert METRES[metre] % len(line) == 0, (name, line)
                assert set(line) <= set("x-."), (name, line)


def test_what_the_page_and_the_guide_offer_is_known():
    """The examples of the page in both languages, and every word of the guide's tables."""
    for spoken in ("en", "zh-CN"):
        texts = (ROOT / "assets" / "i18n" / spoken / "music.json").read_text(encoding="utf-8")
        for prompt in re.findall(r'"music\.(?:placeholder|example\d)": "([^"]+)"', texts):
            found = read_prompt(prompt)
            assert found.named
            assert set(found.unknown) <= {"working", "适合工作的"}, prompt
    guide = (ROOT / "docs" / "music.md").read_text(encoding="utf-8")
    named = re.findall(r"(?m)^\| ([^|`]+?) \| ", guide.split("## What you get")[0])
    words = [word.strip(" …") for row in named if row != "You write" for word in row.split(",") if word.strip(" …-")]
    assert len(words) > 60
    for word in words:
        assert read_prompt(f"piano, {word}").unknown == (), word
