"""The explicit label: seen on any ground, heard at the end, read in texts, once, and there without the metadata."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
from made import recipe_of
from PIL import Image, ImageDraw
from serving import served
from witnesses import heard

from studio.library.chat_file import markdown
from studio.library.exports import pack
from studio.library.music_export import music
from studio.library.outputs import Library
from studio.media import morse, stamp, strip, vectors
from studio.paths import Home
from studio.recipes import ai_marks, explicit_label, recipe
from studio.recipes.embed_audio import encode_mp3, encode_wav
from studio.recipes.embed_image import encode_png
from studio.recipes.explicit_label import Marking
from studio.request_parts import Axis
from studio.requests import CaptionRequest, ImageRequest, MusicRequest, UpscaleRequest
from studio.results import Audio, Output
from studio.service import Studio
from studio.settings import Settings
from studio.tasks.chat.conversation import Chat, Entry
from tabs.image import copies

DICE = np.random.default_rng(1)
GROUNDS = ("dark", "bright", "noise", "plate")
LANGUAGES = ("en", "zh-CN")
WORDS = {"en": "AI-generated", "zh-CN": "AI生成"}
FOX = ImageRequest(prompt="a fox", seed=3, steps=1, width=256, height=192)
CARD: dict[str, Any] = {"width": 256, "height": 192}


def ground(kind: str, width: int, height: int) -> Image.Image:
    if kind == "noise":
        return Image.fromarray(DICE.integers(0, 256, (height, width, 3), dtype=np.uint8))
    return Image.new(
        "RGB", (width, height), {"dark": (2, 2, 8), "bright": (252, 252, 250), "plate": (17, 17, 17)}[kind]
    )


def tone(seconds: float = 2.0, rate: int = 32_000, channels: int = 2) -> Audio:
    return Audio((DICE.standard_normal((channels, int(rate * seconds))) * 0.2).astype(np.float32), rate)


@pytest.fixture(params=LANGUAGES)
def studio(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Studio]:
    with Studio(settings.model_copy(update={"explicit_label": request.param})) as running:
        yield running


# ---- seen


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("size", [(64, 64), (128, 128), (512, 512), (640, 96), (96, 640), (2048, 1152)])
@pytest.mark.parametrize("kind", GROUNDS)
def test_it_is_seen_on_any_ground_at_any_size(language: str, size: tuple[int, int], kind: str) -> None:
    plain = ground(kind, *size)
    labelled = stamp.stamped(plain, language)
    assert stamp.find(plain, language) == 0.0
    assert stamp.find(labelled, language) >= 0.05, "GB 45438: a twentieth of the shorter side"
    changed = np.abs(np.asarray(labelled, int) - np.asarray(plain, int)).max(axis=2) > 0
    rows, columns = np.where(changed.any(axis=1))[0], np.where(changed.any(axis=0))[0]
    ink = np.asarray(labelled.convert("L"))[rows[0] :, columns[0] :] > 128
    inked = np.where(ink.any(axis=1))[0]
    assert inked[-1] - inked[0] + 1 >= 0.05 * min(size) or kind in ("bright", "noise")
    assert rows[-1] == size[1] - 1 or kind == "plate", "at the edge"


def test_white_on_black_is_as_much_contrast_as_there_is() -> None:
    light = [((value / 255 + 0.055) / 1.055) ** 2.4 for value in (stamp._INK[0], stamp._PLATE[0])]
    assert (light[0] + 0.05) / (light[1] + 0.05) > 15


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_the_picture_keeps_its_mode_and_the_rest_of_its_pixels(mode: str) -> None:
    plain = ground("noise", 200, 100).convert(mode)
    labelled = stamp.stamped(plain, "en")
    assert labelled.mode == mode
    assert labelled.size == plain.size
    assert labelled.crop((0, 0, 200, 60)).tobytes() == plain.crop((0, 0, 200, 60)).tobytes()


@pytest.mark.parametrize("change", ["jpeg", "larger", "smaller", "transparent"])
def test_it_is_found_again_whatever_became_of_the_picture(change: str) -> None:
    labelled = stamp.stamped(ground("noise", 512, 384), "zh-CN")
    if change == "jpeg":
        out = io.BytesIO()
        labelled.save(out, "JPEG", quality=60)
        labelled = Image.open(out)
    elif change in ("larger", "smaller"):
        factor = 4 if change == "larger" else 0.5
        labelled = labelled.resize((int(512 * factor), int(384 * factor)), Image.Resampling.BICUBIC)
    else:
        labelled = labelled.convert("RGBA")
        labelled.putalpha(Image.new("L", labelled.size, 255))
        labelled.paste((0, 0, 0, 0), (0, 0, 512, 200))
    assert stamp.find(labelled, "zh-CN") >= 0.045
    assert stamp.find(labelled, "en") == 0.0


def test_half_painted_over_it_counts_no_more() -> None:
    labelled = stamp.stamped(ground("bright", 512, 384), "en")
    faded = Image.blend(labelled, ground("noise", 512, 384), 0.5)
    assert stamp.find(faded, "en") == 0.0
    again = explicit_label.on_picture(faded, recipe_of("image", {"image": {"sha256": "0" * 64}}, explicit_label="en"))
    assert stamp.find(again, "en") >= 0.05


# ---- through the service


def test_pictures_bear_it_the_recipe_says_so_and_cleaning_leaves_it(studio: Studio) -> None:
    language = studio.settings.explicit_label
    for file in studio.submit(ImageRequest(prompt="a fox", count=2, **CARD)).result().files:
        data = file.read_bytes()
        made = recipe.read_recipe(data)
        assert made
        assert made["explicit_label"] == language
        assert explicit_label.find(data) == WORDS[language]
        assert explicit_label.find(strip.clean(data)) == WORDS[language]
        assert recipe.read_recipe(strip.clean(data)) is None
        assert ai_marks.read_marks(data).labels == 1, "beside it the label in the file, still once"


def test_off_nothing_is_drawn_and_nothing_said(settings: Settings) -> None:
    with Studio(settings) as studio:
        data = studio.submit(FOX).result().files[0].read_bytes()
        piece = studio.submit(MusicRequest(prompt="a waltz", duration=1)).result().files[0].read_bytes()
    assert (explicit_label.find(data), explicit_label.find(piece)) == ("", "")
    assert "explicit_label" not in (recipe.read_recipe(data) or {})


def test_what_is_enlarged_or_edited_bears_it_once(studio: Studio) -> None:
    language = studio.settings.explicit_label
    first = studio.submit(FOX).result().files[0]
    larger = studio.submit(UpscaleRequest(image=first.read_bytes(), scale=2)).result().files[0]
    before, after = Image.open(first), Image.open(larger)
    assert stamp.find(after, language) == pytest.approx(stamp.find(before, language), abs=0.003), (
        "grown with the picture"
    )
    expected = before.convert("RGB").resize(after.size, Image.Resampling.NEAREST)
    corner = (after.width // 2, after.height * 3 // 4, after.width, after.height)
    apart = np.abs(np.asarray(after.convert("RGB").crop(corner), int) - np.asarray(expected.crop(corner), int))
    assert apart.mean() < 25, "no second one beside it"
    edited = (
        studio.submit(ImageRequest(prompt="dusk", image=first.read_bytes(), strength=0.5, **CARD)).result().files[0]
    )
    assert stamp.find(Image.open(edited), language) >= 0.05


def test_every_way_out_of_the_api_has_it(tmp_path: Path) -> None:
    with served(tmp_path, explicit_label="en") as place:
        told = place.openai.images.generate(prompt="a fox", size="256x256", response_format="b64_json", n=1)
        asked = {"prompt": "a fox", "width": 256, "height": 256, "steps": 1}
        painted = place.http.post("/sdapi/v1/txt2img", json=asked).json()["images"][0]
        address = place.http.post("/v1/images/generations", json={"prompt": "x", "response_format": "url"}).json()
        fetched = place.http.get(address["data"][0]["url"]).content
    assert told.data
    for sent in (told.data[0].b64_json, painted):
        import base64

        assert explicit_label.find(base64.b64decode(sent or "")) == "AI-generated"
    assert explicit_label.find(fetched) == "AI-generated"


def test_a_contact_sheet_has_a_strip_for_it(studio: Studio) -> None:
    made = studio.submit_grid(FOX, Axis("seed", ("1", "2")), None).result()
    assert made.sheet
    sheet = Image.open(made.sheet)
    assert stamp.find(sheet, studio.settings.explicit_label) >= 0.045
    strip_of_it = np.asarray(sheet.convert("L"))[-4:, :4]
    assert strip_of_it.min() == 255, "nothing of the cells is hidden"


def test_what_is_cut_out_or_drawn_in_vectors_bears_it_too(tmp_path: Path) -> None:
    import resvg_py

    plain = Image.new("RGB", (128, 128), "white")
    ImageDraw.Draw(plain).ellipse((24, 24, 100, 90), fill=(200, 40, 40))
    made = recipe_of("image", {}, explicit_label="zh-CN")
    file = tmp_path / "a.png"
    file.write_bytes(encode_png(explicit_label.on_picture(plain, made), made))
    cut, _, _ = copies.cut_out(file, "en")
    assert explicit_label.find(cut) == "AI生成"
    assert Image.open(io.BytesIO(cut)).getpixel((2, 2)) == (0, 0, 0, 0) or Image.open(io.BytesIO(cut)).mode == "RGBA"
    svg, _, _ = copies.vector(file, "en")
    assert explicit_label.find(bytes(resvg_py.svg_to_bytes(svg_string=svg.decode(), width=512))) == "AI生成"
    file.write_bytes(encode_png(plain, recipe_of("image", {})))
    assert b"<g transform" not in copies.vector(file, "en")[0], "without a label nothing is put on top"
    assert vectors.trace(plain).paths


# ---- heard


@pytest.mark.parametrize("rate", [8_000, 22_050, 32_000, 44_100, 48_000])
def test_morse_code_stands_behind_the_piece_and_is_found_and_taken_off(rate: int) -> None:
    plain = tone(1.5, rate)
    labelled = morse.appended(plain)
    assert labelled.samples.shape == (2, plain.samples.shape[1] + morse.length(rate))
    assert morse.find(plain) is None
    assert np.array_equal(morse.without(labelled).samples, plain.samples)
    assert morse.without(plain) is plain
    assert morse.find(Audio(labelled.samples[:, : plain.samples.shape[1]], rate)) is None


def test_it_reads_short_long_short_short() -> None:
    """Short and long, then twice short, after three units of silence: by the length of each tone alone."""
    silent = morse.appended(Audio(np.zeros((1, 100), np.float32), 8_000)).samples[0]
    silent = np.append(silent, np.zeros(800))
    loud = np.convolve(np.abs(silent), np.ones(80) / 80, "same") > 0.02
    edges = np.flatnonzero(np.diff(loud.astype(int)))
    lengths = np.diff(edges)
    units = np.rint(lengths / lengths[0]).astype(int).tolist()
    assert units == [1, 1, 3, 3, 1, 1, 1], "A: short, long. I: short, short"


def test_an_mp3_of_it_still_has_it_by_another_decoder() -> None:
    piece = morse.appended(tone(1.5))
    data = encode_mp3(piece, recipe_of("music", {}))
    assert morse.find(Audio(heard(data, 2, 32_000), 32_000)) is not None
    assert explicit_label.find(data) == "AI"


def test_a_steady_tone_or_silence_is_no_morse_code() -> None:
    wave = np.sin(2 * np.pi * 880 * np.arange(64_000) / 32_000).astype(np.float32).reshape(1, -1) * 0.25
    assert morse.find(Audio(wave, 32_000)) is None
    assert morse.find(Audio(np.zeros((1, 64_000), np.float32), 32_000)) is None
    assert morse.find(Audio(np.zeros((1, 3), np.float32), 32_000)) is None


def test_loop_points_stay_round_the_piece() -> None:
    made = recipe_of("music", {"loop": True}, played={"loop": True}, explicit_label="en")
    plain = tone(1.0)
    labelled = explicit_label.on_sound(plain, made)
    data = encode_wav(labelled, made, labelled.samples.shape[1] - plain.samples.shape[1])
    at = data.index(b"smpl") + 8
    assert struct.unpack("<I", data[at + 48 : at + 52])[0] == plain.samples.shape[1] - 1


def test_pieces_bear_it_and_what_goes_on_from_one_has_it_once(studio: Studio) -> None:
    first = studio.submit(MusicRequest(prompt="a waltz", duration=2, seed=1)).result()
    data = first.files[0].read_bytes()
    assert first.recipes[0]["explicit_label"] == studio.settings.explicit_label
    assert explicit_label.find(data) == "AI"
    after = studio.submit(MusicRequest(prompt="a waltz", duration=4, seed=2, sound=data, sound_use="continue")).result()
    from studio.media.audio import decode_audio

    whole = decode_audio(after.files[0].read_bytes())
    assert morse.find(whole) is not None
    assert morse.find(morse.without(whole)) is None, "the one of the beginning was not heard"
    assert morse.find(decode_audio(music(after.files[0], dict(after.recipes[0]), ".flac"))) == morse.find(whole)


def test_notes_hold_it_behind_the_recipe_and_scores_show_it(tmp_path: Path) -> None:
    score = mido.MidiFile()
    score.tracks.append(mido.MidiTrack([mido.MetaMessage("track_name", name="x"), mido.Message("note_on", note=60)]))
    raw = io.BytesIO()
    score.save(file=raw)
    made = recipe_of("music", {}, explicit_label="en", seed=7)
    library = Library(Home.at(tmp_path / "home"))
    sound = Audio(np.zeros((1, 800), np.float32), 8_000, midi=raw.getvalue())
    file = library.save("music", Output(audio=(sound,), seeds=(7,)), made).files[0]
    for data in (file.with_suffix(".mid").read_bytes(), music(file, made, ".mid")):
        found = [one.text for one in mido.MidiFile(file=io.BytesIO(data)).tracks[0] if one.type == "text"]
        assert found[1:] == ["AI-generated"]
        assert recipe.read_recipe(data)
        assert explicit_label.find(data) == "AI-generated"
    tune = explicit_label.on_tune("X:1\nT:A tune\nM:4/4\nK:C\nCDEF|\n", made)
    assert tune == "X:1\nT:A tune\nC:AI-generated\nM:4/4\nK:C\nCDEF|\n"
    assert explicit_label.on_tune("X:1\nT:A\nM:4/4\nK:C\n", recipe_of("music", {})) == "X:1\nT:A\nM:4/4\nK:C\n"


# ---- read


def test_a_conversation_says_it_under_its_title_where_a_model_spoke() -> None:
    asked, answered = Entry("user", "hello"), Entry("assistant", "Good day.")
    for language, words in WORDS.items():
        text = markdown(Chat(id="a", title="t", messages=(asked, answered)), Marking("", language))
        assert f"# t\n\n**{words}**\n" in text
        assert explicit_label.find(text.encode()) == words
        assert words not in markdown(Chat(id="a", title="t", messages=(asked,)), Marking("", language))


def test_a_caption_has_it_in_files_that_leave_and_nowhere_else(studio: Studio, tmp_path: Path) -> None:
    import zipfile

    language = studio.settings.explicit_label
    made = studio.submit(CaptionRequest(image=encode_png(Image.new("RGB", (64, 64), "red")))).result()
    assert WORDS[language] not in made.text
    assert made.recipe["explicit_label"] == language
    assert studio.archive
    studio.archive.sync()
    pack(studio.archive, studio.chats, [studio.library.id(made.files[0])], tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        (name,) = [name for name in packed.namelist() if name.endswith(".txt")]
        said = packed.read(name)
    assert said.decode() == f"{made.text}\n\n{WORDS[language]}\n"
    assert explicit_label.find(said) == WORDS[language]
    assert made.files[0].read_text(encoding="utf-8") == made.text, "what the studio keeps is the caption"


def test_any_bytes_are_looked_at_without_an_error() -> None:
    for data in (b"", b"\x89PNG\r\n\x1a\n", b"RIFF0000WAVE", b"ID3", b"MThd", b"\xff\xfb", b"\xff\xd8\xff", b"fLaC"):
        assert explicit_label.find(data) == ""


def test_a_recipe_of_a_strangers_names_a_language_or_none() -> None:
    for told in ("../../etc", 7, None, "fr"):
        assert explicit_label.language({"explicit_label": told}) == ""
    assert "explicit_label" not in (recipe.from_json(recipe.to_json(recipe_of("image", {}, explicit_label="fr"))) or {})
