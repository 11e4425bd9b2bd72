"""The MIDI file as another program reads it: bars where its metre says, keys as they were asked for, readable names."""

from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path

import pytest
from witnesses import program

from studio.tasks.music import arranging, form, melody_tokens, midi
from studio.tasks.music.melody_tokens import Grammar
from studio.tasks.music.prompt_parser import Wishes, read_prompt
from studio.tasks.music.score import Score

PROMPTS = (
    "lofi hip hop beat", "epic orchestral battle music", "sad piano", "techno 128 bpm", "jazz waltz", "a lullaby",
    "Chinese folk song, guzheng", "rock", "a jig", "a slip jig in E minor", "bossa nova", "a reel, 1 bar", "a hymn",
)  # fmt: skip


def composed(prompt: str, seed: int, upbeat: bool, loop: bool = False) -> Score:
    """A piece as the composer makes it, its melody written at random; `upbeat`: it may begin before its first bar."""
    chance = random.Random(seed)
    brief = read_prompt(prompt, Wishes(loop=loop), chance.random()).brief
    plan = form.plan(brief.bars)
    grammar, words = Grammar(brief.metre, plan.lengths, upbeat=upbeat), list[str]()
    while (choice := grammar.allowed()) != (melody_tokens.END,):
        words.append(melody_tokens.UPBEAT if melody_tokens.UPBEAT in choice else chance.choice(choice))
        grammar.take(words[-1])
    return arranging.arrange(brief, melody_tokens.read_melody(words), plan, prompt, seed)


def told(data: bytes, folder: Path) -> str:
    (folder / "a.mid").write_bytes(data)
    done = subprocess.run([program("mftext"), "a.mid"], cwd=folder, capture_output=True, check=True)
    return done.stdout.decode("utf-8")


def bar_of(text: str) -> int:
    """Ticks of a bar by the file's own metre."""
    division = re.search(r"division=(\d+)", text)
    count, unit = re.search(r"Time signature=(\d+)/(\d+)", text).groups()  # pyright: ignore[reportOptionalMemberAccess]
    assert division is not None
    return int(division[1]) * 4 * int(count) // int(unit)


def notes(text: str, channel: int) -> list[int]:
    return [int(at) for at in re.findall(rf"Time=(\d+)  Note on, chan={channel} ", text)]


@pytest.mark.parametrize("upbeat", [False, True])
@pytest.mark.parametrize("prompt", PROMPTS)
def test_the_bands_downbeats_lie_on_the_bar_lines_of_the_file(prompt, upbeat, tmp_path):
    for seed in range(4):
        score = composed(prompt, seed, upbeat)
        text = told(midi.write(score), tmp_path)
        bar = bar_of(text)
        ends = [int(at) for at in re.findall(r"Time=(\d+)  Meta event, end of track", text)]
        early = score.upbeat > 0
        assert ends[0] == (score.bars + early) * bar, "as many bars as were asked for, and that of an upbeat"
        lead, *band = [notes(text, channel) for channel in range(1, 17)]
        assert lead
        assert lead[0] >= bar // 2 or not early
        first = min((min(one) for one in band if one), default=bar)
        if early:
            assert first >= bar, "what comes before the first bar is the melody alone"
        drums = notes(text, 10)
        assert not drums or max(drums) % bar == 0, "all drums strike where the last bar begins"


def test_one_bar_is_one_bar(tmp_path):
    text = told(midi.write(composed("a march in C, 1 bar, 4/4", 1, upbeat=False)), tmp_path)
    assert bar_of(text) == 4 * 480
    assert int(re.findall(r"Time=(\d+)  Meta event, end of track", text)[0]) == 4 * 480


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("中国民歌，古筝", "中国民歌，古筝"),
        ("two\nlines\r\n\tand\x00 a\u2028half", "two lines and a half"),
        ("x" * 200, "x" * 59 + "…"),
        ("é" * 60, "é" * 60),
        ("  ", ""),
    ],
)
def test_the_name_of_a_track_is_one_short_line_in_utf_8(title, shown, tmp_path):
    score = composed("a waltz", 1, upbeat=False)
    score.title = title
    text = told(midi.write(score), tmp_path)
    name = re.search(r"Sequence/Track Name\)  leng=(\d+)\s+Text = <(.*)>", text)
    assert name is not None
    raw = re.sub(r"\\0x(..)", lambda match: chr(int(match[1], 16)), name[2])  # how mftext shows bytes
    assert raw.encode("latin-1").decode("utf-8") == shown
    assert int(name[1]) == len(shown.encode())


@pytest.mark.parametrize(
    ("key", "sharps", "minor"),
    [
        ("E♭ minor", -6, 1), ("D♯ minor", 6, 1), ("G♭ major", -6, 0), ("F♯ major", 6, 0), ("E flat minor", -6, 1),
        ("D dorian", 0, 1), ("G mixolydian", 0, 0), ("C♭ major", -7, 0), ("降E小调", -6, 1), ("F# minor", 3, 1),
    ],
)  # fmt: skip
def test_the_signature_is_that_of_the_key_that_was_asked_for(key, sharps, minor, tmp_path):
    text = told(midi.write(composed(f"a waltz in {key}", 1, upbeat=False)), tmp_path)
    assert f"Key signature, sharp/flats={sharps}  minor={minor}" in text
