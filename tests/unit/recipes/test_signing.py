"""Signed files: read by the library's own reader and by ExifTool, changed ones found out, the rest as before."""

from __future__ import annotations

import io
import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import c2pa
import numpy as np
import pytest
from cryptography import x509
from exiftool import tags
from made import recipe_of
from PIL import Image
from tinytag import TinyTag
from witnesses import heard

from studio.errors import StudioError
from studio.library.music_export import music
from studio.media import strip
from studio.recipes import ai_marks, recipe, signing
from studio.recipes.embed_audio import encode_flac, encode_mp3, encode_wav
from studio.recipes.embed_image import encode_jpeg, encode_png, encode_webp
from studio.requests import ImageRequest, MusicRequest
from studio.results import Audio
from studio.service import Studio
from studio.settings import Settings

DICE = np.random.default_rng(1)
PICTURE = Image.fromarray(DICE.integers(0, 256, (96, 96, 3), dtype=np.uint8))
SOUND = Audio((DICE.standard_normal((1, 16_000)) / 8).astype(np.float32), 32_000)
PICTURES: dict[str, Callable[..., bytes]] = {".png": encode_png, ".jpg": encode_jpeg, ".webp": encode_webp}
SOUNDS: dict[str, Callable[..., bytes]] = {".wav": encode_wav, ".mp3": encode_mp3}
KINDS = {
    ".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp", ".wav": "audio/wav", ".mp3": "audio/mpeg",
}  # fmt: skip


@pytest.fixture(scope="module")
def sign(tmp_path_factory: pytest.TempPathFactory) -> signing.Sign:
    return signing.signing(tmp_path_factory.mktemp("home"), "museum-of-x")


def written(suffix: str, **more: Any) -> tuple[bytes, dict[str, Any]]:
    task, what = ("image", PICTURE) if suffix in PICTURES else ("music", SOUND)
    made = recipe_of(task, {}, **more)
    return (PICTURES | SOUNDS)[suffix](what, made), made


def by_the_library(data: bytes, suffix: str) -> dict[str, Any]:
    with c2pa.Reader(KINDS[suffix], io.BytesIO(data)) as reader:
        return json.loads(reader.json())


@pytest.mark.parametrize("suffix", KINDS)
def test_what_is_signed_is_read_by_others_and_is_what_it_was(sign: signing.Sign, suffix: str, tmp_path: Path) -> None:
    data, made = written(suffix)
    signed = sign(data, made, True)
    assert 1_000 < len(signed) - len(data) < 6_000, "no thumbnail"
    told = by_the_library(signed, suffix)
    manifest = told["manifests"][told["active_manifest"]]
    (actions,) = [one["data"]["actions"] for one in manifest["assertions"] if "actions" in one["label"]]
    assert actions[0]["action"] == "c2pa.created"
    assert actions[0]["digitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert actions[0]["softwareAgent"]["name"] == "Model, the"
    assert told["validation_state"] == "Valid"
    assert [one["code"] for one in told["validation_status"]] == ["signingCredential.untrusted"], "nobody vouches"
    found = signing.read(signed)
    assert found
    assert (found.intact, found.signer, found.program, found.source) == (
        True,
        "museum-of-x, own key",
        "Atelier",
        ai_marks.MADE,
    )
    assert recipe.read_recipe(signed) == recipe.read_recipe(data)
    assert ai_marks.read_marks(signed).labels == 1
    assert signed.count(b"ContentProducer") == 1
    (tmp_path / f"a{suffix}").write_bytes(signed)
    seen = tags(tmp_path / f"a{suffix}")
    if suffix in (".png", ".jpg"):  # where this ExifTool looks into manifests
        assert any("c2pa" in seen[name] for name in seen if "JUMD" in name)


@pytest.mark.parametrize("suffix", PICTURES)
def test_the_pixels_are_as_before_and_a_clean_copy_has_no_signature(sign: signing.Sign, suffix: str) -> None:
    data, made = written(suffix)
    signed = sign(data, made, True)
    before, after = (np.asarray(Image.open(io.BytesIO(one))) for one in (data, signed))
    assert np.array_equal(before, after)
    clean = strip.clean(signed)
    assert b"c2pa" not in clean
    assert signing.read(clean) is None
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(clean))), before)


@pytest.mark.parametrize("suffix", SOUNDS)
def test_other_players_hear_the_same_and_read_the_title(sign: signing.Sign, suffix: str, tmp_path: Path) -> None:
    data, made = written(suffix)
    (tmp_path / f"a{suffix}").write_bytes(sign(data, made, True))
    assert np.array_equal(heard((tmp_path / f"a{suffix}").read_bytes(), 1, 32_000), heard(data, 1, 32_000))
    assert (TinyTag.get(tmp_path / f"a{suffix}").title or "").startswith("une forêt")


