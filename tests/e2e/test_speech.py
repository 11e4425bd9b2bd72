"""What a screen reader hears of one run: its beginning, its quarters, its end; not every step."""

from __future__ import annotations

from playwright.sync_api import expect

from e2e.conftest import Gate
from e2e.desk import Desk
from studio.jobs.job import Update
from tabs.shared.job_progress import progress

LISTEN = """() => {
    window.heard = [];
    const LIVE = "[role=status], [role=alert], [aria-live=polite], [aria-live=assertive]";
    const last = new Map();
    const look = () => {
        for (const region of document.querySelectorAll(LIVE)) {
            if (region.parentElement.closest(LIVE)) continue; // said with what it stands in
            const words = region.innerText.trim();
            if (last.get(region) !== words && words && (region.offsetParent || region.id === "a-spoken")) {
                window.heard.push(words);
            }
            last.set(region, words);
        }
    };
    for (const region of document.querySelectorAll(LIVE)) last.set(region, region.innerText.trim());
    new MutationObserver(look).observe(document.body, {childList: true, subtree: true, characterData: true});
}"""
"""Write down every change of a live region, as often as a browser would tell a reader."""


def test_a_run_is_told_in_five_announcements_at_most(desk: Desk, gate: Gate) -> None:
    desk.go("image").type("hills").more().type("40", "steps")
    desk.page.wait_for_timeout(500)
    desk.page.evaluate(LISTEN)
    gate.shut()
    desk.run()
    for step in range(4, 37, 4):
        gate.shut(after=4)
        expect(desk.progress).to_contain_text(f"Step {step} of 40")
    gate.open()
    expect(desk.pictures).to_have_count(1)
    desk.idle().page.wait_for_timeout(500)
    heard = desk.page.evaluate("window.heard")
    assert 3 <= len(heard) <= 5, heard
    assert heard[-1].startswith("Demo painter"), heard


def test_a_model_that_is_loaded_whole_is_no_quarter_of_the_picture(desk: Desk) -> None:
    desk.go("image").page.evaluate(LISTEN)
    page = desk.page
    bars = [Update(0, 0, "loading", fraction=0.5), Update(0, 1, "loading", fraction=1)]
    for update in [*bars, *(Update(0, 2, "running", step=step, steps=8) for step in (1, 3, 7))]:
        bar = progress(update, "en")
        page.evaluate("bar => { document.querySelector('#image-progress').innerHTML = bar }", bar)
        page.wait_for_timeout(60)  # until the page has looked
    assert page.evaluate("window.heard") == ["Loading the model, 0 s", "Step 3 of 8", "Step 7 of 8"]
