"""Instant, deterministic stand-ins for every task: for tests, screenshots and looking around without a model.

Needs neither torch nor files. `card.options["step_seconds"]` makes every step take that long, which is how the
tests look at a job in the middle; with `places` it answers so many chats at once; `pixel_bytes` is what a picture
wants a pixel, and with `most_pixels` a picture that is decoded or enlarged at once and has more runs out of memory.
"""

from __future__ import annotations

import colorsys
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image, ImageFilter

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.base import Context
from studio.engines.demo import inside
from studio.engines.demo.landscape import paint
from studio.engines.image import edit, init_image
from studio.engines.inside import NextTokens
from studio.engines.music import takes
from studio.engines.text import prompts
from studio.errors import Cancelled
from studio.media.image import check_image, decode
from studio.request_parts import Attachment
from studio.requests import (
    CaptionRequest,
    ChatRequest,
    CodeRequest,
    ImageRequest,
    MusicRequest,
    Request,
    SoundUse,
    UpscaleRequest,
)
from studio.results import Audio, Output, Painting, Tokens, Usage
from studio.tasks.caption.edits import lacking
from studio.tasks.code.next_edit import window
from studio.tasks.image.prompt_weights import plain
from studio.tasks.music.limits import SOUND_USES
from studio.tasks.seeds import stepped, varied

RATE = 32_000
CONTEXT = 8192
TOKENS = 75
"""Words that the stand-in painter reads, as many as most painters have tokens."""


class _Words:
    """Reads a conversation as plain lines, a token a word."""

    special: tuple[str, ...] = ()
    first = ""

    def render(self, turns: Sequence[dict[str, str]]) -> str:
        return "".join(f"{turn['role']}: {turn['content']}\n" for turn in turns) + "assistant:"

    def size(self, text: str) -> int:
        return len(text.split())

    def tokens(self, text: str, *, special: bool = False, opening: bool = False) -> list[int]:
        del special, opening
        return [0] * self.size(text)

    def has(self, text: str) -> bool:
        del text
        return False

    def token(self, text: str) -> int:
        del text
        return 0


_WORDS = _Words()


class FakeEngine:
    """Behaves like an engine in every way but the models."""

    def weights(self, card: Card, files: Path) -> int:
        del files
        return card.memory_bytes

    def work(self, card: Card, request: Request) -> int:
        if isinstance(request, UpscaleRequest):
            return 1_000_000 + _at_once(request) * int(card.options.get("pixel_bytes", 0))
        if not isinstance(request, ImageRequest):
            return 1_000_000
        each = int(card.options.get("pixel_bytes", 0)) // (4 if request.tiling else 1)
        return 1_000_000 + (request.width or 0) * (request.height or 0) * each

    def tokens(self, card: Card, files: Path, prompt: str, adapters: Sequence[Path] = ()) -> Tokens:
        del card, files, adapters
        words = plain(prompt).split()
        return Tokens(len(words), TOKENS, " ".join(words[TOKENS:]))

    def hears(self, card: Card) -> tuple[SoundUse, ...]:
        del card
        return SOUND_USES

    def check_controls(self, card: Card, files: Path, request: ImageRequest, folders: Sequence[Path]) -> None:
        """Whatever lies there steers it."""

    def check_references(self, card: Card, files: Path, request: ImageRequest, folders: Sequence[Path]) -> None:
        """Whatever lies there is one."""

    def check_vae(self, card: Card, files: Path, request: ImageRequest, folders: Sequence[Path]) -> None:
        """Whatever lies there decodes it."""

    def check_refiner(self, card: Card, files: Path, request: ImageRequest, folders: Sequence[Path]) -> None:
        """Whatever lies there goes on with it."""

    def check_regions(self, card: Card, files: Path) -> None:
        """Any of its models takes them."""

    def sees(self, card: Card, files: Path | None) -> bool:
        del files
        return bool(card.options.get("sees", True))

    def places(self, card: Card) -> int:
        return int(card.options.get("places", 1)) if "chat" in card.tasks else 1

    def place_nbytes(self, card: Card, files: Path) -> int:
        del files
        return card.memory_bytes // 10

    def load(
        self, card: Card, files: Path, device: Device, report: Callable[[float], None], places: int = 1
    ) -> FakeModel:
        del files, device, places
        for i in range(4):
            time.sleep(float(card.options.get("load_seconds", 0)) / 4)
            report((i + 1) / 4)
        return FakeModel(card)


