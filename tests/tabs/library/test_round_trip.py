"""A file of every kind, dropped on the page: what Run would ask for then is what the file was made with, every field.

Requests are drawn from all that may be asked for, run, saved in each format, recognised, taken up by their tab, and
read off the tab's fields as a press of Run reads them. `EXAMPLES=500` draws that many of each.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from itertools import count
from typing import Any, cast

import gradio as gr
import pytest
import starlette.requests
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from unit.media.test_sound import tone

from studio.errors import StudioError
from studio.library import music_export
from studio.library.file_names import Keep
from studio.library.recognition import recognise
from studio.media import masks
from studio.recipes.embed_audio import encode_wav
from studio.request_parts import (
    CONTROL_FITS,
    PREPROCESSORS,
    REFERENCE_USES,
    CodeFile,
    Control,
    Detail,
    Lora,
    Message,
    Reference,
    Region,
)
from studio.requests import (
    PICTURE_FORMATS,
    RNGS,
    SEAMLESS,
    CaptionRequest,
    ChatRequest,
    CodeRequest,
    ImageRequest,
    MusicRequest,
    Request,
)
from studio.results import Artifact
from studio.service import Studio
from studio.settings import Settings
from studio.tasks import limits
from studio.tasks.caption.limits import LENGTHS, STYLES
from studio.tasks.code.languages import TITLES
from studio.tasks.image.prepare import PromptFiller
from studio.tasks.image.schedulers import SCHEDULERS
from studio.tasks.music.keys import key_of, spelling
from studio.tasks.music.limits import SOUND_USES
from studio.tasks.music.melody_tokens import METRES
from tabs import page as whole
from tabs.caption.fields import words as fields_words
from tabs.chat.settings import NUMBERS
from tabs.library import pieces
from tabs.shared import uploaded
from tabs.shared.context import Page
from tabs.shared.taking import Taker
from tabs.shared.widgets import typed_number

MANY = int(os.environ.get("EXAMPLES", "10"))
SIGNS = "aeo EZ09 ,.'\"\\/&;:-\té森狐夜🌲ß\n"
"""Of texts: nothing by which a prompt draws words, weighs them or names files."""
NAMED = ("ink", "fog", "canny")
"""Adaptations and networks that lie in this home."""
NOT_TAKEN = {
    "count": "each file was one of several, and has a recipe of its own",
    "prompts": "they follow from the prompt and the seed, and are drawn again",
    "only_prompt": "nothing is made with it",
    "edits": "what was changed lately is what the editor knows of now",
    "prefix": "the text opens whole, with what was made in its place",
    "suffix": "the text opens whole, with what was made in its place",
    "path": "the name of a file of the project that is open",
    "files": "they are not kept, since they are somebody's work and may be large; the page has them dropped again",
    "messages": "they are the conversation, which opens",
    "task": "the tab",
}
"""Fields that are not asked for again, and why."""


def words(most: int = 40, least: int = 0) -> st.SearchStrategy[str]:
    """Texts without blanks at their ends, which mean nothing anywhere."""
    return st.text(SIGNS, max_size=most).map(str.strip).filter(lambda text: len(text) >= least)


def some(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def between(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_subnormal=False) | st.sampled_from([float(low), float(high)])


def picture(colour: int = 0, size: tuple[int, int] = (64, 64), half: bool = False) -> bytes:
    drawn, out = Image.new("L", size, 255 if half else colour), io.BytesIO()
    if half:
        drawn.paste(0, (0, 0, size[0] // 2, size[1]))
    (drawn if half else drawn.convert("RGB")).save(out, "PNG")
    return out.getvalue()


PICTURES = st.builds(picture, st.integers(0, 255), st.sampled_from([(64, 64), (96, 64)]))
SEEDS = some(st.integers(0, 2**64 - 20))
SOUND = encode_wav(tone())


@st.composite
def spans(draw: st.DrawFn) -> dict[str, float]:
    start, end = sorted(draw(st.lists(between(0, 1), min_size=2, max_size=2, unique=True)))
    return {"weight": draw(between(0, 2)), "start": start, "end": end}


@st.composite
def painted(draw: st.DrawFn) -> ImageRequest:
    of = draw
    given: dict[str, Any] = {
        "prompt": of(words(least=1)), "negative_prompt": of(words()), "seed": of(SEEDS),
        "count": of(st.integers(1, 2)),
        "steps": of(some(st.integers(1, 4))), "guidance_scale": of(some(between(0, 30))),
        "scheduler": of(st.sampled_from(["", *SCHEDULERS])), "clip_skip": of(st.integers(0, 12)),
        "variation": of(st.just(0.0) | between(0, 1)), "variation_seed": of(SEEDS), "tiling": of(st.booleans()),
        "seamless": of(st.sampled_from(SEAMLESS)), "rng": of(st.sampled_from(RNGS)),
        "loras": of(st.lists(st.builds(Lora, st.sampled_from(NAMED), between(-4, 4)), max_size=3, unique_by=str)),
        "styles": of(st.lists(st.sampled_from(["ink", "photo"]), max_size=2, unique=True)),
        "vae": of(st.sampled_from(["", "ink"])), "refiner": of(st.sampled_from(["", "ink"])),
        "refiner_at": of(between(0.01, 0.99)),
        "details": of(st.lists(
            st.builds(Detail, st.just("ink"), between(0, 1), words(), between(0, 1)), max_size=1)),
        "regions": of(st.lists(
            st.builds(Region, words(least=1), st.just(picture(half=True)), between(0, 1)), max_size=1)),
        "controls": of(st.lists(st.builds(
            lambda span, **more: Control(**span, **more), spans(), model=st.sampled_from(NAMED), image=PICTURES,
            preprocessor=st.sampled_from(PREPROCESSORS[:-1]), fit=st.sampled_from(CONTROL_FITS)), max_size=3)),
        "references": of(st.lists(st.builds(
            lambda span, **more: Reference(**span, **more), spans(), model=st.sampled_from(NAMED), image=PICTURES,
            use=st.sampled_from(REFERENCE_USES), mask=st.sampled_from([b"", picture(half=True)])), max_size=4)),
    }  # fmt: skip
    begun = of(st.sampled_from(["", "", "image", "mask", "pictures"]))
    if begun != "":
        given["strength"] = of(some(between(0, 1)))
    if begun in ("image", "mask"):
        given["image"] = of(PICTURES)
    if begun == "mask":
        wide = Image.open(io.BytesIO(given["image"])).size
        given |= {"mask": picture(size=wide, half=True), "masked_only": of(st.booleans())}
        given |= {"mask_padding": of(st.integers(0, 512)), "mask_blur": of(st.integers(0, 64))}
    if begun == "pictures":
        given["pictures"] = tuple(of(st.lists(PICTURES, min_size=1, max_size=2)))
        del given["strength"]
    if begun == "" and of(st.booleans()):
        given |= {"hires_scale": of(st.sampled_from([1.5, 2.0])), "hires_strength": of(some(between(0, 1)))}
    if of(st.booleans()):
        given |= {"width": of(st.integers(16, 48)) * 8, "height": of(st.integers(16, 48)) * 8}
    whole: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in given.items()}
    return ImageRequest(**whole)


COMPOSED = st.builds(
    MusicRequest, prompt=words(least=1), negative_prompt=words(), lyrics=words(), tempo=st.just(0.0) | between(40, 260),
    key=st.sampled_from(["", "D major", "F♯ minor", "D♯ minor", "E dorian", "G mixolydian", "f#m", "降B小调"]),
    metre=st.sampled_from(["", *METRES]), bars=st.integers(0, 4), players=words(), loop=st.booleans(), melody=words(),
    sound=st.sampled_from([b"", SOUND]), sound_use=st.sampled_from(SOUND_USES), sound_keep=between(0, 0.03),
    duration=some(between(1, 3)), steps=some(st.integers(1, 500)), guidance_scale=some(between(0, 30)),
    temperature=some(between(0, 2)), top_k=some(st.integers(0, 2048)), count=st.integers(1, 2), seed=SEEDS,
)  # fmt: skip
COMPLETED = st.builds(
    CodeRequest, prefix=words(least=1), suffix=words(), language=st.sampled_from(["", *TITLES]), path=words(),
    files=st.lists(st.builds(CodeFile, words(least=1), words()), max_size=2).map(tuple), fill_in_middle=st.booleans(),
    max_tokens=some(st.integers(1, 4096)), temperature=some(between(0, 2)),
    top_p=some(between(0, 1)), seed=SEEDS,
)  # fmt: skip
KEPT_WORDS = st.lists(words(least=1).filter(lambda one: fields_words(one) == (one,)), max_size=3).map(tuple)
"""Words as the page parts them: by commas and lines."""
CAPTIONED = st.builds(
    CaptionRequest, image=PICTURES, prompt=words(), length=st.sampled_from(LENGTHS), style=st.sampled_from(STYLES),
    opening=words(), require=KEPT_WORDS, forbid=KEPT_WORDS,
    max_tokens=some(st.integers(1, 2048)), temperature=some(between(0, 2)), seed=SEEDS,
)  # fmt: skip
ANSWERED = st.builds(
    ChatRequest, messages=words(least=1).map(lambda said: (Message("user", said),)), system=words(), opening=words(),
    max_tokens=some(st.integers(1, 32768)), temperature=some(between(0, 2)), top_p=some(between(0, 1)),
    top_k=some(st.integers(0, 1000)), min_p=some(between(0, 1)), repetition_penalty=some(between(0.5, 2)),
    stop=st.lists(words(least=1).filter(lambda one: "\n" not in one), max_size=3).map(tuple),
    schema=st.sampled_from(["", '{"type": "object"}']), thinking_budget=some(st.integers(0, 32768)),
    summarise=st.booleans(), seed=SEEDS,
)  # fmt: skip


class Asked(StudioError):
    """Raised in the place of running what a press of Run asks for."""


class Desk:
    """The page of one studio, without a browser: what its handlers answer, and what its fields hold."""

    def __init__(self, studio: Studio) -> None:
        self.studio, self.takers = studio, list[Taker]()
        self.blocks = whole.build(studio, takers=self.takers)
        self.parts = {part.elem_id: part for part in self.blocks.blocks.values() if getattr(part, "elem_id", None)}
        self.page = Page(studio, self.blocks)
        self._pages = count()
        self.request = self.another()

    def another(self) -> gr.Request:
        """What a page that has just been opened sends."""
        scope = {"type": "http", "headers": [], "query_string": b"", "path": "/", "method": "GET"}
        sent = cast("Any", starlette.requests.Request(scope))
        return gr.Request(request=sent, session_hash=f"page {next(self._pages)}")

    def handler(self, id: str, on: str = "click") -> Any:
        """What answers an event of a part, and what it is given."""
        return next(event for event in self.blocks.fns.values() if (self.parts[id]._id, on) in event.targets)

    def dropped(self, data: bytes, name: str) -> dict[Any, Any]:
        """What a file that is dropped changes in the fields, by part."""
        archive = self.studio.archive
        assert archive is not None
        found = recognise(archive, self.studio.chats, data, name)
        if found.way in ("image", "music"):
            event = self.handler(f"{found.way}-restore", "upload")
            file = self.page.offer(data, name)
            return dict(event.fn(file, self.request))
        if found.way == "chat":
            return self.opened(found.chat)
        assert found.item is not None, found.way
        if found.item.kind == "chat":
            return self.opened(found.item.id.split("/")[1])
        tab = {"upscale": "image"}.get(found.item.task, found.item.task)
        event = self.handler(f"library-{tab}-open")
        changes = event.fn(self.request, found.item.id, *(self.held(part, {}) for part in event.inputs[1:]))
        if tab == "code":  # which the browser's editor says
            told = pieces.about(self.studio, archive, self.takers, found.item.id, "en")
            changes = {**changes, self.parts["code-language"]: told["syntax"]}
        return changes

    def opened(self, chat: str) -> dict[Any, Any]:
        """What opening a conversation changes."""
        opening: Any = next(one for one in self.blocks.fns.values() if getattr(one.fn, "__qualname__", "") == _OPENING)
        return list(opening.fn(chat, None, self.request))[-1]

    def say(self, words: str, changes: Mapping[Any, Any]) -> None:
        """Send a message in a new conversation, with the fields so."""
        self.request, event = self.another(), self.handler("chat-run")
        values = [self.held(part, changes) for part in event.inputs[3:]]
        list(event.fn(self.request, words, None, "{}", *values))

    def held(self, part: Any, changes: Mapping[Any, Any]) -> Any:
        """What a part holds after changes, as the page sends it."""
        given = changes.get(part, part.value)
        if isinstance(given, dict) and given.get("__type__") == "update":
            return given.get("value", part.value)
        return given

    def asked(self, tab: str, changes: Mapping[Any, Any]) -> Request:
        """What a press of Run asks for with the fields so."""
        for put in (one for part, one in changes.items() if isinstance(part, gr.State) and isinstance(one, tuple)):
            if isinstance(put[0], str):  # what is put into the editor, by way of a state (tabs.image.fields)
                changes = {**changes, self.parts["image-picture"]: put[1]}
        event = self.handler(f"{tab}-run")
        values = {part: self.held(part, changes) for part in event.inputs}
        got: list[Request] = []

        def note(request: Request, *_: Any, **__: Any) -> Any:
            got.append(request)
            raise Asked("no_model")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.studio, "submit", note)
            patch.setattr(self.studio, "say", lambda _, asked, *__, **___: note(asked))
            if tab == "chat":
                self.say("And then?", changes)
                return got[0]
            given = (values, self.request) if event.inputs_as_dict else (self.request, *values.values())
            pressed = [gr.EventData(self.parts["image-run"], None)] if tab == "image" else []
            list(event.fn(*given, *pressed))
        assert got, "Run asked for nothing"
        return got[0]


_OPENING = "_wire_opening.<locals>.attach"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("home")
    with Studio(Settings(demo=True, home=home, keep_free_gb=0, device="cpu", _env_file=None)) as studio:  # pyright: ignore
        at = studio.home
        for folder in (at.loras, at.controlnets, at.ipadapters, at.vaes, at.refiners):
            for name in NAMED:
                (folder / f"{name}.safetensors").write_bytes(b"x")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(uploaded, "uploads", lambda: studio.instance.shown)
            yield Desk(studio)


def made(studio: Studio, request: Request, **options: Any) -> Artifact:
    """What a request gives; examples that the studio refuses are passed over."""
    try:
        job = studio.submit(request, **options)
    except StudioError:
        assume(False)
    last = list(job.events())[-1]
    assert last.artifact is not None, last.error
    return last.artifact


def plain(desk: Desk, request: Request) -> dict[str, Any]:
    """A request's fields once its gaps are filled; masks by what they mark."""
    card = desk.studio.catalog.get(request.model) if request.model else desk.studio.default_model(request.task)
    full = limits.resolve(replace(request, seed=request.seed or 0, model=card.id), card, lambda: 0)
    found = {part.name: getattr(full, part.name) for part in fields(full) if part.name not in NOT_TAKEN}
    if isinstance(full, MusicRequest):
        found["key"] = key_of(full.key), spelling(full.key, *(key_of(full.key) or (0, "")))
        if not full.sound:  # they say what is done with one
            del found["sound_use"], found["sound_keep"]
    if isinstance(full, ImageRequest):
        if not full.variation:
            del found["variation_seed"]
        found["regions"] = [replace(one, mask=marked(one.mask)) for one in full.regions]
        found["mask"] = marked(full.mask)
        # a style's own words are joined to it, once, whether they are there already or not
        found["negative_prompt"] = PromptFiller(desk.studio.home).fill(replace(full, prompts=()))[0].negative_prompt
    return found


