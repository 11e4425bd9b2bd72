"""What was made lately stands under every result, and one press takes it up where it belongs."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from e2e.conftest import Serve, Visit
from e2e.desk import Desk
from tabs.serve import free_port


def test_what_was_made_is_taken_up_from_any_tab(visit: Visit, serve: Serve) -> None:
    _, url = serve(demo=True)
    desk = visit(url).go("image").paint("a red hill").paint("a blue hill")
    made = desk.find("lately").get_by_role("button")
    expect(made).to_have_count(2)
    desk.go("music").compose("a slow waltz")
    made = desk.find("lately").get_by_role("button")
    expect(made).to_have_count(3)
    assert made.first.get_attribute("title") == "a slow waltz"

    other = visit(url)  # its image tab was never opened
    other.go("caption").find("lately").get_by_role("button", name="a red hill").click()
    other.tab = "image"
    expect(other.details).to_contain_text("a red hill")
    expect(other.pictures).to_have_count(1)
    other.find("lately").get_by_role("button", name="a slow waltz").click()
    other.tab = "music"
    expect(other.takes).to_have_count(1)
    expect(other.takes.first).to_contain_text("a slow waltz")


def test_strangers_see_nobodys_work(visit: Visit, serve: Serve) -> None:
    _, url = serve(demo=True, profile="space", port=free_port("127.0.0.1", 0))
    desk = visit(url).go("image").paint("a red hill")
    expect(desk.find("lately")).to_have_count(0)
    expect(desk.find("star")).to_have_count(0)
    expect(desk.page.locator("[data-library]")).to_have_count(0)


def test_a_star_belongs_to_one_picture(visit: Visit, serve: Serve) -> None:
    studio, url = serve(demo=True)
    desk = visit(url).go("image")
    desk.field("count").fill("2")
    desk.paint("hills", 2).find("star").click()
    expect(desk.find("star")).to_have_text("Starred")
    desk.page.locator("#image-gallery .thumbnail-lg").nth(1).click()
    expect(desk.find("star")).to_have_text("Star")
    first = studio.library.id(studio.jobs()[-1].result().files[0])
    assert studio.library.stars.all() == {first}
    desk.page.reload()
    desk.go("image")
    expect(desk.find("star")).to_have_text("Starred")
    desk.find("star").click()
    expect(desk.find("star")).to_have_text("Star")
    assert studio.library.stars.all() == set()


def test_a_caption_beside_another_picture_shows_its_own(desk: Desk) -> None:
    desk.go("caption").page.get_by_role("button", name="A rocket").click()
    expect(desk.field("text")).not_to_have_value("")
    own = desk.page.locator("#caption-image img").get_attribute("src") or ""
    expect(desk.page.locator(".a-own")).to_have_count(0)
    desk.idle().find("image").get_by_label("Remove Image").click()
    expect(desk.page.locator(".a-own img")).to_have_attribute("src", re.compile(re.escape(own.rpartition("/")[2])))
    expect(desk.page.locator(".a-own")).to_contain_text("The caption of this picture")


def test_the_editor_says_how_it_is_left_and_is(desk: Desk) -> None:
    desk.go("code")
    expect(desk.find("leave")).to_have_text("Tab indents. To leave the editor press Esc, then Tab.")
    desk.page.locator("#code-editor .cm-content").click()
    desk.page.keyboard.press("Escape")
    desk.page.keyboard.press("Tab")
    expect(desk.find("run")).to_be_focused()
