"""Stop answers at once, and what comes next never runs beside what was stopped."""

import re

import pytest
from playwright.sync_api import expect

from e2e.conftest import Gate
from e2e.desk import Desk, Tab
from studio.engines.demo.fake import FakeModel
from studio.service import Studio


@pytest.mark.parametrize("tab", ["image", "chat", "music"])
def test_stop_answers_long_before_the_step_ends_and_the_next_run_waits_for_it(
    desk: Desk, studio: Studio, gate: Gate, tab: Tab
) -> None:
    gate.shut(firm=True)
    desk.go(tab).type("first").run()
    desk.until(lambda: FakeModel.running == 1)
    expect(desk.find("stop")).to_be_visible()
    desk.stop().idle()
    assert FakeModel.running == 1, "the step in flight is still being finished"

    desk.type("second").run()
    if tab != "chat":  # a conversation begins no turn before the last one is over
        expect(desk.find("stop")).to_be_visible()
    gate.shut(after=1, firm=True)
    expect(desk.find("stop")).to_be_visible()
    desk.until(lambda: len(studio.jobs()) >= 2 and studio.jobs()[-2].done)
    desk.until(lambda: FakeModel.running == 1)
    first, second = studio.jobs()[-2:]
    assert first.snapshot().kind == "cancelled"
    assert not second.done
    assert FakeModel.peak == 1
    desk.stop().idle()


def test_stopped_text_is_kept(desk: Desk, gate: Gate) -> None:
    gate.shut(after=4)
    desk.type("keep what there is").run()
    expect(desk.answers.last).to_contain_text("You asked: keep")
    desk.page.keyboard.press("Escape")
    expect(desk.progress).to_contain_text("Stopped.")
    expect(desk.answers.last).to_contain_text("You asked: keep")
    desk.page.reload()
    expect(desk.answers.last).to_contain_text("You asked: keep")


def test_pressing_generate_twice_starts_one_job(desk: Desk, studio: Studio, gate: Gate) -> None:
    gate.shut(after=1)
    before = len(studio.jobs())
    desk.go("image").type("hills")
    desk.page.evaluate("() => { const run = document.querySelector('#image-run'); run.click(); run.click(); }")
    expect(desk.progress).to_contain_text(re.compile(r"Step \d"))
    assert len(studio.jobs()) == before + 1
