"""A prompt made fuller by the chat model, and the person's own words back."""

from __future__ import annotations

from playwright.sync_api import expect

from e2e.conftest import Gate, Keep
from e2e.desk import Desk


def test_the_chat_model_writes_the_prompt_and_ones_own_is_a_press_away(desk: Desk, keep: Keep) -> None:
    desk.go("image").type("a fox in snow <lora:ink:0.5>")
    button = desk.page.locator("#image-enrich")
    expect(button).to_have_text("Enrich")
    button.click()
    expect(desk.field("prompt")).not_to_have_value("a fox in snow <lora:ink:0.5>")
    assert desk.field("prompt").input_value().endswith("<lora:ink:0.5>")
    expect(button).to_have_text("Enrich")
    keep(desk, "image-enrich")
    desk.page.get_by_role("button", name="Bring back your text").click()
    expect(desk.field("prompt")).to_have_value("a fox in snow <lora:ink:0.5>")
    desk.go("chat")
    expect(desk.page.locator("#tab-chat")).not_to_contain_text("Idea:")


def test_it_can_be_stopped_and_says_what_it_needs(desk: Desk, gate: Gate) -> None:
    desk.go("image")
    button = desk.page.locator("#image-enrich")
    button.click()
    expect(desk.find("restored").get_by_role("alert")).to_contain_text("nothing to enrich")
    desk.type("a fox in snow")
    gate.shut()
    button.click()
    expect(button).to_have_text("Stop writing")
    button.click()
    expect(button).to_have_text("Enrich")  # what was stopped waits at no gate
    gate.open()
    expect(desk.field("prompt")).to_have_value("a fox in snow")
