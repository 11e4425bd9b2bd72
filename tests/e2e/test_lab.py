"""How it works: a walk through the experiments as a teacher takes it, with the keyboard and by the numbers."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from e2e.conftest import Keep, Serve, Visit
from e2e.desk import Desk
from e2e.films import frames
from e2e.test_axe import found
from studio.lab import space, writes
from studio.lab.looking import Looker
from studio.lab.writes import Bent, bend
from studio.requests import ImageRequest
from studio.service import Studio

SHOWN = {
    "writes": ".a-lab-bars button", "noise": ".a-lab-look", "space": ".a-lab-lost img",
    "gan": ".a-lab-gan-row[aria-label]", "matches": ".a-lab-matches-won", "taste": ".a-lab-taste-one",
}  # fmt: skip
"""What each experiment shows once it has been computed."""


class Room:
    """The lab, open."""

    def __init__(self, desk: Desk) -> None:
        self.page, self.box = desk.page, desk.page.locator("#lab")
        desk.page.locator("[data-lab]").click()
        expect(self.box.locator(".a-lab-card").first).to_be_visible()

    def enter(self, name: str) -> Locator:
        """Into an experiment, by its card or by its number above."""
        self.box.locator(f"nav [data-go={name}]").click()
        part = self.box.locator(f".a-lab-{name}")
        expect(part.locator("h3")).to_be_focused()
        return part

    def slide(self, part: Locator, name: str, value: float) -> None:
        slider = part.get_by_role("slider", name=name)
        slider.evaluate("(one, to) => { one.value = to; one.dispatchEvent(new Event('input')); }", value)

    def film(self, part: Locator) -> int:
        """Frames of the film that is kept."""
        with self.page.expect_download() as download:
            part.locator(".a-lab-keep-film").click()
        return frames(self.page, download.value.path())

    def saved(self, part: Locator) -> Image.Image:
        with self.page.expect_download() as download:
            part.locator(".a-lab-save").click()
        return Image.open(io.BytesIO(download.value.path().read_bytes()))


def test_nothing_of_it_comes_before_it_is_opened(desk: Desk) -> None:
    names = "performance.getEntriesByType('resource').map(one => one.name).filter(one => one.includes('/atelier/lab'))"
    assert desk.page.evaluate(names) == []
    Room(desk)
    assert len(desk.page.evaluate(names)) == 3  # its script, its style, its texts


def test_how_a_language_model_writes(desk: Desk, studio: Studio) -> None:
    room = Room(desk)
    part = room.enter("writes")
    bars = part.locator(".a-lab-bars button")
    expect(bars).to_have_count(12)
    text = part.locator("textarea").input_value()
    ahead = writes.ahead(studio.lab, text, [], "", Looker("test"))
    assert ahead is not None

    def shown(name: str) -> list[float]:
        return bars.evaluate_all(f"all => all.map(one => Number(one.dataset.{name}))")

    own = bend(ahead.next, Bent(), ahead.warms_first)[:12]
    assert shown("own") == pytest.approx(own, abs=1e-5)
    for name, value, how in (
        ("Temperature", 0.5, Bent(0.5)),
        ("Top-p", 0.5, Bent(0.5, 0, 0.5)),
        ("Min-p", 0.2, Bent(0.5, 0, 0.5, 0.2)),
    ):
        room.slide(part, name, value)
        assert shown("odds") == pytest.approx(bend(ahead.next, how, ahead.warms_first)[:12], abs=1e-5), name
    bars.nth(1).focus()
    room.page.keyboard.press("Enter")
    expect(part.locator(".a-lab-line button")).to_have_count(1)
    part.locator(".a-lab-line button").click()
    expect(part.locator(".a-lab-line button")).to_have_count(0)
    part.locator(".a-lab-compute").click()
    expect(part.locator(".a-lab-tree svg")).to_be_visible()
    expect(part.locator(".a-lab-way p")).to_have_count(3)
    searched = writes.write(studio.lab, "beam", text, [], "", Bent(), 1, Looker("test"))
    assert searched is not None
    assert part.locator(".a-lab-tree g > g").count() == sum(map(len, searched.levels))
    assert found(desk) == []
    assert room.saved(part).width > 800
    part.locator(".a-lab-tab").click()
    expect(desk.page.locator("#chat-prompt textarea")).to_have_value(text)
    expect(desk.page.locator("#chat-temperature :is(input, textarea)")).to_have_value("0.5")


def test_how_noise_becomes_a_picture(desk: Desk, studio: Studio) -> None:
    room = Room(desk)
    part = room.enter("noise")
    looks = part.locator(".a-lab-look")
    expect(looks).to_have_count(4)  # a red apple, and what is no word
    shares = looks.locator("small").all_inner_texts()
    assert sum(float(one.removesuffix(" %")) for one in shares) == pytest.approx(100, abs=1)
    room.slide(part, "Step", 2)
    expect(part.get_by_role("slider", name="Step")).to_have_attribute("aria-valuetext", "3 of 8, time 750")
    looks.nth(1).click()
    expect(looks.nth(1)).to_have_attribute("aria-pressed", "true")
    part.locator(".a-lab-guide").click()
    expect(part.locator(".a-lab-seven li")).to_have_count(7)
    part.get_by_role("button", name="Paint", exact=True).click()
    expect(part.get_by_alt_text("a green apple")).to_be_visible()
    assert found(desk) == []
    assert room.saved(part).width > 1000
    assert room.film(part) == 9  # eight steps and the picture
    part.locator(".a-lab-tab").click()
    expect(desk.page.locator("#image-prompt textarea")).to_have_value("a red apple")
    expect(desk.page.locator("#image-seed :is(input, textarea)").first).to_have_value("7")


def test_a_space_of_pictures(desk: Desk) -> None:
    room = Room(desk)
    part = room.enter("space")
    expect(part.locator(".a-lab-lost img")).to_have_count(6)
    expect(part.locator(".a-lab-facts")).to_contain_text("numbers")
    middle = part.locator(".a-lab-between canvas").first
    pixels = "one => one.toDataURL()"
    halfway = middle.evaluate(pixels)
    room.slide(part, "The way between them", 1)
    assert middle.evaluate(pixels) != halfway
    file = io.BytesIO()
    Image.new("RGB", (300, 200), "teal").save(file, "JPEG")
    before = part.locator(".a-lab-pick > img").first.get_attribute("src")
    part.locator("input[type=file]").first.set_input_files(
        {"name": "mine.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()}
    )
    expect(part.locator(".a-lab-pick > img").first).not_to_have_attribute("src", before or "")
    expect(part.locator(".a-lab-status")).to_have_text("")
    assert found(desk) == []
    assert room.saved(part).width > 1000
    assert room.film(part) == 2 * space.STOPS - 2  # there and back


def test_it_is_reached_by_its_address_in_chinese_and_left_by_escape(visit: Visit, url: str) -> None:
    desk = visit(f"{url}?lab=writes", locale="zh-CN")
    box = desk.page.locator("#lab")
    expect(box.locator("h3")).to_have_text("语言模型怎样写字")
    box.get_by_role("button", name="大字号，适合投影").click()
    expect(box).to_have_class("a-lab-big")
    desk.page.keyboard.press("Escape")
    expect(box).not_to_be_visible()
    assert "lab" not in desk.page.url
    expect(desk.page.locator("[data-lab]")).to_be_focused()


@pytest.mark.parametrize("width", [420, 1920])
def test_it_fits_a_phone_and_a_projector(visit: Visit, url: str, width: int) -> None:
    desk = visit(url, viewport={"width": width, "height": 900})
    room = Room(desk)
    for name, ready in (("writes", ".a-lab-bars button"), ("noise", ".a-lab-look"), ("space", ".a-lab-lost img")):
        part = room.enter(name)
        expect(part.locator(ready).first).to_be_visible()
        for large in (False, True):
            if large:
                room.box.locator(".a-lab-large").click()
            assert room.box.evaluate("one => one.scrollWidth <= one.clientWidth")
            assert room.box.locator("main").evaluate("one => one.scrollWidth <= one.clientWidth"), (name, large)
        room.box.locator(".a-lab-large").click()


def test_a_picture_that_the_tab_paints_meanwhile_is_the_same(desk: Desk, studio: Studio) -> None:
    asked = ImageRequest(prompt="hills", seed=4, steps=3, width=64, height=64)
    before = studio.submit(asked).result().files[0].read_bytes()
    room = Room(desk)
    job = studio.submit(asked)
    expect(room.enter("noise").locator(".a-lab-look").first).to_be_visible()
    pixels = [Image.open(io.BytesIO(one)).tobytes() for one in (before, job.result().files[0].read_bytes())]
    assert pixels[0] == pixels[1]


@pytest.mark.picture
@pytest.mark.parametrize("width", [420, 1920])
def test_pictures_for_the_lesson(visit: Visit, serve: Serve, starter_home: Any, keep: Keep, width: int) -> None:
    """With the real starters, in Chinese as a teacher shows it and in English."""
    _, url = serve(home=starter_home, device="cpu")
    height = 1080 if width > 1000 else 860
    for locale, scheme in (("en-US", "light"), ("zh-CN", "dark")):
        desk = visit(url, locale=locale, color_scheme=scheme, viewport={"width": width, "height": height})
        room = Room(desk)
        keep(desk, f"lab-{locale.replace('en-US', 'en')}-{scheme}-{width}")
        for name, ready in SHOWN.items():
            part = room.enter(name)
            expect(part.locator(ready).first).to_be_visible(timeout=90_000)
            expect(part.locator(".a-lab-status")).to_have_text("", timeout=90_000)
            keep(desk, f"lab-{name}-{locale.replace('en-US', 'en')}-{scheme}-{width}")
