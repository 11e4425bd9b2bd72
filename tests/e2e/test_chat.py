"""Conversations: asking, changing one's mind, finding them again."""

from dataclasses import replace

from playwright.sync_api import expect

from e2e.conftest import Visit
from e2e.desk import Desk
from studio.service import Studio


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
    desk.page.get_by_role("button", name="Rename, delete, save").click()
    desk.page.get_by_role("textbox", name="New name").fill("Fruit")
    desk.page.get_by_role("button", name="Rename", exact=True).click()
    expect(desk.conversations).to_have_text(["Fruit", "About pears"])
    desk.page.get_by_role("button", name="Delete", exact=True).click()
    desk.page.get_by_role("button", name="Delete it").click()
    expect(desk.conversations).to_have_text(["About pears"])
    expect(desk.questions).to_have_text(["About pears"])
    assert [chat.title for chat in studio.chats.list()] == ["About pears"]


def test_a_conversation_is_saved_as_markdown(desk: Desk) -> None:
    desk.ask("About apples")
    desk.page.get_by_role("button", name="Rename, delete, save").click()
    with desk.page.expect_download() as download:
        desk.page.get_by_role("button", name="Save as Markdown").click()
    text = download.value.path().read_text(encoding="utf-8")
    assert text.startswith("# About apples\n")
    assert "## You\n\nAbout apples\n\n## Assistant\n\nYou asked: About apples" in text


def test_a_conversation_is_there_after_a_reload(desk: Desk, visit: Visit, url: str) -> None:
    desk.ask("Remember me").ask("And me")
    again = visit(url, desk.page.context)
    expect(again.questions).to_have_text(["Remember me", "And me"])
    again.ask("Third")
    expect(again.answers.last).to_contain_text("turn 3")
