"""A page that is closed and opened again: the work has gone on."""

from playwright.sync_api import expect

from e2e.conftest import Gate, Visit
from e2e.desk import Desk
from studio.service import Studio


def test_a_job_goes_on_and_can_be_stopped_by_the_page_that_comes_back(
    desk: Desk, visit: Visit, url: str, studio: Studio, gate: Gate
) -> None:
    gate.shut(after=2)
    desk.go("image").type("hills").more().type("60", "steps").run()
    expect(desk.progress).to_contain_text("Step 2 of 60")
    context = desk.page.context
    desk.page.close()
    back = visit(url, context, settled=False).go("image")
    expect(back.progress).to_contain_text("Step 2 of 60")
    gate.shut(after=1)
    expect(back.progress).to_contain_text("Step 3 of 60")
    assert not studio.jobs()[-1].done
    expect(back.page.locator(".a-cells img")).to_be_visible()

    stranger = visit(url).go("image")
    expect(stranger.find("run")).to_be_visible()
    expect(stranger.progress).not_to_contain_text("Step")
    expect(stranger.page.locator("#image-gallery")).to_have_count(0)

    back.stop().idle()
    back.until(lambda: studio.jobs()[-1].done)
    assert studio.jobs()[-1].snapshot().kind == "cancelled"


def test_a_picture_that_was_finished_meanwhile_is_shown(desk: Desk, visit: Visit, url: str, studio: Studio) -> None:
    desk.go("image").type("hills").run()
    expect(desk.page.locator("#image-gallery img").first).to_be_visible()
    context = desk.page.context
    desk.page.close()
    back = visit(url, context).go("image")
    expect(back.page.locator("#image-gallery img").first).to_be_visible()
    expect(back.find("details")).to_contain_text("Demo painter")
    expect(visit(url).go("image").page.locator("#image-gallery")).to_have_count(0)


def test_an_answer_goes_on_being_written(desk: Desk, visit: Visit, url: str, studio: Studio, gate: Gate) -> None:
    gate.shut(after=6)
    desk.type("go on without me").run()
    expect(desk.answers.last).to_contain_text("You asked")
    context = desk.page.context
    desk.page.close()
    back = visit(url, context, settled=False)
    expect(back.find("stop")).to_be_visible()
    gate.open()
    expect(back.answers.last).to_contain_text("turn 1 of our conversation.")
    expect(back.questions).to_have_text(["go on without me"])
    back.idle()


def test_drafts_survive_a_reload(desk: Desk) -> None:
    desk.type("a half-written message")
    desk.go("image").type("a half-written prompt")
    desk.go("code").write("x = 41 + 1")
    desk.page.reload()
    desk.go("code").has_code("x = 41 + 1")
    expect(desk.go("chat").field("prompt")).to_have_value("a half-written message")
    expect(desk.go("image").field("prompt")).to_have_value("a half-written prompt")


def test_a_sent_message_is_no_draft(desk: Desk) -> None:
    desk.ask("Sent")
    desk.page.reload()
    expect(desk.answers).to_have_count(1)
    expect(desk.page.locator("#chat-prompt textarea")).to_have_value("")
