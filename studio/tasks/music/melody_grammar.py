"""The composer's grammar, narrowed to the manner of a style.

The network knows how melodies move; a style knows how its melodies are made: which rhythms, which notes of the scale,
how wide, and what comes back. So the guide settles the rhythm of every bar, leaves the network to choose each pitch
from those that the style and the chord allow, and has it repeat a bar where the style repeats one. What comes out is
still a line in the composer's words, which adds up.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import pairwise

from studio.tasks.music import harmony, melody_tokens
from studio.tasks.music.brief import Brief, Style, colours, scales, styles
from studio.tasks.music.form import Form
from studio.tasks.music.harmony import Chord
from studio.tasks.music.melody_rank import SCALES
from studio.tasks.music.melody_tokens import HOLD, LENGTHS, METRES, PART, REST, UPBEAT, Grammar, beat

_WORDS = 600
"""Words that a whole piece may have, so that the network, which reads 640, can end it."""
_AGAIN = 3
"""How often in a row a note may be struck before another one has to come."""
Event = tuple[int, str]
"""A length in steps, and what it is: a note "n", silence REST or HOLD."""


class Guide:
    """Which words may come next, like the grammar that it wraps.

    Args:
        chords: for each part, `harmony.slots` a bar; nothing leaves the notes to the scale alone.
        seed: chooses the rhythms.
        upbeat: the piece may begin before its first bar.
    """

    def __init__(
        self, brief: Brief, form: Form, chords: Sequence[Sequence[Chord]], seed: int, *, upbeat: bool = True
    ) -> None:
        self._grammar = Grammar(brief.metre, form.lengths, upbeat=upbeat)
        self._brief, self._form, self._chords = brief, form, chords
        self._style = styles()[brief.style] if brief.style else None
        self._chance = random.Random(seed)
        self._notes = _notes(brief, self._style)
        self._colours = self._notes & set(colours().get(brief.scale or (self._style.scale if self._style else ""), ()))
        self._part, self._bar, self._at, self._length = -1, -1, 0, 0
        self._pitches: list[int] = []  # struck so far
        self._events: list[Event] | None = None  # what is left of the bar's rhythm; None where it is free
        self._rhythms: dict[str, str] = {}
        self._heard: dict[str, list[str]] = {}
        self._copied: list[str] | None = None
        self._begun: list[str] = []  # the bar so far, notes and silences
        self._sounds = False
        self._waited = 0  # steps since a note was struck

    def allowed(self) -> tuple[str, ...]:
        words = self._grammar.allowed()
        style = self._style
        if style is None:
            return words
        if UPBEAT in words and style.lines:
            return tuple(word for word in words if word != UPBEAT)  # a groove begins on the beat
        if self._bar < 0 or words[0].startswith("bar") or words[0] in (PART, melody_tokens.END):
            return words
        if self._events:
            return self._settled(words, *self._events[0])
        if self._events is None:
            return self._free(words, style)
        return words

    def take(self, word: str) -> None:
        """Go on by a word that `allowed` named."""
        self._grammar.take(word)
        if word == PART:
            self._part, self._bar, self._length, self._sounds = self._part + 1, -1, 0, False
            self._heard, self._rhythms = {}, {}
        elif word.startswith("bar"):
            self._bar, self._at = self._bar + 1, 0
            self._begin()
        elif word[0] == "d" and word[1:].isdigit():
            self._length = int(word[1:])
        elif word not in (UPBEAT, melody_tokens.END):
            self._struck(word)

    def _struck(self, word: str) -> None:
        if word[0] == "n":
            self._pitches.append(int(word[1:]))
        self._waited = self._length + (0 if word[0] == "n" else self._waited)
        self._sounds = word != REST
        if self._bar < 0:
            return  # an upbeat
        self._begun.append(word)
        if self._events and self._events[0][0] == self._length and _same(self._events[0][1], word):
            self._events = self._events[1:]
        else:
            self._events = None if self._events is not None else self._events  # given otherwise: the bar is free
        if self._copied:
            self._copied = self._copied[1:]
        self._at += self._length
        if self._at >= METRES[self._brief.metre]:
            self._heard[self._token()] = self._begun
            if self._events is None:
                self._events = []

    def _begin(self) -> None:
        """Settle the rhythm of a bar, and whether it is one that was heard before."""
        self._begun, self._copied, self._events = [], None, None
        style, metre = self._style, self._brief.metre
        if style is None or metre not in style.lines:
            return
        token = self._token()
        line = self._line(style, metre, token)
        self._events = list(_events(line, METRES[metre], self._sounds))
        before = self._heard.get(token)
        if before is not None and "'" not in token and len(before) == len(self._events):
            self._copied = list(before)

    def _token(self) -> str:
        """The letter of this bar in the phrase."""
        style = self._style
        if style is None or not style.form:
            return str(self._bar)
        if self._bar == self._form.lengths[self._part] - 1 and self._bar > 0 and self._brief.metre in style.close:
            return "close"
        return style.form[self._bar % len(style.form)]

    def _line(self, style: Style, metre: str, token: str) -> str:
        if token == "close":
            return style.close[metre]
        letter = token.rstrip("'")
        if letter not in self._rhythms:
            most = _WORDS / max(1, sum(self._form.lengths))
            short = [line for line in style.lines[metre] if _cost(line, METRES[metre]) <= most]
            lines = short or [min(style.lines[metre], key=lambda line: _cost(line, METRES[metre]))]
            fresh = [line for line in lines if line not in self._rhythms.values()] or lines
            self._rhythms[letter] = self._chance.choice(fresh)
        return self._rhythms[letter]

    def _settled(self, words: tuple[str, ...], length: int, what: str) -> tuple[str, ...]:
        """What the rhythm asks for: a change of length, silence, or one of the notes that fit."""
        if length != self._length:
            return (f"d{length}",) if f"d{length}" in words else words
        if what in (REST, HOLD):
            return (what,) if what in words else words
        if self._copied and self._copied[0] in words:
            return (self._copied[0],)
        return self._fitting(words) or words

    def _free(self, words: tuple[str, ...], style: Style) -> tuple[str, ...]:
        """A rhythm of the network's own, in the lengths and notes of the style."""
        lengths = tuple(
            word for word in words if word[0] == "d" and (not style.lengths or int(word[1:]) in style.lengths)
        )
        # Where the network hardly knows the notes of a scale, it would rather wait than sing.
        most = METRES[self._brief.metre] // (1 if self._brief.busy == "calm" else 2)
        silent = tuple(word for word in words if word in (REST, HOLD) and self._waited < most)
        odd = style.lengths and self._length and self._length not in style.lengths
        notes = () if odd and lengths else self._fitting(words)
        return (*lengths, *silent, *notes) if lengths or notes else words

    def _fitting(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """The notes that fit here; where none does, one wish after the other is given up."""
        style = self._style
        if style is None:
            return words
        there = [int(word[1:]) for word in words if word[0] == "n"]
        low, high = style.range
        last = self._pitches[-1] if self._pitches else None
        wide = [pitch for pitch in there if low <= pitch <= high]
        inside = [pitch for pitch in wide if pitch % 12 in self._notes]
        tones = self._tones(style)
        chordal = [pitch for pitch in wide if pitch % 12 in tones] if tones else inside
        if self._closes():
            chordal = [pitch for pitch in wide if pitch % 12 == 0]
        near = [pitch for pitch in chordal if last is None or abs(pitch - last) <= style.leap]
        if not tones and not self._closes() and not self._colours & {pitch % 12 for pitch in self._pitches[-_AGAIN:]}:
            near = [pitch for pitch in near if pitch % 12 in self._colours] or near
        if last is not None and self._pitches[-_AGAIN:] == [last] * _AGAIN:
            near = [pitch for pitch in near if pitch != last] or near
        kept = near or chordal or inside or wide or there
        return tuple(f"n{pitch}" for pitch in kept)

    def _tones(self, style: Style) -> set[int]:
        """The notes of the chord where one has to sound: on the beats that the style calls strong."""
        length, metre = METRES[self._brief.metre], self._brief.metre
        step = {"beat": beat(metre), "half": length // 2 if metre in ("4/4", "2/4", "6/8") else length}.get(
            style.strong, length
        )
        if not self._chords or self._at % step:
            return set()
        per_bar = harmony.slots(metre)
        chord = self._chords[self._part][self._bar * per_bar + self._at * per_bar // length]
        tones = {tone % 12 for tone in chord.tones}
        return tones & self._notes or tones

    def _closes(self) -> bool:
        """Whether this is the last note of the part that ends the piece: it comes home."""
        last = self._part == self._form.order[-1] and self._bar == self._form.lengths[self._part] - 1
        return last and self._events is not None and sum(what == "n" for _, what in self._events) == 1


def _notes(brief: Brief, style: Style | None) -> frozenset[int]:
    """Semitones above the tonic from which the melody is made."""
    name = brief.scale or (style.scale if style else "")
    return frozenset(scales().get(name, {}).get(brief.mode) or SCALES[brief.mode])


def _events(line: str, steps: int, sounds: bool) -> Iterator[Event]:
    """The rhythm of a bar: notes and silences, long ones in pieces that the composer's words have.

    Args:
        sounds: whether something sounds that a sign at the beginning can hold.
    """
    grain, place = steps // len(line), 0
    while place < len(line):
        end = place + 1
        while end < len(line) and line[end] == ("." if line[place] == "." else "-"):
            end += 1
        first = {"x": "n", "-": HOLD if sounds else REST}.get(line[place], REST)
        for number, length in enumerate(_pieces((end - place) * grain)):
            yield length, first if number == 0 or first == REST else HOLD
        place = end


def _pieces(length: int) -> Iterator[int]:
    while length > 0:
        piece = max(one for one in LENGTHS if one <= length)
        yield piece
        length -= piece


def _cost(line: str, steps: int) -> int:
    """Words of a bar: its line, its notes, and the changes of length."""
    lengths = [length for length, _ in _events(line, steps, True)]
    return 2 + len(lengths) + sum(before != after for before, after in pairwise(lengths))


def _same(what: str, word: str) -> bool:
    return word == what or (what == "n" and word[0] == "n" and word[1:].lstrip("-").isdigit())
