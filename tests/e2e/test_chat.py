"""Conversations: asking, changing one's mind, finding them again."""

import zipfile
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import expect

from e2e.conftest import Gate, Visit
from e2e.desk import Desk
from studio.service import Studio


def manage(desk: Desk, title: str, what: str) -> None:
    """Press something in a conversation's menu."""
    desk.page.get_by_role("button", name=f"More for “{title}”").click()
    desk.page.locator("#chat-row").get_by_role("button", name=what, exact=True).click()


def test_the_answer_and_the_next_one_follow_the_questions(desk: Desk) -> None:
    desk.ask("Good morning")
    expect(desk.answers.last).to_contain_text("You asked: Good morning")
    desk.ask("And good night")
    expect(desk.questions).to_have_text(["Good morning", "And good night"])
    expect(desk.answers.last).to_contain_text("turn 2")
    expect(desk.field("prompt")).to_have_value("")


def test_retry_answers_the_last_question_anew(desk: Desk, studio: Studio) -> None:
    desk.ask("One").ask("Two")
    asked = studio.jobs()
    desk.page.get_by_label("Retry").last.click()
    desk.until(lambda: studio.jobs()[-1] is not asked[-1] and studio.jobs()[-1].done)
    assert studio.jobs()[-1].request == replace(asked[-1].request, seed=studio.jobs()[-1].request.seed)
    assert [entry.role for entry in studio.chats.load(studio.chats.list()[0].id).messages] == ["user", "assistant"] * 2
    expect(desk.answers).to_have_count(2)


def test_an_edited_question_replaces_what_followed_it(desk: Desk) -> None:
    desk.ask("First").ask("Second")
    desk.page.get_by_label("Edit").first.click()
    box = desk.page.locator("#chat-talk textarea")
    box.fill("Better")
    desk.page.get_by_label("Submit").click()
    expect(desk.questions).to_have_text(["Better"])
    expect(desk.answers).to_have_count(1)
    expect(desk.answers).to_contain_text("You asked: Better")


def test_an_answer_goes_on_where_it_was_stopped(desk: Desk, gate: Gate) -> None:
    gate.shut(after=3)
    desk.type("Long").run()
    expect(desk.answers.last).to_contain_text("You asked")
    desk.stop().idle()
    gate.open()
    begun = desk.answers.last.inner_text()
    assert "our conversation" not in begun
    desk.page.get_by_label("Continue").click()
    expect(desk.answers.last).to_contain_text("turn 1 of our conversation.")
    assert desk.answers.last.inner_text().startswith(begun.strip())
    desk.idle()
    desk.page.get_by_label("Version before").click()
    expect(desk.answers.last).not_to_contain_text("our conversation")


def test_an_answer_is_edited_in_place_and_a_message_deleted_and_brought_back(desk: Desk, studio: Studio) -> None:
    desk.ask("One").ask("Two")
    desk.page.get_by_label("Edit").nth(1).click()
    desk.page.locator("#chat-talk textarea").fill("My own words")
    desk.page.get_by_label("Save", exact=True).click()
    expect(desk.answers).to_have_count(2)
    expect(desk.answers.first).to_have_text("My own words")
    expect(desk.page.get_by_text("Edited by hand.")).to_be_visible()
    asked = len(studio.jobs())
    desk.page.locator("#chat-message-2-menu").click()
    desk.page.get_by_label("Delete message").filter(visible=True).click()
    expect(desk.questions).to_have_text(["One"])
    expect(desk.answers).to_have_count(2)
    desk.page.get_by_label("Version before").last.click()
    expect(desk.questions).to_have_text(["One", "Two"])
    assert len(studio.jobs()) == asked


def test_versions_are_compared_and_one_is_kept(desk: Desk, studio: Studio) -> None:
    desk.ask("One")
    desk.page.get_by_label("Retry").click()
    desk.until(lambda: len(studio.jobs()) > 1 and studio.jobs()[-1].done).idle()
    expect(desk.page.get_by_text("2 of 2", exact=True)).to_be_visible()
    desk.page.get_by_role("button", name="Side by side").click()
    expect(desk.page.locator(".a-version")).to_have_count(2)
    desk.page.get_by_label("Keep this one", exact=True).click()
    expect(desk.page.locator(".a-version")).to_have_count(0)
    expect(desk.page.get_by_text("1 of 2", exact=True)).to_be_visible()


def test_a_branch_is_a_conversation_of_its_own(desk: Desk) -> None:
    desk.ask("One").ask("Two")
    desk.page.locator("#chat-message-1-menu").click()
    desk.page.get_by_label("New conversation from here").filter(visible=True).click()
    expect(desk.questions).to_have_text(["One"])
    expect(desk.conversations).to_have_text(["One", "One"])
    desk.ask("Another two")
    desk.conversations.last.click()
    expect(desk.questions).to_have_text(["One", "Two"])


