"""Where memory does not suffice, the error has a button for each way on; a click sets the field and runs again."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from e2e.conftest import Keep, Visit, _use
from e2e.desk import Desk
from studio.i18n import text
from studio.service import Studio

PAINTER = "Painter · ready"


@pytest.fixture
def tight(studio: Studio) -> Studio:
    """The stand-ins, with a painter that runs out of memory above 131,072 pixels and has variants."""
    cards = dict(studio.catalog.cards)
    painter = replace(
        cards["demo-image"], id="painter", title="Painter", starter=False, parameters=25_000_000,
        memory_bytes=50_000_000, least_memory=50_000_000, options={"most_pixels": 1 << 17, "pixel_bytes": 64},
    )  # fmt: skip
    _use(studio, replace(studio.catalog, cards=MappingProxyType({"painter": painter, **cards})))
    return studio


def offers(desk: Desk) -> Locator:
    return desk.page.locator("#image-progress .a-offer")


def too_large(desk: Desk) -> Desk:
    desk.go("image").choose("model", PAINTER)
    desk.type("hills").shape("Custom")
    desk.type("512", "width").type("512", "height").run()
    expect(desk.error).to_contain_text("ran out")
    return desk


def test_a_click_takes_the_offer_and_paints(tight: Studio, visit: Visit, url: str, keep: Keep) -> None:
    desk = too_large(visit(url))
    expect(offers(desk)).to_have_text(["Decode in tiles", "Paint 344 × 344", "Use it in 8 bits", "Use Demo painter"])
    keep(desk, "offers")
    desk.page.get_by_role("button", name="Paint 344 × 344").press("Enter")
    expect(desk.pictures).to_have_count(1)
    desk.idle()
    expect(offers(desk)).to_have_count(0)
    expect(desk.field("width")).to_have_value("344")
    artifact = tight.jobs()[-1].snapshot().artifact
    assert artifact is not None
    assert (artifact.recipe["parameters"]["width"], artifact.recipe["parameters"]["height"]) == (344, 344)


def test_a_variant_is_chosen_in_the_list_and_stays_there(tight: Studio, visit: Visit, url: str) -> None:
    desk = too_large(visit(url))
    desk.page.get_by_role("button", name="Decode in tiles").click()
    expect(desk.pictures).to_have_count(1)
    desk.idle()
    expect(desk.page.locator("#image-tiling input")).to_be_checked()
    desk.choose("model", "Painter · 8-bit · 29 MB of memory")
    desk.paint("hills")
    artifact = tight.jobs()[-1].snapshot().artifact
    assert artifact is not None
    assert artifact.recipe["model"]["id"] == "painter@int8"


def test_the_buttons_speak_chinese(tight: Studio, visit: Visit, url: str, keep: Keep) -> None:
    desk = visit(url, locale="zh-CN", color_scheme="dark")
    desk.go("image").choose("model", "Painter · " + text("page.state_ready", "zh-CN"))
    desk.type("山").shape(text("image.shape_custom", "zh-CN"))
    desk.type("512", "width").type("512", "height").run()
    expect(offers(desk).first).to_have_text("分块解码")
    keep(desk, "offers-zh-CN-dark")


def test_a_picture_is_enlarged_in_the_tiles_that_are_offered_also_after_the_page_was_opened_anew(
    studio: Studio, visit: Visit, url: str
) -> None:
    cards = dict(studio.catalog.cards)
    options = {"most_pixels": 1 << 15, "pixel_bytes": 640}
    enlarger = replace(
        cards.pop("demo-upscale"), id="enlarger", title="Enlarger", memory_bytes=50_000_000, options=options
    )
    _use(studio, replace(studio.catalog, cards=MappingProxyType({**cards, "enlarger": enlarger})))
    desk = visit(url).go("image").shape("Custom").type("256", "width").type("256", "height").paint("hills")
    desk.press("Upscale ×2")
    expect(desk.error).to_contain_text("ran out")
    expect(offers(desk)).to_have_text(["Tiles of 128 pixels"])
    desk.type("another prompt").page.reload()
    desk.go("image")
    offers(desk).first.click()
    expect(desk.details).to_contain_text("Enlarger")
    expect(offers(desk)).to_have_count(0)
    artifact = studio.jobs()[-1].snapshot().artifact
    assert artifact is not None
    assert (artifact.recipe["parameters"]["tile"], Image.open(artifact.files[0]).size) == (128, (512, 512))


def test_a_folder_of_captions_goes_on_with_the_variant_that_is_offered(
    studio: Studio, visit: Visit, url: str, tmp_path: Path, with_captioner: Callable[..., Any]
) -> None:
    _use(studio, replace(studio.catalog, cards=with_captioner(studio.catalog.cards)))
    for name in ("a", "b"):
        Image.new("RGB", (80, 60), "red").save(tmp_path / f"{name}.png")
    desk = visit(url).go("caption").choose("model", "Captioner · ready")
    desk.page.get_by_role("radio", name="Many pictures").click()
    desk.type(str(tmp_path), "folder").find("dry").locator("input").uncheck()
    desk.run()
    expect(desk.error).to_contain_text("ran out")
    found = desk.page.locator("#caption-progress .a-offer")
    expect(found).to_have_text(["Use it in 8 bits", "Use Demo captioner"])
    found.first.click()
    expect(desk.find("run-line")).to_contain_text("written 2")
    expect(desk.field("model")).to_have_value("Captioner · 8-bit · 29 MB of memory")
    assert len(studio.captions.ids()) == 1, "the same run went on"