class FakeModel:
    """Counts how many computations ran at once, over all of its kind: `FakeModel.peak` must never pass 1."""

    running: ClassVar[int] = 0
    peak: ClassVar[int] = 0
    _count: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, card: Card) -> None:
        self._card = card
        self._limit = int(card.limits.get("context", CONTEXT))
        self._pause = float(card.options.get("step_seconds", 0))

    def nbytes(self) -> int:
        return self._card.memory_bytes

    def close(self) -> None:
        pass

    def run(self, request: Request, context: Context) -> Output:
        with FakeModel._count:
            FakeModel.running += 1
            FakeModel.peak = max(FakeModel.peak, FakeModel.running)
        try:
            match request:
                case ChatRequest():
                    prompt = self._read(request, context.check)
                    if request.only_prompt:
                        return prompt.shown()
                    said = self._say(_answer(request), context, request.opening)
                    return replace(said, notes=prompt.notes)
                case CodeRequest():
                    if request.only_prompt:
                        return Output(prompt=request.prefix + request.suffix, stats={"prompt_tokens": 1.0})
                    return self._say(_next_edit(request) if request.edits else _completion(request), context)
                case ImageRequest():
                    return self._paint(request, context)
                case MusicRequest():
                    return self._play(request, context)
                case CaptionRequest():
                    return self._say(_caption(request), context)
                case UpscaleRequest():
                    return self._enlarge(request, context)
        finally:
            with FakeModel._count:
                FakeModel.running -= 1

    def next_tokens(self, context: Context) -> NextTokens:
        return inside.FakeNext(context)

    def painting(self, request: ImageRequest, context: Context) -> Painting:
        return inside.painting(request, paint(request, 0), context)

    def encode(self, pictures: Sequence[Image.Image], context: Context) -> np.ndarray:
        context.check()
        return inside.encode(pictures)

    def decode(self, latents: np.ndarray, context: Context) -> tuple[Image.Image, ...]:
        context.check()
        return inside.decode(latents)

    def usage(self, request: ChatRequest) -> Usage:
        return prompts.usage(_WORDS, request, _WORDS.size, self._limit, keep_thinking=False)

    def _read(self, request: ChatRequest, check: Callable[[], None]) -> prompts.Prompt:
        title = self._card.title
        return prompts.chat(_WORDS, request, _WORDS.size, self._limit, check, keep_thinking=False, title=title)

    def _step(self, context: Context, done: int, total: int = 0) -> None:
        time.sleep(self._pause)
        context.step(done, total)

    def _say(self, text: str, context: Context, opening: str = "") -> Output:
        started, said = time.monotonic(), opening
        if opening:
            context.text(opening)
            text = text.removeprefix(opening) if text.startswith(opening) else f" {text}"
        pieces = [piece + " " for piece in text.split(" ")]
        pieces[-1] = pieces[-1][:-1]
        for i, piece in enumerate(pieces):
            if context.cancelled:
                return Output(text=said, finish="cancelled")
            self._step(context, i + 1)
            context.text(piece)
            said += piece
        seconds = max(time.monotonic() - started, 1e-6)
        return Output(text=said, stats={"tokens": len(pieces), "tokens_per_second": len(pieces) / seconds})

    def _paint(self, request: ImageRequest, context: Context) -> Output:
        passes = 2 if request.hires_scale > 1 else 1
        steps, done, made, stopped = int(request.steps or 1) * passes, [], [], False
        relatives = varied(request)
        for number in range(request.count):
            one = stepped(request, number, relatives)
            picture = self._picture(one, number, steps, context)
            if picture is not None:
                done.append(picture)
                made.append(one)
                if number + 1 < request.count:
                    context.preview(picture, number, whole=True)
            elif stopped := context.cancelled:
                break
        if not done:
            raise Cancelled
        return Output(
            images=tuple(done), seeds=tuple(int(one.seed or 0) for one in made),
            variation_seeds=tuple(int(one.variation_seed or 0) for one in made) if relatives else (),
            finish="cancelled" if stopped else "stop",
            notes=init_image.left_out(decode(request.image)) if request.image else edit.read_pictures(request)[1],
        )  # fmt: skip

    def _picture(self, request: ImageRequest, number: int, steps: int, context: Context) -> Image.Image | None:
        """One picture, or None where it was skipped or stopped."""
        pixels = (request.width or 0) * (request.height or 0)
        if not request.tiling and pixels > self._card.options.get("most_pixels", pixels):
            raise MemoryError
        picture = paint(request, number)
        for step in range(steps):
            if context.cancelled or context.skipped():
                return None
            self._step(context, number * steps + step + 1, steps * request.count)
            if context.previews:
                context.preview(picture.filter(ImageFilter.GaussianBlur((steps - step) * 2)), number)
        return picture

    def _enlarge(self, request: UpscaleRequest, context: Context) -> Output:
        if (pixels := _at_once(request)) > self._card.options.get("most_pixels", pixels):
            raise MemoryError
        given, steps = decode(request.image), 4
        for step in range(steps):
            context.check()
            self._step(context, step + 1, steps)
        size = (given.image.width * request.scale, given.image.height * request.scale)
        larger = given.image.resize(size, Image.Resampling.BICUBIC)
        return Output(images=(larger,), seeds=(0,), notes=init_image.left_out(given, whole=True))

    def _play(self, request: MusicRequest, context: Context) -> Output:
        seconds, steps = float(request.duration or 4), 20
        seeds = tuple(int(request.seed or 0) + i for i in range(request.count))
        pieces = [_melody(request.prompt, seed, seconds) for seed in seeds]
        for step in range(steps):
            context.check()
            self._step(context, step + 1, steps)
            if context.previews:
                context.sound(np.array_split(pieces[0].samples, steps, axis=1)[step], RATE)
        if request.sound and request.sound_use == "continue":
            heard = takes.heard(request, RATE, 2)
            pieces = [replace(piece, samples=np.concatenate([heard, piece.samples], axis=1)) for piece in pieces]
        return Output(audio=tuple(pieces), seeds=seeds)


