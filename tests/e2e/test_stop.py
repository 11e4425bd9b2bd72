"""Stop answers at once, and what comes next never runs beside what was stopped."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from e2e.desk import Desk, Tab
from studio.engines.demo.fake import FakeModel
from studio.service import Studio

STOPWATCH = """tab => new Promise(resolve => {
  const begun = performance.now();
  const look = () => { if (document.querySelector(`#${tab}-run`)?.offsetParent) resolve(performance.now() - begun); };
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true, attributes: true});
  document.querySelector(`#${tab}-stop`).click();
})"""


@pytest.mark.parametrize("tab", ["image", "chat", "music"])
def test_stop_answers_long_before_the_step_ends_and_the_next_run_waits_for_it(
    desk: Desk, studio: Studio, pace: Callable[[float], None], tab: Tab
) -> None:
    pace(2.0)
    desk.go(tab).type("first").run()
    desk.until(lambda: FakeModel.running == 1)
    expect(desk.find("stop")).to_be_visible()
    milliseconds = desk.page.evaluate(STOPWATCH, tab)
    print(f"{tab}: Stop answered in {milliseconds:.0f} ms")
    assert milliseconds < 1000  # half of the step; the figure on a quiet machine is printed above
    assert FakeModel.running == 1, "the step in flight is still being finished"

    desk.type("second").run()
    expect(desk.find("stop")).to_be_visible()
    desk.until(lambda: len(studio.jobs()) >= 2 and studio.jobs()[-2].done)
    desk.until(lambda: FakeModel.running == 1)
    first, second = studio.jobs()[-2:]
    assert first.snapshot().kind == "cancelled"
    assert not second.done
    assert FakeModel.peak == 1
    desk.stop()
    desk.idle()


def test_stopped_text_is_kept(desk: Desk, pace: Callable[[float], None]) -> None:
    pace(0.15)
    desk.type("keep what there is").run()
    expect(desk.answers.last).to_contain_text("You asked: keep")
    desk.page.keyboard.press("Escape")
    expect(desk.progress).to_contain_text("Stopped.")
    expect(desk.answers.last).to_contain_text("You asked: keep")
    desk.page.reload()
    expect(desk.answers.last).to_contain_text("You asked: keep")


def test_pressing_generate_twice_starts_one_job(desk: Desk, studio: Studio, pace: Callable[[float], None]) -> None:
    pace(0.5)
    before = len(studio.jobs())
    desk.go("image").type("hills")
    desk.page.evaluate("() => { const run = document.querySelector('#image-run'); run.click(); run.click(); }")
    expect(desk.progress).to_contain_text(re.compile(r"Step \d"))
    assert len(studio.jobs()) == before + 1