@pytest.mark.parametrize("suffix", KINDS)
def test_one_bit_that_was_changed_is_found_out(sign: signing.Sign, suffix: str) -> None:
    data, made = written(suffix)
    signed = sign(data, made, True)
    at = {".wav": signed.index(b"data") + 400, ".mp3": len(signed) - 400}.get(suffix)
    if at is None:
        pixels = {".png": b"IDAT", ".jpg": b"\xff\xda", ".webp": b"VP8 "}[suffix]
        at = signed.index(pixels) + 200
    changed = bytearray(signed)
    changed[at] ^= 1
    found = signing.read(bytes(changed))
    assert found
    assert not found.intact


@pytest.mark.parametrize(
    ("parameters", "more", "source"),
    [({}, {}, ai_marks.MADE), ({"image": {"sha256": "0" * 64}}, {}, ai_marks.COMPOSED)],
)
def test_it_says_no_more_than_is_true(sign: signing.Sign, parameters: Any, more: Any, source: str) -> None:
    made = recipe_of("image", parameters, **more)
    signed = sign(encode_png(PICTURE, made), made, True)
    found = signing.read(signed)
    assert found
    assert (found.source, by_the_library(signed, ".png")["validation_state"]) == (source, "Valid")


def test_without_the_recipe_it_does_not_name_the_model(sign: signing.Sign) -> None:
    made = recipe_of("image", {})
    assert b"Model, the" not in sign(encode_png(PICTURE, made, told=False), made, False)


def test_what_has_no_place_for_it_is_left_as_it_is(sign: signing.Sign) -> None:
    for data in (b"words", b"", encode_flac(SOUND, recipe_of("music", {})), b"MThd"):
        assert sign(data, recipe_of("music", {}), True) == data
        assert signing.read(data) is None


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    assert signing.serial(tmp_path) == ""
    assert signing.signing(tmp_path, wanted=False) is signing.unsigned
    assert not list(tmp_path.iterdir())
    made = recipe_of("image", {})
    first = signing.signing(tmp_path)(encode_png(PICTURE, made), made, True)
    file = tmp_path / signing.FILE
    assert file.stat().st_mode & 0o777 == 0o600
    before = file.read_bytes()
    second = signing.signing(tmp_path, "another")(encode_png(PICTURE, made), made, True)
    assert file.read_bytes() == before
    found = [signing.read(one) for one in (first, second)]
    assert {one.serial for one in found if one} == {signing.serial(tmp_path)}
    certificate = x509.load_pem_x509_certificate(before[before.index(b"-----BEGIN CERTIFICATE") :])
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False


def test_nothing_is_fetched_for_it(sign: signing.Sign, monkeypatch: pytest.MonkeyPatch) -> None:
    data, made = written(".png")
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("asked the network"))
    assert signing.read(sign(data, made, True))


@pytest.mark.parametrize("suffix", KINDS)
def test_damaged_manifests_are_one_answer(sign: signing.Sign, suffix: str) -> None:
    data, made = written(suffix)
    signed = sign(data, made, True)
    begin = signed.index(b"jumb")
    for place in range(begin, begin + 2_400, 211):
        broken = bytearray(signed)
        broken[place : place + 8] = bytes(8)
        code, found = read_or_code(bytes(broken))
        assert code in ("", "bad_signature")
        assert found is None or not found.intact or place > begin + 1_000


def read_or_code(data: bytes) -> tuple[str, signing.Signature | None]:
    try:
        return "", signing.read(data)
    except StudioError as error:
        return error.code, None


def test_where_the_package_is_missing_it_is_named(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    made = recipe_of("image", {})
    monkeypatch.setitem(sys.modules, "c2pa", None)
    monkeypatch.setattr(sys.modules["builtins"], "__import__", _without(__import__))
    assert signing.read(encode_png(PICTURE, made)) is None, "of what holds none nothing is asked"
    with pytest.raises(StudioError) as error:
        Studio(settings.model_copy(update={"sign": True}))
    assert error.value.code == "no_c2pa"
    assert "python start.py c2pa" in error.value.next()


def _without(real: Callable[..., Any]) -> Callable[..., Any]:
    def take(name: str, *more: Any) -> Any:
        if name == "c2pa":
            raise ModuleNotFoundError(name="c2pa")
        return real(name, *more)

    return take


# ---- through the service


def test_every_picture_and_piece_is_signed_also_in_another_format(settings: Settings) -> None:
    with Studio(settings.model_copy(update={"sign": True, "explicit_label": "en"})) as studio:
        made = studio.submit(ImageRequest(prompt="x", count=2, width=64, height=64)).result()
        piece = studio.submit(MusicRequest(prompt="a waltz", duration=1)).result()
        other = music(piece.files[0], dict(piece.recipes[0]), ".mp3", studio.library.sign)
        for data in (*(file.read_bytes() for file in (*made.files, *piece.files)), other):
            found = signing.read(data)
            assert found
            assert found.intact
            assert found.serial == signing.serial(settings_home(studio))
        assert studio.library.recent("image"), "the library reads them as before"
        assert studio.library.aside(studio.home).sign is studio.library.sign


def settings_home(studio: Studio) -> Path:
    return studio.home.root
