"""A first visit: from the empty page to a result."""

import re

from playwright.sync_api import expect

from e2e.desk import Desk


def test_tab_example_and_generate_are_three_clicks_to_a_picture(desk: Desk) -> None:
    desk.page.get_by_role("tab", name="Image").click()
    desk.page.get_by_role("button", name="A purple butterfly, glossy 3d").click()
    expect(desk.page.get_by_role("textbox", name="Prompt").first).to_have_value("A purple butterfly, glossy 3d")
    desk.page.get_by_role("button", name="Generate").click()
    picture = desk.page.locator("#image-gallery img").first
    expect(picture).to_be_visible()
    expect(picture).to_have_js_property("naturalWidth", 512)  # it is there as soon as it has come


def test_tab_example_and_describe_are_three_clicks_to_a_caption(desk: Desk) -> None:
    desk.go("caption")
    example = desk.page.get_by_role("button", name="A cactus")
    expect(example.locator("img")).to_have_js_property("naturalWidth", 128)  # it is there as soon as it has come
    example.click()
    expect(desk.page.locator("#caption-image img")).to_be_visible()
    desk.page.get_by_role("button", name="Describe").click()
    expect(desk.field("text")).to_have_value(re.compile("128 by 128 pixels$"))
    expect(example).to_be_hidden()