def marked(mask: bytes) -> bytes:
    return masks.read_mask(mask).resize((64, 64)).point([0] * 128 + [255] * 128).tobytes() if mask else b""


def same(desk: Desk, data: bytes, name: str, tab: str, wanted: Request) -> None:
    """A file that is dropped asks for what it was made with."""
    asked, expected = plain(desk, desk.asked(tab, desk.dropped(data, name))), plain(desk, wanted)
    assert {name: (asked[name], value) for name, value in expected.items() if asked[name] != value} == {}


SLOW = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)
often = settings(
    max_examples=MANY,
    phases=(Phase.generate,),
    suppress_health_check=SLOW,
    database=None,
    derandomize="EXAMPLES" not in os.environ,
)


@often
@given(request=painted(), form=st.sampled_from(PICTURE_FORMATS), beside=st.booleans())
def test_a_picture(desk: Desk, request: ImageRequest, form: Any, beside: bool) -> None:
    request = replace(request, count=1) if beside else request  # two may be equal, and say nothing of themselves
    artifact = made(desk.studio, request, keep=Keep(format=form, metadata=not beside))
    archive = desk.studio.archive
    assert archive is not None
    try:
        for file, own in zip(artifact.files, artifact.recipes, strict=True):
            same(desk, file.read_bytes(), file.name, "image", again(request, own))
    finally:  # one that says nothing of itself is known by its bytes, and another with the same is it
        archive.delete([desk.studio.library.id(file) for file in artifact.files])


