"""A reading in words: one line that says all that was understood, and notes of all that was not or was changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.i18n import text
from studio.tasks.music import prompt_vocabulary
from studio.tasks.music.brief import genres, instruments, names
from studio.tasks.music.keys import whole_name
from studio.tasks.music.melody_tokens import COMPOUND
from studio.tasks.music.number_words import digits
from studio.tasks.music.prompt_numbers import plain
from studio.tasks.music.prompt_parser import Reading, read_prompt
from studio.tasks.music.prompt_vocabulary import Found

NOTES = (
    "unknown_words", "plain_style", "tempo_cut", "tempo_range", "metre_played", "mode_played", "bars_cut", "bars_fit",
    "seconds_cut", "seconds_near", "melody_stays", "one_of_each",
)  # fmt: skip
"""The texts of `notes`, by the name behind "note."."""
_SHOWN = 12
_MODES = ("major", "minor", "dorian", "mixolydian")


def notes(found: Reading) -> list[tuple[str, dict[str, Any]]]:
    """What was not understood, and what is played otherwise than it was asked for; each with what its text names."""
    told: list[tuple[str, dict[str, Any]]] = list(found.changes)
    if found.passed:
        told.append(("one_of_each", {"words": ", ".join(found.passed[:_SHOWN])}))
    if found.unknown:
        words = ", ".join(found.unknown[:_SHOWN]) + ("…" if len(found.unknown) > _SHOWN else "")
        told.append(("unknown_words", {"words": words}))
    if not found.named:
        told.append(("plain_style", {}))
    return told


def in_words(found: Reading, spoken: str) -> str:
    """What was understood, in one line of the reader's language."""
    brief, comma = found.brief, text("music.comma", spoken)
    without = tuple(dict.fromkeys(word_name(word, spoken) for word in found.without))
    own = genres()[brief.genre].kind if brief.genre else "tune"
    kind = text(f"music.kind_{brief.kind.replace(' ', '_')}", spoken) if brief.kind not in ("tune", own) else ""
    said = (
        genre_name(brief.genre, spoken) if brief.genre else "",
        word_name(found.dance, spoken) or kind,
        "" if "key" in found.left else key_words(whole_name(brief.tonic, brief.mode, brief.spelling), spoken),
        "" if "metre" in found.left else brief.metre,
        "" if "tempo" in found.left else tempo_words(brief.tempo, brief.metre, found.tempo_said),
        "" if "bars" in found.left else bar_words(brief.bars, spoken),
        "" if "length" in found.left else _clock(brief.length),
        comma.join(dict.fromkeys(word_name(word, spoken) for word in found.moods)),
        comma.join(player_name(name, spoken) for name in dict.fromkeys(brief.band)),
        text("music.looped", spoken) if brief.loop else "",
        text("music.without", spoken, words=comma.join(without)) if without else "",
    )
    return " · ".join(filter(None, said))


def lines(found: Reading, spoken: str) -> list[str]:
    """All of it, a sentence a line."""
    read = text("music.read_as", spoken, brief=in_words(found, spoken))
    return [read, *(note(name, params, spoken) for name, params in notes(found))]


def note(name: str, params: Mapping[str, Any], spoken: str) -> str:
    """A note in the reader's language, with the key that it names."""
    said = {**params, "key": key_words(params["key"], spoken)} if "key" in params else params
    return text(f"note.{name}", spoken, **said)


def bar_words(count: int, spoken: str) -> str:
    """ "1 bar", "16 bars"."""
    return text("music.bar" if count == 1 else "music.bars", spoken, count=count)


def tempo_words(tempo: float, metre: str, said: bool) -> str:
    """A tempo as a score has it, with the note that is its beat.

    Args:
        said: whether somebody asked for it; a fraction that only came of the length is rounded.
    """
    shown = plain(tempo) if said else f"{tempo:.0f}"
    return f"{'♩.' if metre in COMPOUND else '♩'} {'=' if float(shown) == round(tempo, 2) else '≈'} {shown}"


def played_tempo(made: Mapping[str, Any]) -> str:
    """The tempo of a piece that was made, from its recipe; empty where it is not known."""
    known, given = made.get("played", {}), made.get("parameters", {})
    if not (tempo := known.get("tempo")):
        return ""
    said = bool(given.get("tempo")) or _said(str(given.get("prompt") or ""))
    return tempo_words(tempo, known.get("metre", ""), said)


def _said(prompt: str) -> bool:
    """Whether a prompt names a tempo. Most hold no number, and need no reading."""
    return any(map(str.isdigit, digits(prompt))) and read_prompt(prompt).tempo_said


def key_words(key: str, spoken: str) -> str:
    """A key as the reader's language has it: "D major", "D 大调"."""
    tonic, _, mode = key.partition(" ")
    return text(f"music.key_{mode}", spoken, tonic=tonic) if mode in _MODES else key


def player_name(name: str, spoken: str) -> str:
    """What an instrument is called: in Chinese the first Chinese word by which prompts name it."""
    return _name(name, instruments()[name].words, spoken)


def genre_name(name: str, spoken: str) -> str:
    """What a style is called, likewise."""
    return _name(name, genres()[name].words, spoken)


def word_name(word: str, spoken: str) -> str:
    """A word of a prompt, or several, as the reader's language has them; what no table knows stays as it is written."""
    out, end = "", 0
    for one in prompt_vocabulary.find_words(word):
        out, end = out + word[end : one.start] + _other(one, spoken), one.end
    return out + word[end:]


def _other(one: Found, spoken: str) -> str:
    chinese = spoken == "zh-CN"
    if _chinese(one.word) == chinese:
        return one.shown
    pairs = names() if chinese else {theirs: ours for ours, theirs in reversed(names().items())}
    fitting = (word for words in map(_words, one.meanings) for word in words if _chinese(word) == chinese)
    return pairs.get(one.word) or next(fitting, one.shown)


def _words(meaning: prompt_vocabulary.Meaning) -> tuple[str, ...]:
    """All words that mean the same."""
    match meaning.sort:
        case "player":
            return instruments()[meaning.value].words
        case "genre":
            return genres()[meaning.value].words
        case "family":
            return meaning.value.words
        case _:
            return tuple(meaning.value["words"])


def _chinese(word: str) -> bool:
    return word[0] >= "㐀"


def _name(name: str, words: tuple[str, ...], spoken: str) -> str:
    return next((word for word in words if spoken == "zh-CN" and _chinese(word)), name.replace("-", " "))


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"
