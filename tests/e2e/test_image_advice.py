"""What suits a model is one press away, and what does not is said before the run."""

from dataclasses import replace
from types import MappingProxyType

from playwright.sync_api import expect

from e2e.conftest import Keep, Visit, _use
from studio.service import Studio

ADVICE = {"steps": [20, 40], "side": [256, 512], "sizes": [[256, 448]], "avoid": ["LCM"]}


def test_a_chip_fills_the_fields_and_a_bad_choice_is_said(studio: Studio, visit: Visit, url: str, keep: Keep) -> None:
    cards = dict(studio.catalog.cards)
    cards["demo-image"] = replace(cards["demo-image"], advice=ADVICE)
    _use(studio, replace(studio.catalog, cards=MappingProxyType(cards)))
    desk = visit(url).go("image").more()
    warned = desk.page.locator("#image-advice .a-warn")
    desk.page.get_by_role("button", name="256 × 448").click()
    expect(desk.field("width")).to_have_value("256")
    expect(desk.field("height")).to_have_value("448")
    desk.page.get_by_role("button", name="20 to 40 steps").click()
    expect(desk.field("steps")).to_have_value("20")
    expect(warned).to_have_count(0)
    desk.field("steps").fill("4")
    expect(warned).to_have_count(1)
    desk.field("width").fill("1024")
    expect(warned).to_have_count(2)
    keep(desk, "advice")
    desk.page.reload()
    expect(warned).to_have_count(2)
