"""Tags of a sound file, in the words of each format: recipe, title, licence, tempo, key, loop points.

For WAV the lists and chunks that samplers and sequencers read (INFO, `smpl`, `acid`), for FLAC its comments, for MP3
the frames of ID3.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any

from studio.media import containers, id3
from studio.recipes import ai_marks, recipe
from studio.recipes.embed_image import SOFTWARE
from studio.tasks.music.keys import key_of
from studio.tasks.music.melody_tokens import METRES, TICKS, beat

_ONE_SHOT, _HAS_ROOT, _STRETCH = 0x01, 0x02, 0x04
_MIDDLE_C = 60
_COMMENTS = 4
"""The kind of a FLAC block that holds comments."""


def of_wav(made: Mapping[str, Any], rate: int, frames: int) -> bytes:
    """The chunks beside format and sound."""
    texts = _texts(made)
    ids = {b"INAM": "title", b"ISFT": "software", b"ICRD": "date", b"ICOP": "licence", b"ICMT": "comment"}
    items = (containers.riff_chunk(name, texts[key].encode() + b"\0") for name, key in ids.items() if texts[key])
    return (
        containers.riff_chunk(b"LIST", b"INFO" + b"".join(items))
        + containers.riff_chunk(b"AIGC", ai_marks.label_json(made).encode())
        + _loop(made, rate, frames)
        + _beats(made, frames / rate)
    )


def of_flac(flac: bytes, made: Mapping[str, Any]) -> bytes:
    """The same file with these comments instead of its own. One without any sound is no file at all, and stays so."""
    if not flac:
        return flac
    texts, played = _texts(made), made.get("played", {})
    named = {
        "TITLE": texts["title"], "SOFTWARE": texts["software"], "DATE": texts["date"], "LICENSE": texts["licence"],
        "COMMENT": texts["comment"], "BPM": _tempo(played, 2), "KEY": played.get("key", ""),
        "INITIALKEY": _short_key(played.get("key", "")), "AIGC": ai_marks.label_json(made),
    }  # fmt: skip
    lines = [f"{name}={text}".encode() for name, text in named.items() if text]
    body = _counted(SOFTWARE.encode()) + struct.pack("<I", len(lines)) + b"".join(map(_counted, lines))
    blocks = [(kind, block) for kind, block in _blocks(flac) if kind != _COMMENTS]
    blocks.insert(1, (_COMMENTS, body))
    sound = flac[4 + sum(4 + len(block) for _, block in _blocks(flac)) :]
    last = len(blocks) - 1
    heads = (
        bytes([kind | (0x80 if place == last else 0)]) + len(block).to_bytes(3, "big") + block
        for place, (kind, block) in enumerate(blocks)
    )
    return b"fLaC" + b"".join(heads) + sound


def of_mp3(made: Mapping[str, Any]) -> bytes:
    """The tag that stands before the sound."""
    texts, played = _texts(made), made.get("played", {})
    frames = {
        "TIT2": texts["title"], "TSSE": texts["software"], "TDRC": texts["date"], "TCOP": texts["licence"],
        "TBPM": _tempo(played, 0), "TKEY": _short_key(played.get("key", "")),
    }  # fmt: skip
    return id3.tag(frames, texts["comment"], {"AIGC": ai_marks.label_json(made)})


def _loop(made: Mapping[str, Any], rate: int, frames: int) -> bytes:
    """For a loop the chunk `smpl`: from the first frame to the last, again and again."""
    if not _is_loop(made) or not frames:
        return b""
    key = key_of(made.get("played", {}).get("key", ""))
    head = (0, 0, 1_000_000_000 // rate, _MIDDLE_C + (key[0] if key else 0), 0, 0, 0, 1, 0)
    return containers.riff_chunk(b"smpl", struct.pack("<15I", *head, 0, 0, 0, frames - 1, 0, 0))


def _beats(made: Mapping[str, Any], seconds: float) -> bytes:
    """Where the tempo is known the chunk `acid`: tempo and length in quarters, metre, root note, a loop or not."""
    played = made.get("played", {})
    tempo, metre = played.get("tempo"), played.get("metre", "4/4")
    if not tempo or metre not in METRES:
        return b""
    count, unit = map(int, metre.split("/"))
    speed = tempo * beat(metre) / TICKS
    quarters = played["bars"] * METRES[metre] // TICKS if played.get("bars") else round(seconds * speed / 60)
    key = key_of(played.get("key", ""))
    flags = (_STRETCH if _is_loop(made) else _ONE_SHOT) | (_HAS_ROOT if key else 0)
    root = _MIDDLE_C + (key[0] if key else 0)
    body = struct.pack("<IHHfIHHf", flags, root, 0x8000, 0.0, quarters, unit, count, speed)
    return containers.riff_chunk(b"acid", body)


def _is_loop(made: Mapping[str, Any]) -> bool:
    return made.get("played", {}).get("loop") is True


def _blocks(flac: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and body of what stands before the sound of a FLAC file of ours."""
    at, last = 4, False
    while not last:
        last, kind, length = bool(flac[at] & 0x80), flac[at] & 0x7F, int.from_bytes(flac[at + 1 : at + 4], "big")
        yield kind, flac[at + 4 : at + 4 + length]
        at += 4 + length


def _counted(text: bytes) -> bytes:
    return struct.pack("<I", len(text)) + text


def _tempo(played: Mapping[str, Any], places: int) -> str:
    """Beats a minute; empty where they are not known."""
    return f"{round(played['tempo'], places):g}" if played.get("tempo") else ""


def _short_key(key: str) -> str:
    """A key as ID3 has it: at most three letters, "F#m"."""
    tonic, _, mode = key.replace("♯", "#").replace("♭", "b").partition(" ")
    return tonic + ("m" if mode in ("minor", "dorian") else "") if len(tonic) <= 2 else ""


def _texts(made: Mapping[str, Any]) -> dict[str, str]:
    model = made["model"]
    return {
        "title": str(made["parameters"].get("prompt", ""))[:200].replace("\0", " "),
        "software": SOFTWARE,
        "date": made["made"][:10],
        "licence": f"{model['title']}: {model['licence']}".replace("\0", " "),
        "comment": recipe.to_json(made),
    }
