"""Adaptations as cards: found by a word, reached with the arrow keys, put into the fields with one press."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import disk_files
import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from e2e.conftest import Keep, Visit
from e2e.desk import Desk
from studio.service import Studio

SD1 = {"lora_unet_x.lora_down.weight": (4, 320), "lora_te_text_model_x.lora_down.weight": (4, 768)}
SDXL = {"lora_unet_x.lora_down.weight": (4, 640), "lora_te2_text_model_x.lora_down.weight": (4, 1280)}


@pytest.fixture
def adapted(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    """Ten adaptations in folders, and a model of the one kind."""
    for number, name in enumerate(("style/ink", "style/wash", "people/mara", *(f"more/fog {n}" for n in range(7)))):
        file = disk_files.weights(studio.home.loras / f"{name}.safetensors", SDXL if name == "style/wash" else SD1)
        Image.new("RGB", (300, 300), (40 + number * 20, 90, 200 - number * 15)).save(file.with_suffix(".preview.png"))
    said = {"activation text": "inkstyle, bold lines", "preferred weight": 0.7, "sd version": "SD1"}
    (studio.home.loras / "style" / "ink.json").write_text(json.dumps(said))
    monkeypatch.setattr(type(studio.own), "family", lambda *_: "sd1")
    yield studio
    shutil.rmtree(studio.home.loras)
    studio.home.loras.mkdir()


def card(desk: Desk, name: str) -> Locator:
    return desk.page.locator(f'.a-shelf-card[data-lora="{name}"]')


def test_one_is_found_and_put_in_with_its_words(adapted: Studio, visit: Visit, url: str, keep: Keep) -> None:
    desk = visit(url).go("image").type("a lake").fold("detail").fold("shelf")
    expect(desk.page.locator(".a-shelf-card:visible")).to_have_count(10)
    ink, wash, search = card(desk, "style/ink"), card(desk, "style/wash"), desk.page.locator(".a-shelf-search")
    expect(wash).to_contain_text("does not fit")
    expect(ink).not_to_contain_text("does not fit")
    ink.scroll_into_view_if_needed()
    desk.until(lambda: bool(ink.locator("img").evaluate("image => image.complete && image.naturalWidth")))
    assert ink.locator("img").evaluate("image => image.naturalWidth") == 256
    keep(desk, "adaptations")

    search.press_sequentially("bold sty")
    expect(desk.page.locator(".a-shelf-card:visible")).to_have_count(1)
    search.press("ArrowDown")
    expect(ink).to_be_focused()
    ink.press("Enter")
    expect(desk.field("prompt")).to_have_value("a lake, inkstyle, bold lines")
    expect(desk.field("lora-weights")).to_have_value("0.7")
    expect(desk.find("loras")).to_contain_text("style/ink")
    expect(ink).to_have_attribute("aria-pressed", "true")
    desk.find("prompt").get_by_role("button").last.click()  # one step back
    expect(desk.field("prompt")).to_have_value("a lake")

    search.fill("")
    first, second = desk.page.locator(".a-shelf-card").nth(0), desk.page.locator(".a-shelf-card").nth(1)
    first.focus()
    first.press("ArrowRight")
    expect(second).to_be_focused()
    second.press("End")
    expect(desk.page.locator(".a-shelf-card").last).to_be_focused()
    ink.click()
    expect(desk.find("loras")).not_to_contain_text("style/ink")
    expect(desk.field("lora-weights")).to_have_value("")
    ink.click()
    desk.run()
    expect(desk.pictures).to_have_count(1)
    (artifact,) = [job.snapshot().artifact for job in adapted.jobs()]
    assert artifact is not None
    assert artifact.recipe["parameters"]["loras"] == [{"name": "style/ink", "weight": 0.7}]
    assert artifact.recipe["parameters"]["prompt"] == "a lake, inkstyle, bold lines"


def test_it_fits_a_phone_and_speaks_chinese(adapted: Studio, visit: Visit, url: str, keep: Keep) -> None:
    del adapted
    desk = visit(url, viewport={"width": 390, "height": 844}, locale="zh-CN").go("image").fold("detail").fold("shelf")
    expect(desk.page.locator(".a-shelf-card:visible")).to_have_count(10)
    expect(card(desk, "style/wash")).to_contain_text("不适用于")
    expect(desk.page.locator(".a-shelf-search")).to_have_attribute("placeholder", "按名称、文件夹或触发词搜索")
    card(desk, "style/ink").scroll_into_view_if_needed()
    assert desk.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    keep(desk, "adaptations-phone")


def test_words_go_with_the_adaptation_however_late_the_page_hears_of_it(
    adapted: Studio, visit: Visit, url: str
) -> None:
    del adapted
    desk = visit(url).go("image").type("a lake").fold("detail").fold("shelf")
    ink = card(desk, "style/ink")
    desk.page.evaluate("""() => {
      const keep = atelier.keep;
      atelier.keep = (tab, name, now) => { if (name !== "image-loras") keep(tab, name, now); };
    }""")
    ink.click()
    expect(desk.find("loras")).to_contain_text("style/ink")
    expect(desk.field("prompt")).to_have_value("a lake, inkstyle, bold lines")
    ink.click()
    expect(desk.find("loras")).not_to_contain_text("style/ink")
    expect(desk.field("prompt")).to_have_value("a lake")
