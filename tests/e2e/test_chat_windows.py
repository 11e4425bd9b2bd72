"""Two windows on one conversation, and thinking again: turns keep their order, and nothing that was typed is lost."""

import pytest
from playwright.sync_api import expect

from e2e.conftest import Gate, Visit
from e2e.desk import Desk
from studio.errors import StudioError
from studio.library.chats import Chats
from studio.service import Studio


def rewrite(desk: Desk, place: int, words: str) -> None:
    """Edit a question of the talk."""
    desk.page.locator(".user-row").get_by_label("Edit").nth(place).click()
    desk.page.locator("#chat-talk textarea").fill(words)
    desk.page.get_by_label("Submit").click()


def test_a_window_that_saw_an_older_state_loses_nothing(desk: Desk, studio: Studio, visit: Visit, url: str) -> None:
    desk.ask("one").ask("two")
    other = visit(url, desk.page.context)
    other.ask("three")
    rewrite(desk, 1, "two, rewritten")
    expect(desk.find("notice")).to_contain_text("changed elsewhere")
    expect(desk.questions).to_have_text(["one", "two", "three"])
    expect(desk.field("prompt")).to_have_value("two, rewritten")
    desk.ask("four")
    other.type("five")
    other.find("run").click()
    expect(other.find("notice")).to_contain_text("changed elsewhere")
    expect(other.field("prompt")).to_have_value("five")
    expect(other.questions).to_have_text(["one", "two", "three", "four"])  # what is sent now was seen
    other.run()
    expect(other.questions).to_have_text(["one", "two", "three", "four", "five"])
    other.idle()
    roles = [entry.role[0] for entry in studio.chats.load(studio.chats.list()[0].id).messages]
    assert "".join(roles) == "ua" * 5


def test_a_second_window_waits_for_its_turn(desk: Desk, studio: Studio, visit: Visit, url: str, gate: Gate) -> None:
    desk.ask("one")
    other = visit(url, desk.page.context)
    expect(other.questions).to_have_text(["one"])
    gate.shut(after=6)
    desk.type("two").run()
    expect(desk.answers.nth(1)).to_contain_text("You asked")
    other.type("three").run()
    expect(other.find("notice")).to_contain_text("still being written")
    expect(other.field("prompt")).to_have_value("three")
    expect(other.questions).to_have_text(["one", "two"])
    expect(other.find("stop")).to_be_visible()
    desk.stop()
    other.idle()
    desk.until(lambda: studio.answering(studio.chats.list()[0].id) is None)
    gate.open()
    other.run()
    expect(other.questions).to_have_text(["one", "two", "three"])
    other.idle()
    roles = [entry.role[0] for entry in studio.chats.load(studio.chats.list()[0].id).messages]
    assert "".join(roles) == "ua" * 3


def test_retry_edit_and_undo_keep_what_they_replace(desk: Desk) -> None:
    desk.ask("use <think> tag").ask("second").ask("third")
    rewrite(desk, 1, "better second")
    expect(desk.questions).to_have_text(["use <think> tag", "better second"])
    desk.idle()
    desk.page.get_by_label("Version before").click()
    expect(desk.questions).to_have_text(["use <think> tag", "second", "third"])
    desk.page.get_by_label("Version after").click()
    expect(desk.questions).to_have_text(["use <think> tag", "better second"])
    desk.page.get_by_label("Retry").click()
    expect(desk.page.get_by_text("2 of 2", exact=True)).to_have_count(2)
    desk.idle()
    desk.type("half typed")
    desk.page.get_by_label("Undo").click()
    expect(desk.questions).to_have_text(["use <think> tag"])
    expect(desk.field("prompt")).to_have_value("better second\n\nhalf typed")
    desk.page.get_by_label("Bring back").click()
    expect(desk.questions).to_have_count(2)


def test_what_is_being_edited_survives_that_the_talk_is_drawn_anew(desk: Desk) -> None:
    desk.ask("one")
    desk.page.locator(".user-row").get_by_label("Edit").click()
    desk.page.locator("#chat-talk textarea").fill("half rewritten")
    desk.ask("two")
    expect(desk.page.locator("#chat-talk textarea")).to_have_value("half rewritten")
    desk.page.get_by_label("Cancel").click()
    expect(desk.questions).to_have_text(["one", "two"])


def test_what_another_window_shows_is_deleted_without_a_word_too_many(desk: Desk, studio: Studio) -> None:
    desk.ask("keep me")
    desk.begin()
    desk.ask("delete me")
    studio.chats.delete(studio.chats.list()[0].id)
    desk.page.get_by_role("button", name="More for “delete me”").click()
    desk.page.locator("#chat-row").get_by_role("button", name="Delete", exact=True).click()
    expect(desk.page.locator("#chat-list-told [role=alert]")).to_contain_text("no longer exists")
    expect(desk.conversations).to_have_text(["keep me"])


def test_an_answer_that_the_disk_refuses_can_still_be_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise StudioError("disk_full", path="/here")

    monkeypatch.setattr(Chats, "change", full)
    desk.type("precious").run()
    expect(desk.error).to_contain_text("full")
    expect(desk.answers.last).to_contain_text("You asked: precious")
