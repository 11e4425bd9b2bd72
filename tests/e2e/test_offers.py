"""Where memory does not suffice, the error has a button for each way on; a click sets the field and runs again."""

from dataclasses import replace
from types import MappingProxyType

import pytest
from playwright.sync_api import Locator, expect

from e2e.conftest import Keep, Visit, _use
from e2e.desk import Desk
from studio.i18n import text
from studio.service import Studio

PAINTER = "Painter · Apache-2.0 · ready"


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
    desk.go("image").choose("model", "Painter · Apache-2.0 · " + text("page.state_ready", "zh-CN"))
    desk.type("山").shape(text("image.shape_custom", "zh-CN"))
    desk.type("512", "width").type("512", "height").run()
    expect(offers(desk).first).to_have_text("分块解码")
    keep(desk, "offers-zh-CN-dark")
