"""What a job offers when memory does not suffice, and what comes of it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from types import MappingProxyType
from typing import Any

import pytest
from PIL import Image

from studio.errors import StudioError
from studio.requests import CaptionRequest, ImageRequest, UpscaleRequest
from studio.service import Studio
from studio.settings import Settings
from studio.tasks.caption.runs import Manner

Tight = Callable[..., Studio]


@pytest.fixture
def tight(settings: Settings) -> Iterator[Tight]:
    """A studio of 1 GB with a painter that has variants and needs memory: `tight(pixel_bytes=1000)`."""
    studio = Studio(settings.model_copy(update={"memory_gb": 1.0}))

    def make(memory: int = 10_000_000, **options: float) -> Studio:
        cards = dict(studio.catalog.cards)
        painter = replace(
            cards["demo-image"], id="painter", title="Painter", starter=False, parameters=memory // 2,
            memory_bytes=memory, least_memory=memory,
            options=options,
        )  # fmt: skip
        small = replace(cards["demo-image"], id="small", title="Small", memory_bytes=1_000_000)
        others = {id: card for id, card in cards.items() if id != "demo-image"}
        object.__setattr__(studio.catalog, "cards", MappingProxyType({**others, "painter": painter, "small": small}))
        return studio

    yield make
    studio.close()


def fail(studio: Studio, **asked: Any) -> Any:
    job = studio.submit(ImageRequest(prompt="hills", seed=1, **{"model": "painter", **asked}))
    *_, update = job.events()
    assert update.kind == "failed"
    return update


def test_out_of_memory_offers_what_takes_less(tight):
    update = fail(tight(pixel_bytes=16, most_pixels=500_000), width=1024, height=512)
    assert update.error.code == "out_of_memory"
    changes = {offer.kind: dict(offer.changes) for offer in update.offers}
    assert changes["tiles"] == {"tiling": True}
    assert changes["smaller"] == {"width": 672, "height": 336}  # half of the work
    assert changes["int8"] == {"model": "painter@int8"}
    assert changes["other"] == {"model": "small"}
    assert "int4" not in changes  # this is a processor


def test_an_offer_that_is_taken_works(tight):
    studio = tight(pixel_bytes=16, most_pixels=500_000)
    tiles = next(offer for offer in fail(studio, width=1024, height=512).offers if offer.kind == "tiles")
    asked = replace(ImageRequest(prompt="hills", seed=1, model="painter", width=1024, height=512), **tiles.changes)
    artifact = studio.submit(asked).result()
    assert artifact.recipe["parameters"]["tiling"] is True


def test_what_can_never_fit_names_the_largest_size_that_would(tight):
    studio = tight(pixel_bytes=1000)
    update = fail(studio, width=2048, height=1024)
    assert update.error.code == "does_not_fit_yet"
    smaller = next(offer for offer in update.offers if offer.kind == "smaller")
    size = f"{smaller.changes['width']} × {smaller.changes['height']}"
    assert size in update.error.next()
    assert smaller.changes["width"] == pytest.approx(2 * smaller.changes["height"], rel=0.1)
    assert [offer.kind for offer in update.offers] == ["tiles", "smaller", "other"]


def test_the_recipe_and_the_memory_name_the_variant(tight):
    studio = tight()
    artifact = studio.submit(ImageRequest(prompt="hills", seed=1, model="painter@int8")).result()
    assert artifact.recipe["model"]["id"] == "painter@int8"
    assert [model.key for device in studio.status().devices for model in device.models] == ["painter@int8"]
    info = next(info for info in studio.models.list("image") if info.card.id == "painter")
    assert [(one.card.id, one.loaded) for one in info.variants] == [("painter@int8", True)]
    studio.models.unload("painter@int8")


def test_a_variant_for_other_devices_is_refused(tight):
    with pytest.raises(StudioError) as refused:
        tight().submit(ImageRequest(prompt="hills", model="painter@int4"))
    assert refused.value.code == "variant_not_here"


def test_enlarging_offers_smaller_tiles_that_work(tight):
    studio = tight()
    cards = dict(studio.catalog.cards)
    options = {"pixel_bytes": 640, "most_pixels": 128 * 128}
    enlarger = replace(cards["demo-upscale"], id="enlarger", memory_bytes=50_000_000, options=options)
    object.__setattr__(studio.catalog, "cards", MappingProxyType({**cards, "enlarger": enlarger}))
    ask = UpscaleRequest(image=png(256), scale=2, model="enlarger")
    *_, update = studio.submit(ask).events()
    assert update.error.code == "out_of_memory"
    found = {offer.kind: offer.changes for offer in update.offers}
    assert found == {"small_tiles": {"tile": 128}, "other": {"model": "demo-upscale"}}
    for changes in found.values():
        artifact = studio.submit(replace(ask, **changes)).result()
        assert artifact.recipe["parameters"]["tile"] == changes.get("tile", 0)


def test_a_picture_that_cannot_be_enlarged_in_any_memory_is_told_of_no_smaller_size(tight):
    studio = tight()
    cards = dict(studio.catalog.cards)
    enlarger = replace(cards["demo-upscale"], id="enlarger", options={"pixel_bytes": 40_000})
    object.__setattr__(studio.catalog, "cards", MappingProxyType({**cards, "enlarger": enlarger}))
    *_, update = studio.submit(UpscaleRequest(image=png(256), scale=2, model="enlarger")).events()
    assert update.error.code == "does_not_fit"
    assert [offer.kind for offer in update.offers] == ["small_tiles", "other"]


def test_a_folder_of_captions_goes_on_with_the_model_that_is_offered(tight, tmp_path, with_captioner):
    studio = tight()
    object.__setattr__(studio.catalog, "cards", with_captioner(studio.catalog.cards))
    for name in ("a", "b"):
        (tmp_path / f"{name}.png").write_bytes(png(9))
    begun = studio.captions.of_folder(tmp_path, Manner())
    *_, update = studio.caption_all(begun, CaptionRequest(image=b"", model="captioner", seed=3)).events()
    assert update.error.code == "out_of_memory"
    assert [offer.changes for offer in update.offers] == [{"model": "captioner@int8"}, {"model": "demo-caption"}]
    again = CaptionRequest(image=b"", **update.offers[0].changes)
    studio.caption_all(studio.captions.open(begun.id), again).result()
    assert studio.captions.open(begun.id).counts() == {"written": 2}
    settings = studio.captions.open(begun.id).plan.settings
    assert (settings["model"], settings["seed"]) == ("captioner@int8", 3)


def png(side: int) -> bytes:
    file = BytesIO()
    Image.new("RGB", (side, side)).save(file, "PNG")
    return file.getvalue()


def test_a_model_that_cools_down_offers_to_be_tried_at_once(tight, monkeypatch):
    studio = tight()
    monkeypatch.setattr(
        "studio.engines.demo.fake.FakeEngine.load",
        lambda *_: (_ for _ in ()).throw(StudioError("broken_model", model="Painter", reason="cut")),
    )
    assert fail(studio).error.code == "broken_model"
    update = fail(studio)
    assert update.error.code == "cooling_down"
    assert [offer.kind for offer in update.offers] == ["again"]
    studio.models.try_again("painter")
    assert fail(studio).error.code == "broken_model"