def test_how_an_answer_begins_and_a_preset_are_kept(desk: Desk, studio: Studio, visit: Visit, url: str) -> None:
    desk.more().type("Well,", "opening-words").type("stand-in", "stop-words").type("40", "top-k").ask("Hello")
    expect(desk.answers.last).to_contain_text("Well, You asked: Hello")
    request = studio.jobs()[-1].request
    assert (request.opening, request.stop, request.top_k) == ("Well,", ("stand-in",), 40)
    desk.field("preset").fill("Mine")
    desk.find("preset-save").click()
    expect(desk.find("preset-told")).to_contain_text("Mine")
    desk.begin()
    expect(desk.field("opening-words")).to_have_value("")
    desk.choose("preset", "Mine")
    expect(desk.field("opening-words")).to_have_value("Well,")
    expect(desk.field("top-k")).to_have_value("40")
    desk.choose("preset", "Precise")
    expect(desk.field("temperature")).to_have_value("0.2")
    expect(desk.field("opening-words")).to_have_value("")
    desk.ask("Again")
    assert studio.jobs()[-1].request.temperature == 0.2
    assert visit(url).field("temperature").input_value() == "0.2"


def test_undo_brings_the_question_back_to_the_composer(desk: Desk) -> None:
    desk.ask("Keep").ask("Take back")
    desk.page.get_by_label("Undo").last.click()
    expect(desk.field("prompt")).to_have_value("Take back")
    expect(desk.questions).to_have_text(["Keep"])


def test_a_new_conversation_is_empty_and_the_old_one_a_click_away(desk: Desk) -> None:
    desk.ask("About apples")
    desk.begin()
    desk.ask("About pears")
    expect(desk.conversations).to_have_text(["About pears", "About apples"])
    desk.conversations.last.click()
    expect(desk.questions).to_have_text(["About apples"])
    desk.ask("More apples")
    expect(desk.answers.last).to_contain_text("turn 2")


def test_conversations_are_found_renamed_and_deleted(desk: Desk, studio: Studio) -> None:
    desk.ask("About apples")
    desk.begin()
    desk.ask("About pears")
    desk.type("apple", "search")
    expect(desk.conversations).to_have_text(["About apples"])
    desk.conversations.first.click()
    expect(desk.questions).to_have_text(["About apples"])
    desk.type("", "search")
    expect(desk.conversations).to_have_count(2)
    manage(desk, "About apples", "Rename")
    desk.page.get_by_role("textbox", name="New name").fill("Fruit")
    desk.page.keyboard.press("Enter")
    expect(desk.conversations).to_have_text(["Fruit", "About pears"])
    manage(desk, "Fruit", "Delete")
    expect(desk.conversations).to_have_text(["About pears"])
    expect(desk.questions).to_have_text(["About pears"])
    assert [chat.title for chat in studio.chats.list()] == ["About pears"]
    desk.page.get_by_role("button", name="Undo", exact=True).filter(visible=True).first.click()
    expect(desk.questions).to_have_text(["About apples"])
    expect(desk.conversations).to_have_text(["Fruit", "About pears"])


def test_a_pinned_conversation_stands_above_the_days(desk: Desk, visit: Visit, url: str) -> None:
    desk.ask("About apples")
    desk.begin()
    desk.ask("About pears")
    manage(desk, "About apples", "Pin")
    expect(desk.conversations).to_have_text(["About apples", "About pears"])
    expect(desk.page.locator("#chat-list h3")).to_have_text(["Pinned", "Today"])
    expect(visit(url).questions).to_have_text(["About pears"])  # the newest, wherever it stands
    manage(desk, "About apples", "Unpin")
    expect(desk.conversations).to_have_text(["About pears", "About apples"])


def test_what_was_written_out_is_read_in_again(desk: Desk, studio: Studio, tmp_path: Path) -> None:
    desk.ask("About apples")
    with desk.page.expect_download() as started:
        desk.page.get_by_role("button", name="Save all").click()
    with zipfile.ZipFile(started.value.path()) as packed:
        (name,) = packed.namelist()
        (tmp_path / "one.json").write_bytes(packed.read(name))
    desk.page.locator(".a-chats-files input[type=file]").set_input_files(tmp_path / "one.json")
    expect(desk.page.get_by_text("Imported: 1")).to_be_visible()
    expect(desk.conversations).to_have_text(["About apples", "About apples"])
    expect(desk.questions).to_have_text(["About apples"])
    (tmp_path / "two.json").write_text("no conversation")
    desk.page.locator(".a-chats-files input[type=file]").set_input_files(tmp_path / "two.json")
    expect(desk.page.locator("#chat-list-told [role=alert]")).to_contain_text("two.json cannot be understood")


def test_a_conversation_is_saved_as_markdown(desk: Desk) -> None:
    desk.ask("About apples")
    with desk.page.expect_download() as download:
        manage(desk, "About apples", "Save as Markdown")
    text = download.value.path().read_text(encoding="utf-8")
    assert "\n---\n\n# About apples\n" in text, "behind the label that a model wrote of it"
    assert "## You\n\nAbout apples\n\n## Assistant\n\nYou asked: About apples" in text


def test_a_conversation_is_there_after_a_reload(desk: Desk, visit: Visit, url: str) -> None:
    desk.ask("Remember me").ask("And me")
    again = visit(url, desk.page.context)
    expect(again.questions).to_have_text(["Remember me", "And me"])
    again.ask("Third")
    expect(again.answers.last).to_contain_text("turn 3")
