"""The lab's own small models on the real page: the GAN walked through, words and pictures, a taste forgotten."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from e2e.conftest import Visit
from e2e.desk import PATIENCE
from e2e.films import frames
from e2e.program import Program
from e2e.test_axe import found
from studio.lab import gan, taste

ROCKET = Path(__file__).parents[2] / "assets" / "examples" / "rocket.png"
READY = {
    "gan": ".a-lab-gan-row[aria-label]", "matches": ".a-lab-matches-won", "taste": ".a-lab-taste-one",
}  # fmt: skip
"""What each shows once it has been computed."""


def _open(visit: Visit, program: Program, name: str) -> Page:
    page = visit(f"{program.url}?lab={name}").page
    expect(page.locator(f"#lab-{name}")).to_be_focused(timeout=20_000)
    return page


def test_a_walk_through_the_gan_is_painted_and_saved(program: Program, visit: Visit) -> None:
    page = _open(visit, program, "gan")
    eight = page.locator(".a-lab-gan-row")
    expect(eight).to_have_attribute("aria-label", re.compile("strawberry"), timeout=PATIENCE)
    place = page.get_by_role("slider", name="Place on the way")
    stand = page.get_by_role("button", name="Stand still")
    if stand.is_visible():
        stand.click()
    place.focus()
    place.press("Home")
    large = page.locator(".a-lab-gan-large")
    expect(large).to_have_attribute("aria-label", re.compile("^0 %"))
    place.press("End")
    expect(large).to_have_attribute("aria-label", re.compile("^100 %"))

    cut = page.get_by_role("slider", name="Truncation")
    cut.focus()
    with page.expect_response(re.compile("lab/gan/row")) as answered:
        cut.press("Home")  # every noise is the mean of its word
    assert answered.value.status == 200
    page.wait_for_function(
        "() => { const pen = document.querySelector('.a-lab-gan-row').getContext('2d');"
        "const at = (x) => pen.getImageData(x, 20, 1, 24).data, "
        "near = (one, other) => one.every((n, i) => Math.abs(n - other[i]) < 24);"
        "return near(at(32), at(96)) && near(at(32), at(480)); }"
    )
    moment = page.get_by_role("slider", name="Moment")
    moment.focus()
    moment.press("Home")
    expect(page.locator(".a-lab-gan-film")).to_have_attribute("aria-label", re.compile(r"after 0 pictures"))
    with page.expect_download() as saved:
        page.locator("[data-experiment=gan] .a-lab-save").click()
    assert saved.value.suggested_filename == "atelier-gan.png"
    for button, name, count in (
        (".a-lab-keep-film", "gan", 32),
        (".a-lab-keep-training", "gan-training", len(gan.film().told)),
    ):
        with page.expect_download() as saved:
            page.locator(f"[data-experiment=gan] {button}").click()
        assert saved.value.suggested_filename == f"atelier-{name}.gif"
        assert frames(page, saved.value.path()) == count
    page.locator("[data-experiment=gan] .a-lab-tab").click()
    expect(page.locator("#image-prompt textarea")).to_have_value("strawberry", timeout=20_000)


def test_a_picture_that_is_dropped_in_finds_its_word(program: Program, visit: Visit) -> None:
    page = _open(visit, program, "matches")
    won = page.locator(".a-lab-matches-won")
    expect(won).to_have_count(6, timeout=PATIENCE)
    page.locator("[data-experiment=matches] input[type=file]").set_input_files(ROCKET)
    expect(won).to_have_count(7, timeout=PATIENCE)
    words = page.get_by_role("textbox", name="Another word")
    for word in ("rocket", "cactus"):
        words.fill(word)
        words.press("Enter")
    expect(page.locator(".a-lab-matches-wins")).to_contain_text("“rocket” wins", timeout=PATIENCE)
    shares = page.locator("[data-experiment=matches] tbody tr td:last-child small").all_inner_texts()
    assert abs(sum(int(share.rstrip(" %")) for share in shares) - 100) <= len(shares)
    page.get_by_role("button", name="Remove “rocket”").click()
    expect(page.locator(".a-lab-matches-wins")).not_to_contain_text("“rocket”", timeout=PATIENCE)
    expect(page.locator(".a-lab-matches-won")).to_have_count(7, timeout=PATIENCE)


def test_a_taste_is_learnt_kept_by_the_browser_alone_and_forgotten(program: Program, visit: Visit) -> None:
    page = _open(visit, program, "taste")
    two = page.locator(".a-lab-taste-one")

    def choose() -> None:
        expect(two).to_have_count(2, timeout=PATIENCE)
        before = two.first.locator("img").get_attribute("src") or ""
        two.first.click()
        expect(two.first.locator("img")).not_to_have_attribute("src", before, timeout=PATIENCE)

    choose()
    expect(page.get_by_text("1 of 10 choices")).to_be_visible()
    page.evaluate(  # eight more like it, as if they had been made on another day
        "count => { const key = 'atelier_lab_taste', [one] = JSON.parse(localStorage.getItem(key));"
        "localStorage.setItem(key, JSON.stringify(Array(count).fill(one))); }",
        taste.ENOUGH - 1,
    )
    page.reload()
    expect(page.get_by_text("9 of 10 choices")).to_be_visible(timeout=PATIENCE)
    choose()
    expect(page.get_by_text("10 choices")).to_be_visible(timeout=PATIENCE)
    assert len(page.locator(".a-lab-taste-words").first.locator("li").all()) == 6
    page.get_by_role("button", name="Paint and rank eight").click()
    rewards = page.locator(".a-lab-taste-eight b")
    expect(rewards.first).not_to_have_text("0.00", timeout=PATIENCE)
    expect(rewards).to_have_count(8)
    found = [float(text) for text in rewards.all_inner_texts()]
    assert found == sorted(found, reverse=True)

    assert page.evaluate("JSON.parse(localStorage.getItem('atelier_lab_taste')).length") == taste.ENOUGH
    page.get_by_role("button", name="Forget it all").click()
    expect(page.locator(".a-lab-taste-learnt")).to_be_hidden()
    assert page.evaluate("localStorage.getItem('atelier_lab_taste')") == "[]"
    page.reload()
    expect(page.get_by_text("0 of 10 choices")).to_be_visible(timeout=PATIENCE)


@pytest.mark.parametrize("width", [420, 1920])
def test_they_fit_a_phone_and_a_projector_and_can_be_read(program: Program, visit: Visit, width: int) -> None:
    desk = visit(f"{program.url}?lab=gan", viewport={"width": width, "height": 1080 if width > 1000 else 860})
    box = desk.page.locator("#lab")
    for name, ready in READY.items():
        if name != "gan":
            box.locator(f"nav [data-go={name}]").click()
        expect(box.locator(f".a-lab-{name} {ready}").first).to_be_visible(timeout=PATIENCE)
        expect(box.locator(f".a-lab-{name} .a-lab-status")).to_have_text("", timeout=PATIENCE)
        box.locator(f".a-lab-{name} summary").click()  # the code, too
        for large in (False, True):
            if large:
                box.locator(".a-lab-large").click()
            assert box.evaluate("one => one.scrollWidth <= one.clientWidth")
            assert box.locator("main").evaluate("one => one.scrollWidth <= one.clientWidth"), (name, large)
            assert found(desk) == [], (name, large)
        box.locator(".a-lab-large").click()
