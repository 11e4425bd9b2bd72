"""A first visit: from the empty page to a result, in one press."""

import re

from playwright.sync_api import expect

from e2e.desk import Desk


def test_one_press_in_the_image_tab_paints(desk: Desk) -> None:
    desk.go("image").page.get_by_role("button", name="A purple butterfly, glossy 3d").click()
    expect(desk.field("prompt")).to_have_value("A purple butterfly, glossy 3d")
    picture = desk.page.locator("#image-gallery img").first
    expect(picture).to_be_visible()
    expect(picture).to_have_js_property("naturalWidth", 512)  # it is there as soon as it has come
    desk.idle().page.get_by_role("button", name="A sunflower").click()  # the next one is at hand
    expect(desk.details).to_contain_text("A sunflower")


def test_one_press_in_the_music_tab_composes(desk: Desk) -> None:
    desk.go("music").page.get_by_role("button", name="Epic orchestral march").click()
    expect(desk.takes).to_have_count(1)


def test_one_press_in_the_chat_tab_asks(desk: Desk) -> None:
    desk.page.get_by_role("button", name="What is the capital of France?").click()
    expect(desk.questions).to_have_text(["What is the capital of France?"])
    expect(desk.field("prompt")).to_have_value("")


def test_one_press_in_the_code_tab_completes_the_example(desk: Desk) -> None:
    desk.go("code").page.locator("#code-editor .cm-content").focus()  # as somebody comes who uses the keyboard
    desk.page.keyboard.press("Control+Enter")
    desk.until(lambda: "stand-in completion" in desk.code)
    assert desk.code.startswith("def fibonacci")
    assert desk.code.endswith("stand-in completion")


def test_one_press_in_the_caption_tab_describes(desk: Desk) -> None:
    desk.go("caption")
    example = desk.page.get_by_role("button", name="A cactus")
    expect(example.locator("img")).to_have_js_property("naturalWidth", 128)  # it is there as soon as it has come
    example.click()
    expect(desk.page.locator("#caption-image img")).to_be_visible()
    expect(desk.field("text")).to_have_value(re.compile("128 by 128 pixels$"))
    expect(example).to_be_hidden()