def _at_once(request: UpscaleRequest) -> int:
    """Pixels of the picture that are enlarged together."""
    _, width, height = check_image(request.image)
    return min(width, request.tile or width) * min(height, request.tile or height)


def _answer(request: ChatRequest) -> str:
    asked = request.messages[-1].content.strip()
    for one in request.messages[-1].files:
        asked += f"\n\nWith it came {one.name}, {_seen(one)}."
    turns = sum(message.role == "user" for message in request.messages)
    return (
        f"You asked: {asked}\n\nThis is a stand-in, not a model. It answers the same thing every time, "
        f"so that the page can be tried without one. This is turn {turns} of our conversation."
    )


def _seen(one: Attachment) -> str:
    if not one.picture:
        return f"{len(one.data.decode().splitlines())} lines"
    size = decode(one.data).image.size
    return f"a picture of {size[0]} by {size[1]}"


def _completion(request: CodeRequest) -> str:
    line = request.prefix.rpartition("\n")[2]
    indent = " " * (len(line) - len(line.lstrip()))
    if line.rstrip().endswith(":"):
        return f"\n{indent}    return {len(request.prefix)}"
    return "pass" if not line.strip() else "  # a stand-in completion"


def _next_edit(request: CodeRequest) -> str:
    """The latest change once more, where the same words stand in the lines round the cursor."""
    lines, latest = window(request.prefix, request.suffix).text, request.edits[0]
    return lines.replace(latest.before, latest.after) if latest.before else lines


def _caption(request: CaptionRequest) -> str:
    from studio.media.image import decode_image

    picture = decode_image(request.image)
    red, green, blue = np.asarray(picture.resize((8, 8)), dtype=float).mean(axis=(0, 1)) / 255
    hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
    names = ("red", "orange", "green", "teal", "blue", "purple")
    colour = names[int(hue * 6) % 6] if saturation > 0.2 else ("dark" if value < 0.5 else "light")
    shape = "wide" if picture.width > picture.height else "tall" if picture.height > picture.width else "square"
    said = ["a", shape, "picture, mostly", colour + ",", str(picture.width), "by", str(picture.height), "pixels"]
    if request.temperature:
        said.append(random.Random(request.seed).choice(("in the morning", "at noon", "in the evening", "at night")))
    said = [word for word in said if word.strip(",").casefold() not in {word.casefold() for word in request.forbid}]
    said += [f"with {word}" for word in lacking(" ".join(said), request.require)]
    return " ".join([request.opening, *said] if request.opening else said)


def _melody(prompt: str, seed: int, seconds: float) -> Audio:
    """Soft plucked notes on a pentatonic scale; stereo."""
    dice = random.Random(f"{prompt}/{seed}")
    total = round(seconds * RATE)
    samples = np.zeros((2, total), dtype=np.float32)
    beat, root = RATE * 0.25, dice.choice((196.0, 220.0, 246.9))
    note = np.arange(round(RATE * 0.9)) / RATE
    envelope = np.exp(-4 * note) * np.minimum(note * 200, 1)
    for i in range(int(total / beat)):
        if dice.random() < 0.25:
            continue
        frequency = root * 2 ** (dice.choice((0, 2, 4, 7, 9, 12, 14)) / 12)
        sound = (0.22 * envelope * np.sin(2 * np.pi * frequency * note)).astype(np.float32)
        at, pan = round(i * beat), dice.uniform(0.3, 0.7)
        end = min(at + len(sound), total)
        samples[0, at:end] += sound[: end - at] * pan
        samples[1, at:end] += sound[: end - at] * (1 - pan)
    return Audio(samples, RATE)
