"""ABC says the same notes: written, read back by another reader, compared with what was composed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.composing import abc, language, played
from studio.composing.form import plan
from studio.composing.language import METRES, Grammar
from studio.composing.reading import read

KEYS = [f"{letter}{sign} {mode}" for letter in "CDEFGAB" for sign in ("", "♯", "♭") for mode in language.MODES]
SHARPS = {"": 0, "m": -3, "dor": -2, "mix": -1}
NATURAL = dict(zip("CDEFGAB", (0, 2, 4, 5, 7, 9, 11), strict=True))
NOTE = re.compile(r"(\^\^|\^|__|_|=)?([A-Ga-gz])([,']*)(\d+)?(?:/(\d+))?(-)?")


def melodies() -> st.SearchStrategy[dict[str, object]]:
    @st.composite
    def draw(pick):
        metre, bars = pick(st.sampled_from(list(METRES))), pick(st.sampled_from([2, 4, 8, 12, 16, 24, 32]))
        grammar = Grammar(metre, plan(bars).lengths)
        random = pick(st.randoms(use_true_random=False))
        words: list[str] = []
        while (choice := grammar.allowed()) != (language.END,):
            words.append(random.choice(choice))
            grammar.take(words[-1])
        key = pick(st.sampled_from(KEYS))
        return {"kind": "tune", "key": key, "metre": metre, "tempo": 100.0, "bars": bars, "melody": " ".join(words)}

    return draw()


def read_back(text: str) -> list[tuple[int | None, float]]:
    """(MIDI number, eighths) of every note and rest of a tune, ties joined, repeats not taken."""
    key = re.search(r"K:([A-G])([#b]?)(\w*)", text)
    assert key is not None
    sharps = "FCGDAEB".index(key[1]) - 1 + {"#": 7, "b": -7, "": 0}[key[2]] + SHARPS[key[3]]
    order = "FCGDAEB" if sharps > 0 else "BEADGCF"
    signature = {letter: (1 if sharps > 0 else -1) if letter in order[: abs(sharps)] else 0 for letter in "CDEFGAB"}
    found: list[tuple[int | None, float]] = []
    tied = False
    for line in text.splitlines():
        if re.match(r"[A-Z]:|%", line):
            continue
        for bar in re.split(r":?\|+:?", re.sub(r'"[^"]*"', "", line)):
            signs = dict(signature)
            for sign, letter, octave, top, bottom, tie in NOTE.findall(bar):
                length = int(top or 1) / int(bottom or 1)
                if letter == "z":
                    found.append((None, length))
                    continue
                name = letter.upper()
                if sign:
                    signs[name] = {"^": 1, "^^": 2, "_": -1, "__": -2, "=": 0}[sign]
                up = 12 * (letter.islower() + octave.count("'") - octave.count(","))
                pitch = 60 + NATURAL[name] + signs[name] + up
                if tied and found:
                    assert found[-1][0] == pitch
                    found[-1] = (pitch, found[-1][1] + length)
                else:
                    found.append((pitch, length))
                tied = bool(tie)
    return found


@given(melodies())
def test_the_notes_come_back(known):
    melody = played.melody(known)
    assert melody is not None
    once: list[tuple[int | None, float]] = []
    seen = -1
    for index in melody.form.order:
        if index == seen:
            continue
        seen = index
        part = melody.parts[index]
        here: list[tuple[int | None, float]] = []
        for note in [*part.upbeat, *(note for bar in part.bars for note in bar)]:
            pitch = None if note.pitch is None else 60 + melody.tonic + note.pitch
            if note.held and here and here[-1][0] is not None:
                here[-1] = (here[-1][0], here[-1][1] + note.length / 12)
            else:
                here.append((pitch, note.length / 12))
        once += here
    exact = [(pitch, round(length * 96)) for pitch, length in once]
    assert [(pitch, round(length * 96)) for pitch, length in read_back(abc.write(melody))] == exact


def test_a_part_that_is_played_twice_stands_between_repeat_signs():
    part = "part bar8 d24 n0 n4 n7 n12 " + " ".join(f"bar{left} n0 n4 n7 n12" for left in range(7, 0, -1))
    known = {"kind": "reel", "key": "G major", "metre": "4/4", "tempo": 110, "bars": 32, "melody": f"{part} {part}"}
    melody = played.melody(known)
    assert melody is not None
    text = abc.write(melody, "The\nfirst  reel")
    assert text.startswith("X:1\nT:The first reel\nM:4/4\nL:1/8\nQ:1/4=110\nR:reel\nK:G\n")
    assert text.count("|: ") == text.count(" :|") == 2
    assert '"G"G2 B2 d2 g2' in text


@pytest.mark.parametrize(
    "change",
    [
        {"melody": "part bar1 d96 n0 d96"}, {"melody": "nonsense"}, {"melody": "d24"}, {"metre": "5/4"}, {"bars": 3},
        {"key": "K"}, {"tempo": 1e9}, {"bars": True}, {"melody": None}, {"melody": "part " * 50_000},
    ],
)  # fmt: skip
def test_what_does_not_add_up_is_no_melody(change):
    known = {"key": "C major", "metre": "4/4", "tempo": 100.0, "bars": 1, "melody": "part bar1 d96 n0"}
    assert played.melody(known) is not None
    assert played.melody({**known, **change}) is None


def test_the_chords_of_a_style_stand_above_its_melody():
    known = {
        "key": "C major", "metre": "4/4", "tempo": 100.0, "bars": 1, "melody": "part bar1 d96 n0",
        "chords": "0:maj7,9:m7",
    }  # fmt: skip
    melody = played.melody(known)
    assert melody is not None
    assert '"Cmaj7"' in abc.write(melody)
    plain = played.melody({**known, "chords": "nonsense"})
    assert plain is not None
    assert '"C"' in abc.write(plain)


def test_a_recipe_says_how_its_prompt_was_read():
    found = read("techno, no drums, 5/4, theremin, 8 bars")
    said = played.clean(played.known(found.brief, language.read(["part", "bar1", "d96", "n0"]), (), found))
    assert said["style"] == "techno"
    assert (said["without"], said["unknown"]) == (["drums"], ["theremin"])
    assert said["changed"] == ["metre_played: asked 5/4, played 4/4"]
