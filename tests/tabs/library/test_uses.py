"""The menu "Use in": one table of what a thing is and what each tab takes, and what each way does to the tab."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import mido
import pytest
from PIL import Image

from studio.errors import StudioError
from studio.i18n import table
from studio.library import foreign_files
from studio.library.archive import Archive
from studio.recipes.embed_audio import encode_wav
from studio.results import Audio
from studio.service import Studio
from studio.settings import Settings
from studio.tasks.chat.conversation import Entry
from tabs import page as whole
from tabs.image import region_map
from tabs.library import pieces, wiring
from tabs.shared import uploaded
from tabs.shared.context import Page
from tabs.shared.taking import Taker


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    home = tmp_path_factory.mktemp("home")
    with Studio(Settings(demo=True, home=home, keep_free_gb=0, _env_file=None)) as running:  # pyright: ignore
        yield running


@pytest.fixture(scope="module")
def takers(studio: Studio) -> list[Taker]:
    found: list[Taker] = []
    whole.build(studio, takers=found)
    return found


@pytest.fixture(autouse=True)
def _here(tmp_path_factory: pytest.TempPathFactory, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploaded, "uploads", lambda: studio.instance.shown)


def archive(studio: Studio) -> Archive:
    assert studio.archive is not None
    return studio.archive


def kept(studio: Studio, data: bytes, name: str) -> str:
    return foreign_files.take_in(archive(studio), studio.chats, data, name)[0]


def picture(*, white: tuple[int, int, int, int] = (0, 0, 32, 64)) -> bytes:
    drawn, out = Image.new("L", (64, 64), 0), io.BytesIO()
    drawn.paste(255, white)
    drawn.save(out, "PNG")
    return out.getvalue()


def notes() -> bytes:
    file, out = mido.MidiFile(), io.BytesIO()
    file.tracks.append(mido.MidiTrack([mido.Message("note_on", note=60), mido.Message("note_off", note=60, time=960)]))
    file.save(file=out)
    return out.getvalue()


def names(studio: Studio, takers: list[Taker], id: str) -> set[str]:
    return {one["name"] for one in about(studio, takers, id)["uses"]}


def about(studio: Studio, takers: list[Taker], id: str, spoken: str = "en") -> dict[str, Any]:
    return pieces.about(studio, archive(studio), takers, id, spoken)


def given(studio: Studio, taker: Taker, id: str, **held: Any) -> dict[str, Any]:
    """What a taker changes, by the names that fields have on the page; `held`: what those hold."""
    values: Mapping[Any, Any] = {part: held.get(part.elem_id.replace("-", "_")) for part in taker.inputs}
    changes = taker.put(_taken(studio, id), "en", values)
    assert changes.keys() <= set(taker.outputs)
    plain = {part.elem_id: one for part, one in changes.items() if getattr(part, "elem_id", None)}
    return {name: one["value"] if isinstance(one, dict) and "value" in one else one for name, one in plain.items()}


def _taken(studio: Studio, id: str) -> Any:
    with gr.Blocks() as blocks:
        return wiring.taken(Page(studio, blocks), id)


def test_every_way_is_called_something_in_both_languages(takers: list[Taker]) -> None:
    ways = {one.name for one in takers if not one.name.endswith(".open")}
    ways |= {f"{tab}.{field}" for tab, field, _, _ in pieces.TEXTS} | {f"chat.{what}" for what in pieces.ASKED}
    for spoken in ("en", "zh-CN"):
        assert {f"library.use_{name.replace('.', '_')}" for name in ways} <= table(spoken).keys()
    assert {f"code.ask_{what}" for what in pieces.ASKED} <= table("en").keys()


def test_each_kind_of_thing_has_the_ways_that_fit_it(studio: Studio, takers: list[Taker]) -> None:
    ways = {
        kept(studio, picture(), "p.png"): {
            "image.start", "image.edit", "image.region", "caption.picture", "chat.picture", "music.prompt",
            "chat.prompt",
        },
        kept(studio, encode_wav(_tone()), "s.wav"): {
            "music.sound", "music.melody", "image.prompt", "chat.prompt"
        },
        kept(studio, "a lamp 灯".encode(), "t.md"): {"image.prompt", "music.prompt", "music.lyrics", "chat.prompt"},
        kept(studio, b"x = 1\n", "c.py"): {
            "chat.prompt", "chat.explain", "chat.document", "chat.fix", "chat.test"
        },
        kept(studio, notes(), "m.mid"): {"image.prompt", "chat.prompt"},
    }  # fmt: skip
    for id, expected in ways.items():
        assert names(studio, takers, id) == expected, id


def test_a_way_that_needs_something_stands_there_once_that_is_here(studio: Studio, takers: list[Taker]) -> None:
    id = kept(studio, picture(), "p.png")
    assert not {"image.control", "image.reference", "image.reference_mask"} & names(studio, takers, id)
    for folder, name in ((studio.home.controlnets, "canny"), (studio.home.ipadapters, "plus")):
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.safetensors").write_bytes(b"x")
    try:
        assert {"image.control", "image.reference", "image.reference_mask"} <= names(studio, takers, id)
    finally:
        for folder in (studio.home.controlnets, studio.home.ipadapters):
            for file in folder.iterdir():
                file.unlink()


def test_a_text_and_a_listing_bring_the_words_that_are_typed(studio: Studio, takers: list[Taker]) -> None:
    words = "一盏灯\nand <b>two</b>\n"
    told = about(studio, takers, kept(studio, words.encode("utf-16"), "lamp.txt"))
    assert (told["words"], told["kind"], told["restores"], told["foreign"]) == (words, "text", False, True)
    lyrics = next(one for one in told["uses"] if one["name"] == "music.lyrics")
    assert (lyrics["type"], lyrics["fold"], "words" in lyrics) == ("music-lyrics", "music-more", False)
    code = 'say = """\n```\n````\n"""\n'
    told = about(studio, takers, kept(studio, code.encode(), "fence.py"), "zh-CN")
    assert (told["words"], told["syntax"], told["restores"]) == (code, "python", True)
    asked = next(one for one in told["uses"] if one["name"] == "chat.explain")
    assert asked["type"] == "chat-prompt"
    assert asked["words"] == f"{table('zh-CN')['code.ask_explain']}\n\n`````python\n{code.rstrip()}\n`````"


def test_notes_tell_what_is_in_them(studio: Studio, takers: list[Taker]) -> None:
    facts = dict(about(studio, takers, kept(studio, notes(), "m.mid"))["facts"])
    assert (facts["Notes"], facts["Voices"], facts["Length"], facts["Tempo"]) == ("1", "1", "0:01", "120")


def test_a_conversation_gives_its_last_answer(studio: Studio, takers: list[Taker]) -> None:
    said = Entry("user", "A rhyme?"), Entry("assistant", "The lamp, the camp.")
    studio.chats.save(chat := replace(studio.chats.new(), messages=said))
    archive(studio).sync()
    told = about(studio, takers, f"chat/{chat.id}")
    assert told["words"] == "The lamp, the camp."
    assert {"image.prompt", "music.prompt", "music.lyrics"} <= {one["name"] for one in told["uses"]}


def test_a_picture_goes_where_there_is_room_and_brings_a_model(studio: Studio, takers: list[Taker]) -> None:
    of = {one.name: one for one in takers}
    id = kept(studio, picture(), "p.png")
    for name, part, folder in (
        ("image.control", "image-control", studio.home.controlnets),
        ("image.reference", "image-reference", studio.home.ipadapters),
    ):
        folder.mkdir(exist_ok=True)
        for stem in ("b", "a"):
            (folder / f"{stem}.safetensors").write_bytes(b"x")
        under = part.replace("-", "_")
        found = given(studio, of[name], id)
        assert Path(found[f"{part}-1-picture"]).read_bytes() == picture()
        assert found[f"{part}-1-model"] == "a"
        second = given(studio, of[name], id, **{f"{under}_1_picture": {"path": "x"}, f"{under}_1_model": "b"})
        assert f"{part}-1-picture" not in second
        assert second[f"{part}-2-model"] == "b"
        full = {f"{under}_{slot}_picture": {"path": "x"} for slot in range(1, 5)}
        last = {key for key in given(studio, of[name], id, **full) if key.endswith("-picture")}
        assert last == {f"{part}-{3 if name == 'image.control' else 4}-picture"}
    mask = of["image.reference_mask"]
    shown = {"image_reference_1_picture": {"path": "x"}, "image_reference_1_mask": {"path": "x"},
             "image_reference_2_picture": {"path": "x"}}  # fmt: skip
    assert {"image-reference-2-mask"} == {key for key in given(studio, mask, id, **shown) if key.endswith("-mask")}


def test_a_picture_draws_a_region_and_leaves_the_others(studio: Studio, takers: list[Taker]) -> None:
    region = next(one for one in takers if one.name == "image.region")
    left = given(studio, region, kept(studio, picture(), "left.png"))["image-region-map"]
    assert set(region_map.read(left)) == {1}
    top = kept(studio, picture(white=(0, 0, 64, 32)), "top.png")
    both = given(studio, region, top, image_region_map=left)["image-region-map"]
    one, two = (Image.open(io.BytesIO(data)).getbbox() for data in region_map.read(both).values())
    assert (one, two) == ((0, 48, 48, 96), (0, 0, 96, 48))
    named = given(studio, region, top, image_region_map=left, image_region_3_prompt="a cat")["image-region-map"]
    assert set(region_map.read(named)) == {1, 3}  # the one that waits for a place
    with pytest.raises(StudioError) as refused:
        given(studio, region, kept(studio, picture(white=(0, 0, 0, 0)), "dark.png"))
    assert refused.value.code == "mask_empty"


def test_a_picture_joins_those_at_a_message_and_a_model_that_sees_is_offered(
    studio: Studio, takers: list[Taker], monkeypatch: pytest.MonkeyPatch
) -> None:
    attach = next(one for one in takers if one.name == "chat.picture")
    id, before = kept(studio, picture(), "p.png"), studio.instance.shown / "a.txt"
    before.parent.mkdir(parents=True, exist_ok=True)
    before.write_text("a")
    model = studio.default_model("chat").id
    found = given(studio, attach, id, chat_files=[{"path": str(before)}], chat_model=model)
    assert found["chat-files"][0] == str(before)
    assert Path(found["chat-files"][1]).read_bytes() == picture()
    assert found["chat-progress"] == ""
    able = studio.default_model("chat")
    blind = replace(able, id="blind", title="Blind", options={**able.options, "sees": False})
    monkeypatch.setattr(studio.catalog, "cards", {**studio.catalog.cards, "blind": blind})
    found = given(studio, attach, id, chat_model="blind")
    assert len(found["chat-files"]) == 1
    assert f'data-choose="{model}"' in found["chat-progress"]


def test_a_sound_is_followed_by_a_model_that_can(studio: Studio, takers: list[Taker]) -> None:
    id = kept(studio, encode_wav(_tone()), "s.wav")
    for name, use in (("music.melody", "follow"), ("music.sound", "continue")):
        taker = next(one for one in takers if one.name == name)
        hears = studio.default_model("music").id
        found = given(studio, taker, id, music_model=hears)
        assert (found["music-sound-use"], found["music-sound-keep"]) == (use, "")
        assert "music-model" not in found
        assert Path(found["music-sound"]).suffix == ".wav"
        assert use in studio.hears(given(studio, taker, id, music_model="none")["music-model"])


def test_the_fields_that_a_way_changes_can_be_had_back(studio: Studio) -> None:
    found: list[Taker] = []
    blocks = whole.build(studio, takers=found)
    named = {part.elem_id: part for part in blocks.blocks.values() if getattr(part, "elem_id", None)}
    for name, fields in (
        ("image.region", {"image-region-map"}), ("chat.picture", {"chat-files"}),
        ("caption.picture", {"caption-image"}),
    ):  # fmt: skip
        button = named[f"{wiring.button_id(name)}-back"]
        (event,) = [one for one in blocks.fns.values() if (button._id, "click") in one.targets]
        assert fields <= {part.elem_id for part in event.outputs}, name


def _tone() -> Audio:
    import numpy as np

    return Audio(np.sin(np.linspace(0, 400, 8000)).astype(np.float32)[None], 8000)
