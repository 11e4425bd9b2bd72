"""Pictures to be edited in recipes and in the text of other web UIs: by their hashes, in their order."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from studio.errors import StudioError
from studio.recipes import infotext, inspect, recipe, reproduce, untrusted
from studio.requests import ImageRequest, light

REQUEST = ImageRequest(
    prompt="make it night", model="m", width=64, height=64, steps=2, guidance_scale=1.0, scheduler="Euler", seed=7,
    strength=0.5, hires_strength=0.5, variation_seed=0, pictures=(b"one", b"two"),
)  # fmt: skip
KEPT = {hashlib.sha256(data).hexdigest(): data for data in REQUEST.pictures}


def made(request: ImageRequest = REQUEST) -> dict[str, Any]:
    return {
        "format": recipe.FORMAT, "task": "image", "parameters": recipe.parameters(request), "seed": 7, "device": "cpu",
        "model": {"id": "m", "title": "M", "revision": "", "licence": "", "licence_url": "", "commercial": True},
        "made": "2026-01-31T12:00:00+00:00", "software": {"studio": "0.1.0"}, "finish": "stop", "seconds": 0.5,
    }  # fmt: skip


def test_a_recipe_names_every_picture_and_is_run_again_with_them() -> None:
    written = recipe.from_json(recipe.to_json(made()))
    assert written is not None
    assert recipe.sources(written) == dict(zip(("pictures.0", "pictures.1"), KEPT, strict=True))
    assert reproduce.request(written, KEPT.get) == REQUEST
    with pytest.raises(StudioError) as caught:
        reproduce.request(written, {next(iter(KEPT)): b"one"}.get)
    assert caught.value.code == "no_source"


def test_what_is_over_keeps_no_pictures() -> None:
    assert light(REQUEST).pictures == (b"", b"")
    assert light(ImageRequest(prompt="a")).pictures == ()


def test_the_text_of_other_web_uis_names_them_and_is_read_back() -> None:
    text = infotext.write(made())
    assert f'Edit pictures: "{", ".join(hash[:12] for hash in KEPT)}"' in text
    assert "Denoising strength" not in text
    found = inspect.from_text(text)
    assert found is not None
    assert (found.fields["pictures"], found.unknown, found.wrong) == ((b"", b""), (), ())
    plain = infotext.write(made(ImageRequest(prompt="a", seed=7, width=64, height=64)))
    assert "Edit pictures" not in plain


@pytest.mark.parametrize(
    ("value", "fields", "wrong"),
    [("x", {}, ("pictures",)), ([{}] * 50, {}, ("pictures",)), ([], {"pictures": ()}, ()),
     ([{"sha256": 3}], {"pictures": (b"",)}, ()), (["x"] * 6, {"pictures": (b"",) * 4}, ("pictures",))],
)  # fmt: skip
def test_pictures_of_strangers_are_places_and_never_files(value: object, fields: dict[str, Any], wrong: Any) -> None:
    assert untrusted.image_fields({"pictures": value}) == (fields, wrong)