def again(request: Any, own: Mapping[str, Any]) -> Any:
    """The request of one of several: its own seed."""
    more = {"variation_seed": own["parameters"]["variation_seed"]} if isinstance(request, ImageRequest) else {}
    return replace(request, seed=own["seed"], model=own["model"]["id"], **more)


@often
@given(request=COMPOSED, form=st.sampled_from(music_export.SOUND))
def test_a_piece(desk: Desk, request: MusicRequest, form: str) -> None:
    artifact = made(desk.studio, request)
    for file, own in zip(artifact.files, artifact.recipes, strict=True):
        same(desk, music_export.music(file, own, form), f"x{form}", "music", again(request, own))


@often
@given(request=CAPTIONED)
def test_a_caption(desk: Desk, request: CaptionRequest) -> None:
    artifact = made(desk.studio, request)
    text(desk, artifact, request)


@often
@given(request=COMPLETED)
def test_a_completion(desk: Desk, request: CodeRequest) -> None:
    artifact = made(desk.studio, request)
    text(desk, artifact, request)


@often
@given(request=ANSWERED)
def test_a_conversation(desk: Desk, request: ChatRequest) -> None:
    chats = desk.studio.chats
    typed = {desk.parts[f"chat-{name.replace('_', '-')}"]: typed_of(getattr(request, name)) for name in NUMBERS}
    typed |= {desk.parts[f"chat-{name}-words"]: getattr(request, name) for name in ("opening", "schema")}
    typed |= {desk.parts["chat-stop-words"]: "\n".join(request.stop), desk.parts["chat-system"]: request.system}
    desk.say(request.messages[0].content, typed | {desk.parts["chat-summarise"]: request.summarise})
    assume(chats.list())
    (kept,) = chats.list()
    data = chats.export_json(kept.id).encode()
    chats.delete(kept.id)
    try:
        same(desk, data, "talk.json", "chat", request)
    finally:
        for one in chats.list():
            chats.delete(one.id)


def text(desk: Desk, artifact: Artifact, request: Request) -> None:
    """The same of a text, which says nothing of itself: it is known by its letters, and another with the same is it."""
    assert desk.studio.archive is not None
    file, own = artifact.files[0], artifact.recipes[0]
    try:
        same(desk, file.read_bytes(), file.name, request.task, again(request, own))
    finally:
        desk.studio.archive.delete([artifact.id])


def typed_of(value: Any) -> str:
    return "" if value is None else typed_number(value)
