"""What a piece turned out to be, as a recipe keeps it: plain values from which its notes can be written again.

    {"kind": "jig", "key": "D major", "metre": "6/8", "tempo": 116.0, "bars": 16, "players": ["flute", "guitar"],
     "loop": false, "melody": "part bar8 d12 n0 …"}

`melody` is in the words of studio.composing.language, part by part. A piece of which only the wishes are known, because
its model writes sound and not notes, has only those. What is read back comes from strangers and is checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.composing import language
from studio.composing.brief import Brief
from studio.composing.form import Form, Line, plan, unfold
from studio.composing.keys import key_name, key_of
from studio.composing.language import METRES, Part
from studio.composing.reading import FASTEST, MOST_BARS, SLOWEST

_LONGEST = 60_000
_KEYS = ("kind", "key", "metre", "tempo", "bars", "players", "loop", "melody")


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

    @property
    def line(self) -> Line:
        """All bars in the order in which they are played."""
        return unfold(self.parts, self.form, self.metre, self.loop)


def known(brief: Brief, parts: Sequence[Part]) -> dict[str, Any]:
    """Everything that there is to say of a composed piece."""
    header = language.Header(brief.kind, brief.metre, brief.mode, brief.busy)
    return {
        "kind": brief.kind,
        "key": f"{key_name(brief.tonic, brief.mode)} {brief.mode}",
        "metre": brief.metre,
        "tempo": round(brief.tempo, 3),
        "bars": brief.bars,
        "players": list(dict.fromkeys(brief.band)),
        "loop": brief.loop,
        "melody": " ".join(language.body(language.write(header, parts))),
    }


def clean(found: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the values that can be true."""
    out: dict[str, Any] = {}
    for name in _KEYS:
        value = found.get(name)
        if isinstance(value, str) and name in ("kind", "key", "metre", "melody") and len(value) <= _LONGEST:
            out[name] = value if name == "melody" else value[:40]
        elif isinstance(value, bool):
            if name == "loop":
                out[name] = value
        elif isinstance(value, int | float) and name == "tempo" and SLOWEST <= value <= FASTEST:
            out[name] = float(value)
        elif isinstance(value, int) and name == "bars" and 1 <= value <= MOST_BARS:
            out[name] = value
        elif isinstance(value, list) and name == "players":
            out[name] = [str(one)[:60] for one in value[:16]]
    return out


def melody(found: Mapping[str, Any]) -> Melody | None:
    """The notes of a piece; None where there are none, or none that add up."""
    said = clean(found)
    key, metre, bars = key_of(said.get("key", "")), said.get("metre"), said.get("bars")
    if key is None or metre not in METRES or not bars or "tempo" not in said or "melody" not in said:
        return None
    words, form = said["melody"].split(), plan(bars)
    if not _adds_up(words, metre, form):
        return None
    parts = language.read(words)
    return Melody(said.get("kind", "tune"), metre, *key, said["tempo"], form, parts, said.get("loop", False))


def _adds_up(words: Sequence[str], metre: str, form: Form) -> bool:
    grammar = language.Grammar(metre, form.lengths)
    for word in words:
        if word not in grammar.allowed():
            return False
        grammar.take(word)
    return grammar.allowed() == (language.END,)
