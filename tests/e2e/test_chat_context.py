"""The line under the composer: how much of the context is taken, what will be cut, and the exact prompt."""

import pytest
from playwright.sync_api import expect

from e2e.desk import Desk
from studio.service import Studio


def test_tokens_are_told_while_somebody_types_and_nothing_is_loaded_for_that(desk: Desk, studio: Studio) -> None:
    loaded = len(studio.status().devices[0].models)
    desk.type("one two three")
    line = desk.page.locator("#chat-tokens")
    expect(line).to_contain_text("tokens")
    assert len(studio.status().devices[0].models) == loaded
    desk.run().idle()
    desk.type("four five")
    expect(line).to_contain_text("of 8192 tokens")
    expect(line).not_to_contain_text("about")
    before = line.inner_text()
    desk.type("four five and a good deal more")
    expect(line).not_to_have_text(before)


def test_what_will_be_cut_is_told_before_and_after(desk: Desk, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.ask("The beginning")
    for number in range(4):
        desk.ask(f"Question {number} " + "word " * 10)
    monkeypatch.setattr(studio._fleet.model(studio.default_model("chat").id), "_limit", 240)
    desk.type("And now?")
    line = desk.page.locator("#chat-tokens")
    expect(line).to_contain_text("oldest exchanges after the beginning will be left out")
    desk.find("exact").click()
    shown = desk.page.locator("#chat-exact-shown pre")
    expect(shown).to_contain_text("user: The beginning")
    expect(shown).not_to_contain_text("user: Question 0")
    desk.run().idle()
    expect(desk.page.locator(".a-message-notes").last).to_contain_text("after its beginning were left out")
    desk.type("word " * 150)
    expect(line).to_contain_text("shorten the message")
    desk.run().idle()
    expect(desk.page.get_by_text("Not answered")).to_be_visible()


def test_the_exact_prompt_is_shown_with_what_was_cut(desk: Desk) -> None:
    desk.ask("First")
    desk.type("Second <b>")
    desk.find("exact").click()
    shown = desk.page.locator("#chat-exact-shown pre")
    expect(shown).to_contain_text("user: Second <b>")
    expect(shown).to_contain_text("user: First")
    expect(desk.page.locator("#chat-exact-shown")).to_contain_text("What the model reads")
    desk.run().idle()
    expect(shown).to_have_count(0)
