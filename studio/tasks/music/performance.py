"""Performance, as a recipe keeps it: plain values from which the notes of a finished piece can be written again.

    {"kind": "jig", "key": "D major", "metre": "6/8", "tempo": 116.0, "bars": 16, "players": ["flute", "guitar"],
     "loop": false, "style": "celtic", "chords": "0 5,7 …", "melody": "part bar8 d12 n0 …"}

What was excluded, not understood or changed in reading the prompt stands in `without`, `unknown` and `changed`.
`melody` is in the words of studio.tasks.music.melody_tokens, part by part; `chords`, where the style brought them, as
studio.tasks.music.chord_progressions writes them. A piece of which only the wishes are known, because
its model writes sound and not notes, has only those. What is read back comes from strangers and is checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.tasks.music import chord_progressions, melody_tokens
from studio.tasks.music.brief import Brief
from studio.tasks.music.form import Form, Line, plan, unfold
from studio.tasks.music.harmony import Chord
from studio.tasks.music.keys import key_name, key_of, spelling, whole_name
from studio.tasks.music.melody_tokens import METRES, Part
from studio.tasks.music.prompt_numbers import FASTEST, MOST_BARS, SLOWEST
from studio.tasks.music.prompt_parser import Reading

_LONGEST = 60_000
_TEXTS = ("kind", "key", "metre", "style", "chords", "melody")
_LISTS = ("players", "without", "unknown", "changed")
_MOST = 16
"""Entries of a list that are kept."""
_KEYS = (*_TEXTS, *_LISTS, "tempo", "bars", "loop")


@dataclass(frozen=True)
class Melody:
    """A melody with what one has to know to write it down."""

    kind: str
    metre: str
    tonic: int
    mode: str
    tempo: float
    form: Form
    parts: Sequence[Part]
    loop: bool
    chords: tuple[Chord, ...] = ()
    """`harmony.slots` a bar of the whole piece, where the style brought them; else they follow from the melody."""
    spelling: str = ""

    @property
    def name(self) -> str:
        """The tonic's name."""
        return self.spelling or key_name(self.tonic, self.mode)

    @property
    def line(self) -> Line:
        """All bars in the order in which they are played."""
        return unfold(self.parts, self.form, self.metre, self.loop)


def known(
    brief: Brief, parts: Sequence[Part], chords: Sequence[Chord] = (), found: Reading | None = None
) -> dict[str, Any]:
    """Everything that there is to say of a composed piece.

    Args:
        chords: those that the style brought, of the whole piece.
        found: how its prompt was read: what it excluded, what of it was not understood or had to be changed.
    """
    read = _read(found) if found else {}
    header = melody_tokens.Header(brief.kind, brief.metre, brief.mode, brief.busy)
    return {
        "kind": brief.kind,
        "key": whole_name(brief.tonic, brief.mode, brief.spelling),
        "metre": brief.metre,
        "tempo": round(brief.tempo, 3),
        "bars": brief.bars,
        "players": list(dict.fromkeys(brief.band)),
        "loop": brief.loop,
        **({"style": brief.genre} if brief.genre else {}),
        **read,
        **({"chords": chord_progressions.write_chords(chords, brief.metre)} if chords else {}),
        "melody": " ".join(melody_tokens.body(melody_tokens.write_melody(header, parts))),
    }


def _read(found: Reading) -> dict[str, list[str]]:
    """What a reading tells besides the brief; nothing for what does not apply."""
    changed = [f"{name}: {', '.join(f'{key} {value}' for key, value in told.items())}" for name, told in found.changes]
    told = {"without": list(found.without), "unknown": [*found.unknown, *found.passed], "changed": changed}
    return {name: words[:_MOST] for name, words in told.items() if words}


def clean(found: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the values that can be true."""
    out: dict[str, Any] = {}
    for name in _KEYS:
        value = found.get(name)
        if isinstance(value, str) and name in _TEXTS and len(value) <= _LONGEST:
            out[name] = value if name in ("melody", "chords") else value[:40]
        elif isinstance(value, bool):
            if name == "loop":
                out[name] = value
        elif isinstance(value, int | float) and name == "tempo" and SLOWEST <= value <= FASTEST:
            out[name] = float(value)
        elif isinstance(value, int) and name == "bars" and 1 <= value <= MOST_BARS:
            out[name] = value
        elif isinstance(value, list) and name in _LISTS:
            out[name] = [str(one)[:60] for one in value[:_MOST]]
    return out


def melody(found: Mapping[str, Any]) -> Melody | None:
    """The notes of a piece; None where there are none, or none that add up."""
    said = clean(found)
    key, metre, bars = key_of(said.get("key", "")), said.get("metre"), said.get("bars")
    if key is None or metre not in METRES or not bars or "tempo" not in said or "melody" not in said:
        return None
    words, form = said["melody"].split(), plan(bars)
    if (end := _after(words, metre, form)) is None or end.allowed() != (melody_tokens.END,):
        return None
    parts = melody_tokens.read_melody(words)
    chords = chord_progressions.read_chords(said.get("chords", ""), metre, bars)
    loop, name = said.get("loop", False), spelling(said["key"], *key)
    return Melody(said.get("kind", "tune"), metre, *key, said["tempo"], form, parts, loop, chords, name)


def until(found: Mapping[str, Any], seconds: float) -> tuple[str, int]:
    """The words of a melody up to the bar line before a moment of its piece, and how many bars those are as played.

    Where a part is heard again, all of it is kept. Nothing where the piece has no notes or the moment lies in its
    first bar.
    """
    whole = melody(found)
    if whole is None:
        return "", 0
    line, length = whole.line, METRES[whole.metre]
    steps = seconds * whole.tempo * melody_tokens.beat(whole.metre) / 60
    bar = min(int(max(0.0, steps - line.upbeat) // length), len(line.bars))
    place = max((place for place, start in enumerate(line.starts) if start <= bar), default=0)
    part = whole.form.order[place]
    again = line.passes[place] > 0 or bar >= len(line.bars)
    pieces = _split(str(found["melody"]).split())
    kept = [word for piece in pieces[: part + again] for word in piece]
    if not again:
        own, inside = pieces[part], bar - line.starts[place]
        kept += own[: own.index(f"bar{len(whole.parts[part].bars) - inside}")] if inside else []
    return " ".join(kept), bar if kept else 0


def begins(words: Sequence[str], metre: str, form: Form) -> bool:
    """Whether a melody of this metre and form can begin with these words."""
    return _after(words, metre, form) is not None


def _after(words: Sequence[str], metre: str, form: Form) -> melody_tokens.Grammar | None:
    """The grammar once it has taken these words; None where it does not take them."""
    grammar = melody_tokens.Grammar(metre, form.lengths)
    for word in words:
        if word not in grammar.allowed():
            return None
        grammar.take(word)
    return grammar


def _split(words: Sequence[str]) -> list[list[str]]:
    """The words part by part."""
    pieces: list[list[str]] = []
    for word in words:
        if word == melody_tokens.PART:
            pieces.append([])
        pieces[-1].append(word)
    return pieces
