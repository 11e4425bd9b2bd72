"""Text-to-music in notes: a small language model writes a melody, a band is arranged around it, a SoundFont plays it.

Takes a folder with a GPT-2 of transformers over the words of `studio.tasks.music.melody_tokens`, with its tokenizer,
and in `soundfont/` one SoundFont. The prompt settles key, metre, tempo, bars and players (see
`studio.tasks.music.prompt_parser`); the model only ever chooses among words that keep to them.

A few melodies are written side by side and the most tuneful one is kept, which costs little more than one.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.base import Context
from studio.engines.music import takes
from studio.engines.shared import parking, torch_loading
from studio.engines.shared.text_stream import after_each_token
from studio.errors import StudioError
from studio.requests import MusicRequest, Request
from studio.results import Audio, Output
from studio.tasks.music import (
    arranging,
    chord_progressions,
    form,
    melody_rank,
    melody_tokens,
    midi,
    performance,
    reading_text,
)  # fmt: skip
from studio.tasks.music.brief import Brief
from studio.tasks.music.form import Form
from studio.tasks.music.harmony import Chord
from studio.tasks.music.melody_grammar import Guide
from studio.tasks.music.prompt_numbers import RING
from studio.tasks.music.prompt_parser import Reading, barred_by, read_request
from studio.tasks.music.score import Score

CANDIDATES = 4
_TOP_P = 0.95
_FADE = 0.05
"""Seconds in which a piece ends at least; more where it is to end before its last chord has rung out."""


class ComposerEngine:
    """The studio's own composer."""

    def weights(self, card: Card, files: Path) -> int:
        return torch_loading.stored_bytes(card, files)

    def work(self, card: Card, request: Request) -> int:  # noqa: ARG002
        """Keys and values of a few short lines, and the sound: 32 bytes a frame while it is made."""
        duration = (request.duration or 0) if isinstance(request, MusicRequest) else 0
        return (48 << 20) + int(duration * 48_000 * 32)

    def reading(self, request: MusicRequest, card: Card) -> Reading:
        """How a request is understood, without the model; what is left to the seed is named."""
        return read_request(request, 0.25, card.limits.get("max_duration"))

    def load(self, card: Card, files: Path, device: Device, report: Callable[[float], None]) -> ComposerModel:  # noqa: ARG002
        torch_loading.refuse_code(card, files)
        with torch_loading.loading(card, device, "transformers"):
            from transformers import GPT2LMHeadModel

            dtype = torch_loading.dtype_for(card, files, device)
            model = torch_loading.pretrained(GPT2LMHeadModel, card, files, device, dtype)
            model.generation_config.eos_token_id = None  # a line that has ended waits for the others
            table = json.loads((files / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
            if tuple(sorted(table, key=table.__getitem__)) != melody_tokens.WORDS:
                raise StudioError("broken_model", model=card.title, reason="it was made for other words")
            font = next(iter(sorted((files / "soundfont").rglob("*.sf2"))), None)
            if font is None:
                raise StudioError("broken_model", model=card.title, reason="no SoundFont")
            return ComposerModel(card, model, font.read_bytes(), device)


@dataclass(frozen=True)
class Piece:
    """How the prompt was read, the melody part by part, and all voices."""

    reading: Reading
    parts: list[melody_tokens.Part]
    score: Score
    chords: list[Chord]


class ComposerModel(parking.Parking):
    """A composer in memory, with the sounds of its instruments."""

    def __init__(self, card: Card, model: Any, font: bytes, device: Device) -> None:
        self._card, self._device, self._font = card, device, font
        self._model: Any = model
        self._weights: Any = parking.placed(card, device, model)
        self._ids = {word: number for number, word in enumerate(melody_tokens.WORDS)}

    def nbytes(self) -> int:
        return self._weights.nbytes() + len(self._font)

    def parked_nbytes(self) -> int | None:
        nbytes = super().parked_nbytes()
        return None if nbytes is None else nbytes + len(self._font)

    def close(self) -> None:
        self._model, self._weights, self._font = None, None, b""

    def run(self, request: MusicRequest, context: Context) -> Output:
        notes: list[tuple[str, dict[str, Any]]] = [("no_lyrics", {})] if request.lyrics else []
        if request.negative_prompt and not barred_by(request.negative_prompt):
            notes.append(("no_negative", {}))
        pieces: list[Piece] = []

        def make(number: int, seed: int) -> Audio:
            pieces.append(self.compose(request, number, seed, context))
            piece = pieces[-1]
            brief, score = piece.reading.brief, piece.score
            known = performance.known(brief, piece.parts, piece.chords, piece.reading)
            return replace(self._play(score, brief), midi=midi.write(score), played=known)

        with torch_loading.working(self._card):
            output = takes.each_piece(request, context, make)
        return replace(output, notes=(*notes, *reading_text.notes(pieces[0].reading)))

    def compose(self, request: MusicRequest, number: int, seed: int, context: Context) -> Piece:
        """Piece `number` of a request in notes, without its sound."""
        read = self._read(request, seed)
        plan = form.plan(read.brief.bars)
        chords = chord_progressions.lay(read.brief, plan, seed, melody_tokens.read_melody(request.melody.split()))
        lines = self._write(request, read.brief, plan, chords, number, seed, context)
        # a line that reached the model's longest before its end cannot be played
        whole = [melody_tokens.read_melody(line) for line in lines if melody_tokens.END in line]
        if not whole:
            raise StudioError("bad_output", model=self._card.title, reason="a melody without an end")
        parts = max(whole, key=lambda parts: melody_rank.worth(parts, read.brief.mode))
        whole_chords = chord_progressions.unfold(chords, plan) if chords else []
        score = arranging.arrange(read.brief, parts, plan, request.prompt, seed, whole_chords)
        return Piece(read, parts, score, whole_chords)

    def _read(self, request: MusicRequest, seed: int) -> Reading:
        """The prompt and the fields, not longer than the card allows."""
        return read_request(request, random.Random(seed).random(), self._card.limits.get("max_duration"))

    def _write(
        self,
        request: MusicRequest,
        brief: Brief,
        plan: Form,
        chords: list[list[Chord]],
        number: int,
        seed: int,
        context: Context,
    ) -> list[list[str]]:
        """Several lines of words, all of them to the brief."""
        import torch

        header = melody_tokens.Header(brief.kind, brief.metre, brief.mode, brief.busy).words()
        given = request.melody.split()
        if not performance.begins(given, brief.metre, plan):
            raise StudioError("melody_does_not_fit", metre=brief.metre, bars=brief.bars)
        # An upbeat at the very beginning would make the piece longer than what was asked for: one that was given stays.
        # Each line of each seed has a number of its own for its grammar: neighbouring seeds share none.
        grammars = [
            Guide(brief, plan, chords, seed * CANDIDATES + row, upbeat=bool(given)) for row in range(CANDIDATES)
        ]
        for grammar in grammars:
            for word in given:
                grammar.take(word)
        begun = (*header, *given)
        bars, seen = sum(plan.lengths), [sum(word.startswith("bar") for word in given)] * CANDIDATES

        def allowed(row: int, ids: Any) -> list[int]:
            if len(ids) > len(begun):
                word = melody_tokens.WORDS[int(ids[-1])]
                grammars[row].take(word)
                seen[row] += word.startswith("bar")
            return [self._ids[word] for word in grammars[row].allowed()]

        def look(ids: Any) -> bool:
            # all lines are written to their end, so the slowest one tells how far the piece is
            context.step(number * bars + min(seen), request.count * bars)
            context.check()
            return bool((ids[:, -1] == self._ids[melody_tokens.END]).all())

        torch.manual_seed(seed)
        # the same beginning for all: sampling makes them different, and with a temperature of 0 only their grammars do
        start = torch.tensor([[self._ids[word] for word in begun]] * CANDIDATES, device=self._model.device)
        warm = (request.temperature or 0) > 0
        made = self._model.generate(
            start,
            attention_mask=torch.ones_like(start),
            max_length=self._model.config.n_positions,
            do_sample=warm,
            **({"temperature": float(request.temperature or 1), "top_p": _TOP_P, "top_k": 0} if warm else {}),
            prefix_allowed_tokens_fn=allowed,
            stopping_criteria=after_each_token(look),
        )
        return [[melody_tokens.WORDS[int(one)] for one in row[len(header) :]] for row in made]

    def _play(self, score: Score, brief: Brief) -> Audio:
        """Stereo sound. A loop is cut from its second time through, so that what rings on is in it."""
        import midirenderer
        import numpy as np
        import soundfile

        file = midi.write(score, times=3 if brief.loop else 1, tail=brief.ending)
        sound, rate = soundfile.read(io.BytesIO(midirenderer.render_wave_from(self._font, file)), dtype="float32")
        sound = sound.T
        frames = round(score.seconds(score.steps) * rate)
        if brief.loop:
            sound = sound[:, frames : 2 * frames]
        else:  # what the synthesiser gives is a little longer or shorter than the file says
            frames += round(brief.ending * rate)
            sound = np.pad(sound[:, :frames], ((0, 0), (0, max(0, frames - sound.shape[1]))))
            # the less the last chord may ring, the longer it fades, but not over more than half a bar
            fade = round(min(max(_FADE, RING - brief.ending), brief.seconds / brief.bars / 2) * rate)
            sound[:, frames - fade :] *= np.cos(np.linspace(0, np.pi / 2, fade, dtype=np.float32)) ** 2
        return takes.piece(self._card, sound, rate, sound.shape[1] / rate)
